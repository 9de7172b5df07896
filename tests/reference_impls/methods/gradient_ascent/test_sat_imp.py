from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, softmax, token_logits

from reference_impls.methods.gradient_ascent.sat_imp import SatImp, satimp_loss, saturation_importance
from reference_impls.methods.gradient_ascent.wga import wga_loss
from reference_impls.toolkit import Batch, LanguageModel, UnlearningData


@pytest.mark.parametrize(
    ("saturation", "importance", "weights", "loss"),
    [
        (5.0, 1.0, (0.064305, 0.026903), -0.015120),
        (5.0, 0.1, (0.258628, 0.058248), -0.047037),
        (0.0, 1.0, (0.213014, 0.423883), -0.142387),
        (1.0, 0.0, (0.786986, 0.576117), -0.253107),
        (0.0, 0.0, (1.0, 1.0), -0.395495),
    ],
)
def test_weights_and_loss_on_the_toy_are_the_hand_computed_ones(
    saturation: float, importance: float, weights: tuple[float, ...], loss: float
) -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    with torch.no_grad():
        found = saturation_importance(out.token_logprobs(), saturation, importance)
    assert_allclose(found, weights, atol=1e-6)
    assert satimp_loss(out, saturation, importance).item() == pytest.approx(loss, abs=1e-6)


@given(st.floats(0.5, 6), st.floats(0, 3), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_the_gradient_is_the_weight_times_that_of_gradient_ascent(
    saturation: float, importance: float, row: list[float]
) -> None:
    out = token_logits([row], [0])
    satimp_loss(out, saturation, importance).backward()
    p = softmax(row)
    ascent = np.array([1.0, 0.0, 0.0]) - p
    assert_allclose(gradient_of(out.logits)[0], p[0] ** saturation * (1 - p[0]) ** importance * ascent, atol=1e-5)


def test_without_importance_it_is_wga() -> None:
    one, other = (token_logits(FORGET_LOGITS, FORGET_TARGETS) for _ in range(2))
    assert satimp_loss(one, 3.0, 0.0).item() == pytest.approx(wga_loss(other, 3.0).item())


@pytest.mark.parametrize(("saturation", "importance"), [(5.0, 1.0), (5.0, 0.1), (1.0, 1.0)])
def test_the_weight_peaks_where_it_should_and_vanishes_at_both_ends(saturation: float, importance: float) -> None:
    p = torch.linspace(0.0, 1.0, 100_001, dtype=torch.float64)
    weights = saturation_importance(p.log(), saturation, importance)
    assert float(p[weights.argmax()]) == pytest.approx(saturation / (saturation + importance), abs=1e-4)
    assert float(weights[0]) == float(weights[-1]) == 0.0
    assert bool(weights.isfinite().all())


def test_a_nearly_certain_token_keeps_its_small_weight_in_32_bits() -> None:
    """1 - p would be rounded to 0 or to a multiple of 6e-8."""
    weight = saturation_importance(torch.tensor([-1e-9]), 5.0, 1.0)
    assert float(weight) == pytest.approx(1e-9, rel=1e-3)


@pytest.mark.parametrize(("steps", "margin", "probability"), [(20, 3.9841, 0.9641), (200, 3.8176, 0.9579)])
def test_plain_descent_from_a_confident_start_is_as_slow_as_computed_by_hand(
    steps: int, margin: float, probability: float
) -> None:
    row = [4.0, 0.0, 0.0]
    for _ in range(steps):
        out = token_logits([row], [0])
        (gradient,) = torch.autograd.grad(satimp_loss(out, 5.0, 1.0), out.logits)
        row = [x - 0.5 * float(g) for x, g in zip(row, gradient[0], strict=True)]
    assert row[0] - row[1] == pytest.approx(margin, abs=1e-3)
    assert softmax(row)[0] == pytest.approx(probability, abs=1e-4)


def test_loss_of_a_model_is_the_formula_over_its_tokens_plus_the_retain_loss(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        value = SatImp(saturation=0.5, importance=2.0, retain_weight=3.0).loss(tiny, batch).item()
    forgotten = []
    for one in tiny.pair_logprobs(data.forget):
        logprobs = one.double().numpy()
        p = np.exp(logprobs)
        forgotten.append(float(np.mean(p**0.5 * (1 - p) ** 2 * logprobs)))
    kept = np.mean([float(-one.mean()) for one in tiny.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(np.mean(forgotten) + 3 * kept), rel=1e-4)
