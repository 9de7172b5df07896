from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, gradient_of

from reference_impls.methods.gradient_ascent.lya import LYA, elastic_penalty
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_the_anchor_by_hand() -> None:
    weights = torch.tensor([1.1, -0.5], requires_grad=True)
    before, fisher = torch.tensor([1.0, -1.0]), torch.tensor([4.0, 0.1])
    value = 10 * elastic_penalty([weights], [before], [fisher])
    value.backward()
    assert value.item() == pytest.approx(0.325, abs=1e-6)
    assert_allclose(gradient_of(weights), [4.0, 0.5], atol=1e-5)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.floats(0, 5))
def test_the_anchor_is_0_where_nothing_moved_and_grows_with_the_square(moved: list[float], stiffness: float) -> None:
    before = torch.zeros(len(moved), dtype=torch.float64)
    step, fisher = torch.tensor(moved, dtype=torch.float64), torch.full_like(before, stiffness)
    assert elastic_penalty([before], [before], [fisher]).item() == 0
    one, two = (elastic_penalty([scale * step], [before], [fisher]).item() for scale in (1, 2))
    assert two == pytest.approx(4 * one)
    assert one == pytest.approx(stiffness / 2 * float(np.square(moved).sum()))


def test_without_anchor_it_is_ascent_and_with_one_it_spares_retain_answers(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=8, batch_size=3)

    def after(weight: float) -> LanguageModel:
        return LYA(anchor_weight=weight).unlearn(memorized.copy(), data, Run(recipe))

    free, held, stiff = after(0.0), after(100.0), after(1e6)
    forget, retain = (
        [float(answer_probabilities(model, pairs).mean()) for model in (memorized, stiff, held, free)]
        for pairs in (data.forget, data.retain)
    )
    assert forget == sorted(forget, reverse=True)
    assert retain == sorted(retain, reverse=True)
    assert forget[2] < forget[0] - 0.1
    assert forget[1] > forget[2] + 0.02
