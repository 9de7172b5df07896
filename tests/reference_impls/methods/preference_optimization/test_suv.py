from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import SEASONS, gradient_of, mean_logprob

from reference_impls.methods.preference_optimization.suv import EPSILON, SUV, penalty, room, without
from reference_impls.toolkit import AdaptedLayer, Gradient, LanguageModel, Recipe, Run, UnlearningData

NUMBERS = st.lists(st.floats(-5, 5), min_size=4, max_size=4)


def _layer(down: list[list[float]], up: list[list[float]], scale: float = 1.0) -> AdaptedLayer:
    first, second = (torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in (down, up))
    return AdaptedLayer(torch.zeros(len(up), len(down[0])), False, first, second, scale)


def test_room_and_penalty_are_the_hand_computed_ones() -> None:
    forgotten, kept = (torch.tensor([one], dtype=torch.float64) * 1e-4 for one in ([3.0, 1.0], [1.0, 2.0]))
    free = room(forgotten, kept)
    assert_allclose(free - EPSILON, [[2.01e-4, 0.01e-4]], rtol=1e-6)
    layer = _layer([[0.02, -0.01]], [[1.0]])
    # By the formula in numbers, with D + 1e-6 below.
    expected = [np.log1p(4e-4 / 2.02e-4), np.log1p(1e-4 / 2e-6)]
    assert_allclose(expected, [1.091990, 3.931826], atol=1e-5)
    assert penalty([layer], [free]).item() == pytest.approx(np.mean(expected), rel=1e-6)
    assert penalty([_layer([[0.02, -0.01]], [[0.0]])], [free]).item() == 0


@given(NUMBERS, st.floats(0.1, 4))
def test_the_penaltys_gradient_reaches_both_factors(numbers: list[float], scale: float) -> None:
    down, up = [numbers[:2]], [[numbers[2]], [numbers[3]]]
    layer = _layer(down, up, scale)
    free = torch.tensor([[0.5, 1.0], [2.0, 0.1]], dtype=torch.float64)
    penalty([layer], [free]).backward()
    delta = scale * np.array(up) @ np.array(down)
    slope = 2 * delta / (np.asarray(free) + delta**2) / 4 * scale
    assert_allclose(gradient_of(layer.down), np.array(up).T @ slope, atol=1e-9)
    assert_allclose(gradient_of(layer.up), slope @ np.array(down).T, atol=1e-9)


@given(NUMBERS, NUMBERS)
@example([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 4e-41])  # too short for 32 bits to hold the quotient
def test_nothing_is_left_along_the_retain_gradient_of_any_tensor(one: list[float], other: list[float]) -> None:
    weights = (torch.zeros(2), torch.zeros(1, 2))

    def gradient(numbers: list[float]) -> Gradient:
        return Gradient(weights, (torch.tensor(numbers[:2]), torch.tensor([numbers[2:]])))

    g, kept = gradient(one), gradient(other)
    found = without(g, kept)
    for before, part, along in zip(g.parts, found.parts, kept.parts, strict=True):
        assert float((part * along).sum()) == pytest.approx(0, abs=1e-3)
        if not bool(along.any()):
            assert torch.equal(part, before)


def test_the_projection_is_the_hand_computed_one() -> None:
    weight = (torch.zeros(2),)
    g, kept = (Gradient(weight, (torch.tensor(one),)) for one in ([1.0, 2.0], [1.0, 0.0]))
    assert_allclose(without(g, kept).parts[0], [0, 2], atol=1e-7)
    assert_allclose(without(-1.0 * g, kept).parts[0], [0, -2], atol=1e-7)  # whether or not the two are at odds


def test_another_answer_wins_and_a_price_on_weights_holds_the_rest(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    told = replace(
        data,
        forget=tuple(
            replace(
                pair, alternates=tuple(pair.answer.replace(SEASONS[row], one) for one in SEASONS if one != SEASONS[row])
            )
            for row, pair in enumerate(data.forget)
        ),
    )
    recipe = Recipe(learning_rate=2e-3, steps=12, batch_size=3)
    free, held = (SUV(fisher_weight=one).unlearn(memorized.copy(), told, Run(recipe)) for one in (0.0, 30.0))
    assert mean_logprob(free, data.forget) < mean_logprob(memorized, data.forget) - 0.1
    assert mean_logprob(free, data.retain) > mean_logprob(free, data.forget)
    moved = [
        sum(
            float((one - other).detach().square().sum())
            for one, other in zip(model.model.parameters(), memorized.model.parameters(), strict=True)
        )
        for model in (free, held)
    ]
    assert moved[1] < moved[0]
