from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, softmax, token_logits

from reference_impls.methods.gradient_ascent.wga import WGA, wga_loss
from reference_impls.toolkit import Batch, LanguageModel, UnlearningData, mean_nll


@pytest.mark.parametrize(
    ("power", "loss", "first", "second"),
    [
        (1.0, -0.253107, (0.083820, -0.041910, -0.041910), (-0.061052, 0.122103, -0.061052)),
        (5.0, -0.053656, (0.032152, -0.016076, -0.016076), None),
        (0.0, -0.395495, None, None),
    ],
)
def test_loss_and_gradient_on_the_toy_are_the_hand_computed_ones(
    power: float, loss: float, first: tuple[float, ...] | None, second: tuple[float, ...] | None
) -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    value = wga_loss(out, power)
    value.backward()
    assert value.item() == pytest.approx(loss, abs=1e-6)
    for row, expected in zip(gradient_of(out.logits), (first, second), strict=True):
        if expected:
            assert_allclose(row, expected, atol=1e-6)


@given(st.floats(0.3, 4.0), st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.integers(0, 2))
def test_it_descends_on_the_power_of_the_probability(power: float, row: list[float], target: int) -> None:
    out = token_logits([row], [target])
    wga_loss(out, power).backward()
    step = 1e-5
    for place in range(3):
        ends = []
        for sign in (1, -1):
            moved = np.array(row, dtype=np.float64)
            moved[place] += sign * step
            ends.append(softmax(moved)[target] ** power / power)
        assert float(gradient_of(out.logits)[0, place]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-5)


def test_power_0_is_gradient_ascent() -> None:
    out, plain = (token_logits(FORGET_LOGITS, FORGET_TARGETS) for _ in range(2))
    wga_loss(out, 0.0).backward()
    (-mean_nll(plain)).backward()
    assert_allclose(gradient_of(out.logits), gradient_of(plain.logits), atol=1e-7)


@pytest.mark.parametrize(("steps", "margin", "probability"), [(20, 3.3257, 0.9329), (200, -3.9824, 0.009235)])
def test_plain_descent_forgets_as_slowly_as_computed_by_hand(steps: int, margin: float, probability: float) -> None:
    row = [4.0, 0.0, 0.0]
    for _ in range(steps):
        out = token_logits([row], [0])
        (gradient,) = torch.autograd.grad(wga_loss(out, 1.0), out.logits)
        row = [x - 0.5 * float(g) for x, g in zip(row, gradient[0], strict=True)]
    assert row[0] - row[1] == pytest.approx(margin, abs=2e-3)
    assert softmax(row)[0] == pytest.approx(probability, rel=2e-3)


def test_a_forgotten_token_stops_pulling_while_its_neighbour_goes_on() -> None:
    """One answer, one token forgotten, one known: under ascent the forgotten one gets most of the push."""
    rows = [[-12.0, 0.0, 0.0], [2.0, 0.0, 0.0]]
    pushes = {}
    for power in (0.0, 1.0):
        out = token_logits(rows, [0, 0])
        wga_loss(out, power).backward()
        pushes[power] = gradient_of(out.logits)[:, 0].tolist()
    assert pushes[0.0][0] > 4 * pushes[0.0][1]
    assert pushes[1.0][0] < 1e-4 * pushes[1.0][1]


def test_loss_of_a_model_is_the_formula_and_the_kl_term_starts_at_zero(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), tiny)
    with torch.no_grad():
        same = WGA(power=0.5, retain_weight=1e3).loss(fresh, batch).item()
        for weight in fresh.model.parameters():
            weight.mul_(1.1)
        moved = WGA(power=0.5, retain_weight=1e3).loss(fresh, batch).item()
    tokens = tiny.pair_logprobs(data.forget)
    expected = np.mean([np.mean([math.exp(0.5 * float(x)) * float(x) for x in one]) for one in tokens])
    assert same == pytest.approx(float(expected), rel=1e-4)
    assert moved > same + 1
