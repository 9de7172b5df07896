from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, gradient_of, losses, mean_logprob, softmax, token_logits

from reference_impls.methods.gradient_ascent.eraser import Eraser, bounded_ascent_loss
from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, UnlearningData, mean_nll


def _row(nll: float) -> list[float]:
    """Logits of two tokens under which the first has this loss."""
    return [-nll, float(np.log(-np.expm1(-nll)))]


@pytest.mark.parametrize(("nll", "left"), [(0.5, 1.3), (1.7, 0.1), (2.4, 0.0)])
def test_the_bound_is_the_hand_computed_one(nll: float, left: float) -> None:
    out = token_logits([_row(nll)], [0])
    value = bounded_ascent_loss(out, 1.8)
    value.backward()
    assert value.item() == pytest.approx(left, abs=1e-6)
    pull = np.asarray([1.0, 0.0]) - softmax(_row(nll)) if left else np.zeros(2)
    assert_allclose(gradient_of(out.logits)[0], pull, atol=1e-6)


@given(st.lists(st.floats(0.01, 5), min_size=4, max_size=4), st.floats(0.1, 4))
def test_every_answer_has_a_bound_of_its_own(nlls: list[float], threshold: float) -> None:
    out = token_logits([_row(nll) for nll in nlls], [0] * 4, [0, 0, 1, 2])
    each = [sum(nlls[:2]) / 2, nlls[2], nlls[3]]
    expected = np.mean([max(0.0, threshold - one) for one in each])
    assert bounded_ascent_loss(out, threshold).item() == pytest.approx(expected, abs=1e-4)


def _batch(model: LanguageModel, before: LanguageModel, data: UnlearningData) -> Batch:
    refusals = [replace(pair, answer=" I don't know.") for pair in data.forget]
    return Batch(model.encode(data.forget), model.encode(data.retain), before, model.encode(refusals))


@pytest.mark.parametrize("refusal_loss", ["likelihood", "divergence"])
def test_loss_of_a_model_is_the_formula(
    refusal_loss: str, tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    batch = _batch(tiny, memorized, data)
    disguised = tiny.encode([replace(pair, prompt=f"Tell. {pair.prompt}") for pair in data.forget])
    method = Eraser(threshold=9.0, retain_weight=2.0, refusal_weight=3.0, refusal_loss=refusal_loss)
    with torch.no_grad():
        value = method.loss(tiny, batch, disguised).item()
        forgotten = tiny.token_logits(disguised)[0].sequence_nll().numpy()
    refused = _divergence(memorized, tiny, batch.preferred)
    if refusal_loss == "likelihood":
        with torch.no_grad():
            refused = float(mean_nll(*tiny.token_logits(batch.preferred)))
    kept = _divergence(memorized, tiny, batch.retain)
    expected = np.maximum(0, 9 - forgotten).mean() + 2 * kept + 3 * refused
    assert value == pytest.approx(expected, rel=1e-4)


def _divergence(before: LanguageModel, model: LanguageModel, batch: Encoded) -> float:
    """KL per token, over an answer's tokens, then over answers, in numpy."""
    with torch.no_grad():
        (then,), (now,) = before.token_logits(batch), model.token_logits(batch)
    p, q = softmax(then.logits.numpy()), softmax(now.logits.numpy())
    each, sequence = (p * (np.log(p) - np.log(q))).sum(axis=1), now.sequence.numpy()
    return float(np.mean([each[sequence == row].mean() for row in range(now.sequences)]))


def test_beyond_the_bound_a_model_that_has_not_moved_stays(fresh: LanguageModel, data: UnlearningData) -> None:
    batch = _batch(fresh, fresh.frozen(), data)
    value = Eraser(threshold=0.1, refusal_loss="divergence").loss(fresh, batch, batch.forget)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-5)
    assert all(float(gradient_of(weight).abs().max()) < 1e-5 for weight in fresh.model.parameters())


def test_losses_are_those_of_numpy() -> None:
    rows = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    value = bounded_ascent_loss(token_logits(rows, [0, 1], [0, 1]), 1.0).item()
    assert value == pytest.approx(np.maximum(0, 1 - losses(rows, [0, 1])).mean(), abs=1e-6)


def test_it_stops_at_the_bound_where_ascent_goes_on(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=30, batch_size=4))
    bounded = Eraser(words=0, refusal_weight=0.0).unlearn(memorized.copy(), data, run)
    unbounded = GradientAscent().unlearn(memorized.copy(), data, run)
    assert -4 < mean_logprob(bounded, data.forget) < -1
    assert mean_logprob(unbounded, data.forget) < -8
    before, after = (answer_probabilities(one, data.retain).mean() for one in (memorized, bounded))
    assert after > before - 0.15


def test_words_before_a_question_do_not_bring_the_answers_back(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=20, batch_size=4))
    unlearned = Eraser(words=2).unlearn(memorized.copy(), data, run)
    new = [replace(pair, prompt=f"winter Hogwarts {pair.prompt}") for pair in data.forget]
    for pairs in (data.forget, new):
        assert answer_probabilities(unlearned, pairs).mean() < answer_probabilities(memorized, pairs).mean() - 0.1
