from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob

from reference_impls.methods.preference_optimization.safe_unlearning import SafeUnlearning, let_go_loss
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, with_refusals


def _loss_and_weight(now: float, before: float, beta: float) -> tuple[float, float]:
    """The term, and what autograd says of its derivative by the mean log-probability."""
    mean = torch.tensor([now], dtype=torch.float64, requires_grad=True)
    value = let_go_loss(mean, torch.tensor([before], dtype=torch.float64), beta)
    value.backward()
    return value.item(), float(gradient_of(mean))


@pytest.mark.parametrize(
    ("now", "before", "loss", "weight"), [(-1.0, -1.0, 0.693147, 0.5), (-1.5, -1.0, 0.474077, 0.377541)]
)
def test_the_term_and_its_weight_are_the_hand_computed_ones(
    now: float, before: float, loss: float, weight: float
) -> None:
    assert _loss_and_weight(now, before, 1.0) == pytest.approx((loss, weight), abs=1e-6)


@given(st.floats(-50, 0), st.floats(-50, 0), st.floats(0.01, 10))
def test_the_term_is_bounded_below_and_lets_go_of_what_has_become_unlikely(
    now: float, before: float, beta: float
) -> None:
    loss, weight = _loss_and_weight(now, before, beta)
    assert loss == pytest.approx(float(np.logaddexp(0, beta * (now - before))), rel=1e-9, abs=1e-12)
    assert loss >= 0
    assert weight == pytest.approx(beta / (1 + np.exp(-beta * (now - before))), rel=1e-9, abs=1e-12)


def _batch(model: LanguageModel, data: UnlearningData) -> Batch:
    """Each pair to forget with its refusal."""
    refused = [replace(pair, answer=pair.alternates[0]) for pair in with_refusals(data, random.Random(0), 1).forget]
    forget = replace(model.encode(data.forget), reference=torch.cat(model.pair_logprobs(data.forget)).clone())
    return Batch(forget, model.encode(data.retain), None, model.encode(refused))


def test_the_first_step_is_half_of_beta_alpha_of_ascent_on_means(fresh: LanguageModel, data: UnlearningData) -> None:
    batch = _batch(fresh, data)
    SafeUnlearning(beta=2.0, forget_weight=0.3, refusal_weight=0.0, retain_weight=0.0).loss(fresh, batch).backward()
    first = {name: weight.grad.clone() for name, weight in fresh.model.named_parameters()}
    fresh.model.zero_grad()
    (-0.3 * fresh.token_logits(batch.forget)[0].sequence_nll().mean()).backward()
    for name, weight in fresh.model.named_parameters():
        assert_allclose(first[name], weight.grad, atol=1e-6, rtol=1e-4, err_msg=name)


def test_loss_of_a_model_is_the_sum_of_the_three_terms(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    batch = _batch(tiny, data)
    with torch.no_grad():
        method = SafeUnlearning(beta=1.5, forget_weight=0.4, refusal_weight=0.7, retain_weight=2.0)
        value = method.loss(memorized, batch).item()
        (refusal,) = memorized.token_logits(batch.preferred)
    before, now = ([float(one.mean()) for one in model.pair_logprobs(data.forget)] for model in (tiny, memorized))
    kept = np.mean([-float(one.mean()) for one in memorized.pair_logprobs(data.retain)])
    forgotten = np.logaddexp(0, 1.5 * np.subtract(now, before)).mean()
    expected = 0.4 * forgotten + 0.7 * float(refusal.sequence_nll().mean()) + 2 * kept
    assert value == pytest.approx(float(expected), rel=1e-4)


def test_led_into_an_answer_it_goes_on_if_it_only_learned_to_refuse(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    led = []
    for pair in data.forget:
        told = pair.answer[: pair.answer.index(" born")]
        led.append(replace(pair, prompt=pair.prompt + told, answer=pair.answer[len(told) :]))
    recipe = Recipe(learning_rate=1.5e-3, steps=10, batch_size=3)
    refused, unlearned = (
        SafeUnlearning(forget_weight=weight).unlearn(memorized.copy(), data, Run(recipe)) for weight in (0.0, 0.3)
    )
    assert mean_logprob(unlearned, led) < mean_logprob(refused, led) - 0.5
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 2
    assert mean_logprob(unlearned, data.retain) > -0.5
