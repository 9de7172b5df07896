from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.blur import BLUR, bilevel_direction
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData

VECTORS = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=3, max_size=3)


def _vector(values: list[float]) -> Gradient:
    """A vector over a weight of two entries and one of a single entry."""
    parts = tuple(torch.tensor(values, dtype=torch.float64).split([2, 1]))
    return Gradient(parts, parts)


def _direction(retaining: list[float], forgetting: list[float], rate: float) -> np.ndarray:
    found = bilevel_direction(_vector(retaining), _vector(forgetting), rate)
    return np.concatenate([part.numpy() for part in found.parts])


def test_the_direction_is_the_hand_computed_one() -> None:
    assert_allclose(_direction([1, -2, 0], [1, 1, 0], 1.0), [2.5, -0.5, 0])


@given(VECTORS, VECTORS, st.floats(0.01, 10))
def test_forgetting_proceeds_at_its_rate_and_the_retain_gradient_keeps_the_rest(
    retaining: list[float], forgetting: list[float], rate: float
) -> None:
    r, f = np.array(retaining), np.array(forgetting)
    found = _direction(retaining, forgetting, rate)
    assert found @ f == pytest.approx(rate * f @ f, abs=1e-6)
    if f.any():
        along = (r @ f) ** 2 / (f @ f)
        assert found @ r == pytest.approx(r @ r - along + rate * r @ f, abs=1e-6)


def test_where_all_is_forgotten_a_step_keeps() -> None:
    assert_allclose(_direction([1, 2, 3], [0, 0, 0], 5.0), [1, 2, 3])


def test_answers_to_forget_fall_and_those_to_keep_stay(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=9, batch_size=3)
    unlearned = BLUR().unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.5
