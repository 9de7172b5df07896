from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.fo_zo import FOZO, TwoOrders, estimated, is_zeroth
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

NUMBERS = st.lists(st.floats(-3, 3), min_size=4, max_size=4)


def test_the_last_turn_is_without_gradients_and_the_first_has_them_where_the_steps_are_enough() -> None:
    assert [is_zeroth(turn, 8, 2) for turn in range(8)] == [False, False, True, True] * 2
    assert [is_zeroth(turn, 5, 2) for turn in range(5)] == [True, False, False, True, True]


@settings(max_examples=30)
@given(NUMBERS, NUMBERS, st.floats(0.01, 1))
def test_along_its_direction_the_estimate_of_a_quadratic_is_exact(
    place: list[float], curvature: list[float], smoothing: float
) -> None:
    weights = [torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in (place[:3], place[3:])]
    before = [weight.detach().clone() for weight in weights]
    curved = torch.tensor(curvature, dtype=torch.float64)

    def value() -> torch.Tensor:
        x = torch.cat(weights)
        return (curved * x.square()).sum() / 2 + x.sum()

    found = torch.cat(estimated(value, weights, smoothing, 1).parts).numpy()
    gradient = np.array(curvature) * np.array(place) + 1
    length = np.linalg.norm(found)
    if length > 1e-6:
        direction = found / length
        assert abs(gradient @ direction) * 4 == pytest.approx(length, rel=1e-6)  # u has the length 2: u (u'g)
        assert gradient @ found >= 0
    for weight, kept in zip(weights, before, strict=True):
        assert torch.equal(weight, kept)


def test_the_mean_of_many_estimates_is_the_gradient() -> None:
    torch.manual_seed(0)
    weights = [torch.zeros(3, requires_grad=True)]
    slope = torch.tensor([1.0, -2.0, 0.5])
    found = estimated(lambda: (slope * weights[0]).sum(), weights, 0.1, 4000).parts[0]
    assert_allclose(found, slope, atol=0.15)


def test_the_angle_to_the_gradient_goes_with_the_number_of_weights() -> None:
    torch.manual_seed(0)
    weights = [torch.zeros(10_000, requires_grad=True)]
    slope = torch.randn(10_000)
    for directions in (1, 100):
        cosines = []
        for _ in range(10):
            found = estimated(lambda: (slope * weights[0]).sum(), weights, 0.01, directions).parts[0]
            cosines.append(float(found @ slope / found.norm() / slope.norm()))
        assert np.sqrt(np.mean(np.square(cosines))) == pytest.approx(math.sqrt(directions / 10_000), rel=0.6)


def _moves(gradients: list[float], steps: int, period: int, zeroth_rate: float = 1.0) -> np.ndarray:
    """How far the only weight is moved by each gradient, at the rate 1."""
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = TwoOrders([weight], 1.0, 0.0, steps=steps, period=period, zeroth_rate=zeroth_rate)
    moved = [0.0]
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        moved.append(-weight.item())
    return np.diff(moved)


def test_each_turn_moves_by_moments_of_its_own() -> None:
    """Adam: 1, then (0.19 g) / 0.19 / g = 1. R-AdaZO: m = 0.1, v = 0.01 m^2 / 0.01; then m = 0.19."""
    second = 0.19 / math.sqrt((0.99 * 0.01 * 0.1**2 + 0.01 * 0.19**2) / (1 - 0.99**2))
    assert_allclose(_moves([2.0, 2.0, 5.0, 5.0], 4, 2), [1, 1, 1, second], rtol=1e-6)
    assert_allclose(_moves([2.0, 2.0, 5.0, 5.0], 4, 2, 3.0), [1, 1, 3, 3 * second], rtol=1e-6)


@given(st.lists(st.floats(-5, 5).filter(lambda one: abs(one) > 0.1), min_size=1, max_size=12))
def test_the_second_moment_is_of_what_is_averaged(gradients: list[float]) -> None:
    mean, square, expected = 0.0, 0.0, []
    for count, gradient in enumerate(gradients, 1):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * mean**2
        expected.append(mean / (math.sqrt(square / (1 - 0.99**count)) + 1e-8))
    assert_allclose(_moves(gradients, len(gradients), len(gradients)), expected, atol=1e-6)


def test_weights_decay_by_the_rate_of_the_turn() -> None:
    weight = torch.ones(1, requires_grad=True)
    optimizer = TwoOrders([weight], 0.1, 0.5, steps=2, period=1, zeroth_rate=2.0)
    for expected in (0.95, 0.95 * 0.9):
        weight.grad = torch.zeros(1)
        optimizer.step()
        assert weight.item() == pytest.approx(expected)


def test_it_forgets_though_half_of_its_steps_see_no_gradient(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=16, batch_size=3)
    unlearned = FOZO(period=4).unlearn(memorized.copy(), data, Run(recipe))
    blind = FOZO(period=16).unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(blind, data.forget) > mean_logprob(unlearned, data.forget) + 1
    assert not any(weight.grad is not None for weight in blind.model.parameters())
