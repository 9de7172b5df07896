from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, gradient_of, losses, mean_logprob, softmax, token_logits

from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.methods.gradient_ascent.inverse_loss import InverseLoss, inverse_loss
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData

ROWS = st.lists(st.floats(-4, 4), min_size=3, max_size=3)


def _row(nll: float) -> list[float]:
    """Logits of two tokens under which the first has this loss."""
    return [-nll, float(np.log(-np.expm1(-nll)))]


@pytest.mark.parametrize(
    ("nll", "exponent", "value", "weight"),
    [
        (0.1, 1, 10.0, 100.0),
        (0.5, 1, 2.0, 4.0),
        (2.0, 1, 0.5, 0.25),
        (0.1, 2, 100.0, 2000.0),
        (0.5, 2, 4.0, 16.0),
        (2.0, 2, 0.25, 0.25),
        (10.0, 2, 0.01, 0.002),
    ],
)
def test_value_and_pull_are_the_hand_computed_ones(nll: float, exponent: int, value: float, weight: float) -> None:
    out = token_logits([_row(nll)], [0])
    found = inverse_loss(out, exponent, 0.0)
    found.backward()
    assert found.item() == pytest.approx(value, rel=1e-4)
    ascent = np.asarray([1.0, 0.0]) - softmax(_row(nll))
    assert_allclose(gradient_of(out.logits)[0], weight * ascent, rtol=1e-3, atol=1e-5)


@given(ROWS, ROWS, st.integers(1, 2), st.floats(0, 1))
def test_the_loss_is_one_over_the_mean_over_answers(
    one: list[float], other: list[float], exponent: int, offset: float
) -> None:
    rows, targets = [one, other, other], [0, 1, 2]
    each = losses(rows, targets)
    mean = (each[:2].mean() + each[2]) / 2
    found = inverse_loss(token_logits(rows, targets, [0, 0, 1]), exponent, offset).item()
    assert found == pytest.approx((mean + offset) ** -exponent, rel=1e-3)


def test_an_answer_that_is_known_for_certain_gives_no_infinity_where_something_is_added() -> None:
    out = token_logits([[80.0, 0.0]], [0])
    value = inverse_loss(out, 2, 0.1)
    value.backward()
    assert value.item() == pytest.approx(100, rel=1e-5)
    assert bool(torch.isfinite(gradient_of(out.logits)).all())


def test_loss_of_a_model_is_the_formula(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        value = InverseLoss(exponent=1, offset=0.5, retain_weight=3.0).loss(tiny, batch).item()
    gone, kept = (
        np.mean([-float(one.mean()) for one in tiny.pair_logprobs(pairs)]) for pairs in (data.forget, data.retain)
    )
    assert value == pytest.approx(1 / (gone + 0.5) + 3 * kept, rel=1e-4)


def test_it_fades_where_ascent_runs_away(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=30, batch_size=4))
    fading = InverseLoss().unlearn(memorized.copy(), data, run)
    running = GradientAscent().unlearn(memorized.copy(), data, run)
    known = mean_logprob(memorized, data.forget)
    assert mean_logprob(running, data.forget) < mean_logprob(fading, data.forget) - 3 < known - 3.5
    before, after = (answer_probabilities(one, data.retain).mean() for one in (memorized, fading))
    assert after > before - 0.1
