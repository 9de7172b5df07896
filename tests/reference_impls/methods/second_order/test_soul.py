from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.second_order.soul import SOUL, Sophia
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

GRADIENTS = st.lists(st.lists(st.floats(-5, 5), min_size=2, max_size=2), min_size=1, max_size=5)


def _steps(gradients: list[list[float]], curvature_weight: float, lr: float = 0.1, decay: float = 0.0) -> np.ndarray:
    """Where two weights, at first (1, 1), are after each step."""
    weight = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = Sophia([weight], lr=lr, weight_decay=decay, curvature_weight=curvature_weight)
    places = []
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        places.append(weight.detach().numpy().copy())
    return np.array(places)


def test_a_step_is_momentum_over_curvature_cut_off_at_the_rate_by_hand() -> None:
    # m = (0.2, -0.05) / 10, h = (0.04, 0.0025) / 20 → m / (20 h) = (0.5, -2), of which the second is cut off
    weight = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = Sophia([weight], lr=0.1, weight_decay=0.0, curvature_weight=20.0)
    weight.grad = torch.tensor([0.2, -0.05], dtype=torch.float64)
    optimizer.step()
    assert_allclose(weight.detach(), [1 - 0.1 * 0.5, 1 + 0.1], atol=1e-12)


def test_the_ratios_of_the_notes() -> None:
    weight = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = Sophia([weight], lr=1.0, weight_decay=0.0, curvature_weight=0.04 * 5120)
    optimizer.state[weight].update(
        m=torch.tensor([0.02, -0.5], dtype=torch.float64) / 0.9, h=torch.full((2,), 0.1 / 0.95, dtype=torch.float64)
    )
    weight.grad = torch.zeros(2, dtype=torch.float64)
    optimizer.step()
    assert_allclose(weight.detach(), [-0.000977, 0.024414], atol=1e-6)


@given(GRADIENTS, st.floats(0, 300))
def test_no_weight_moves_further_than_the_rate_and_the_recursion_holds(
    gradients: list[list[float]], curvature_weight: float
) -> None:
    places = _steps(gradients, curvature_weight)
    m, h, place = np.zeros(2), np.zeros(2), np.ones(2)
    for gradient, found in zip(gradients, places, strict=True):
        m, h = 0.9 * m + 0.1 * np.array(gradient), 0.95 * h + 0.05 * np.square(gradient)
        assert np.all(np.abs(found - place) <= 0.1 + 1e-12)
        expected = place - 0.1 * np.clip(m / np.maximum(curvature_weight * h, 1e-15), -1, 1)
        assert_allclose(found, expected, atol=1e-6)
        place = found


def test_without_curvature_it_descends_by_signs_and_weight_decay_shrinks() -> None:
    assert_allclose(_steps([[0.3, -2.0]], 0.0), [[0.9, 1.1]])
    assert_allclose(_steps([[0.0, 0.0]], 0.0, decay=0.5), [[0.95, 0.95]])


@pytest.mark.parametrize("curvature_weight", [0.0, 204.8])
def test_it_forgets_and_keeps(curvature_weight: float, memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=15, batch_size=3)
    unlearned = SOUL(curvature_weight=curvature_weight).unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.5
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.5
    assert math.isfinite(mean_logprob(unlearned, data.forget))
