from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from reference_impls.toolkit import DualAdamW, forgets

GRADIENTS = st.lists(st.floats(-5, 5), min_size=1, max_size=12)


def _steps(gradients: list[float], retain_steps: int = 1, forget_rate: float = 1.0, shared: bool = False) -> np.ndarray:
    """How far the only weight is moved by each gradient, at the rate 1."""
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = DualAdamW([weight], 1.0, 0.0, forget_rate=forget_rate, retain_steps=retain_steps, shared=shared)
    moved = [0.0]
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        moved.append(-weight.item())
    return np.diff(moved)


def _adam(gradients: list[float], beta1: float = 0.9, beta2: float = 0.999) -> list[float]:
    """The steps of Adam at the rate 1, in numpy."""
    count = len(gradients)
    weights = [np.array([(1 - beta) * beta**age for age in range(count)]) for beta in (beta1, beta2)]
    steps = []
    for now in range(1, count + 1):
        seen = np.array(gradients[:now][::-1])
        mean, square = (
            (weight[:now] * values).sum() / weight[:now].sum()
            for weight, values in zip(weights, (seen, seen**2), strict=True)
        )
        steps.append(mean / (np.sqrt(square) + 1e-8))
    return steps


def test_the_turns_are_one_of_forgetting_and_then_those_of_keeping() -> None:
    assert [forgets(turn, 2) for turn in range(7)] == [True, False, False, True, False, False, True]


@settings(max_examples=40)
@given(GRADIENTS, st.integers(1, 3), st.floats(0.1, 10))
def test_each_objective_moves_as_by_an_adam_of_its_own(gradients: list[float], retain_steps: int, rate: float) -> None:
    due = np.array([forgets(turn, retain_steps) for turn in range(len(gradients))])
    seen = np.array(gradients)
    expected = np.zeros(len(gradients))
    expected[due] = rate * np.array(_adam(list(seen[due])))
    expected[~due] = _adam(list(seen[~due]))
    assert_allclose(_steps(gradients, retain_steps, rate), expected, atol=1e-7)


@settings(max_examples=40)
@given(GRADIENTS.filter(lambda values: min(map(abs, values)) > 0.1), st.floats(0.1, 10))
def test_the_weight_of_a_loss_has_no_effect(gradients: list[float], weight: float) -> None:
    scaled = [weight * one if forgets(turn, 1) else one for turn, one in enumerate(gradients)]
    assert_allclose(_steps(scaled), _steps(gradients), atol=1e-5)


def test_steps_with_a_shared_state_are_the_hand_computed_ones() -> None:
    assert_allclose(_steps([1.0, -0.5, 0.8], shared=True), [1, -1, 0.941702], atol=1e-6)
    same = _steps([1.0] * 200, shared=True)
    assert_allclose(same[:3], [1, 1, 1.208433], atol=1e-6)
    assert_allclose(same[-2:], 1, atol=1e-3)


def test_one_state_for_both_goes_on_forgetting_where_it_should_keep() -> None:
    assert_allclose(_adam([1.0, -0.5, 0.8], beta2=0.95), [1, 0.268369, 0.541866], atol=1e-6)
    assert _steps([1.0, -0.5, 0.8])[1] == pytest.approx(-1)


def test_weights_decay_by_the_rate_of_the_turn() -> None:
    weight = torch.ones(1, requires_grad=True)
    optimizer = DualAdamW([weight], 0.1, 0.5, forget_rate=2.0, retain_steps=1, shared=False)
    for expected in (0.9, 0.9 * 0.95):
        weight.grad = torch.zeros(1)
        optimizer.step()
        assert weight.item() == pytest.approx(expected)


@settings(max_examples=40)
@given(GRADIENTS, st.integers(1, 3))
def test_with_a_shared_state_each_has_the_offsets_from_what_all_turns_had(
    gradients: list[float], retain_steps: int
) -> None:
    """The averages as sums over everything seen, in numpy."""

    def averaged(values: list[float], beta: float) -> float:
        weights = np.array([beta**age for age in range(len(values))][::-1])
        return float(weights @ np.array(values) / weights.sum()) if values else 0.0

    sides: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    expected = []
    for turn, gradient in enumerate(gradients):
        base = averaged(gradients[:turn], 0.9), averaged([one**2 for one in gradients[:turn]], 0.95)
        own = sides[forgets(turn, retain_steps)]
        own.append((gradient - base[0], gradient**2 - base[1]))
        mean = averaged([first for first, _ in own], 0.9) + base[0]
        square = averaged([second for _, second in own], 0.95) + base[1]
        # Offset and base that cancel each other leave their rounding, by which the step would be divided.
        assume(abs(square) > 1e-6)
        expected.append(mean / (np.sqrt(abs(square)) + 1e-8))
    assert_allclose(_steps(gradients, retain_steps, shared=True), expected, rtol=1e-4, atol=1e-4)


def test_where_gradients_are_opposite_the_base_holds_little_and_the_offsets_all() -> None:
    assert_allclose(_steps([1.0, -1.0] * 100, shared=True)[-2:], [1, -1], atol=0.05)
