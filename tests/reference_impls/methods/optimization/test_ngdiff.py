from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.ngdiff import NGDiff, normalized_difference
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData

VECTORS = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=3, max_size=3).filter(any)


def _vector(values: list[float]) -> Gradient:
    """A vector over a weight of two entries and one of a single entry."""
    parts = tuple(torch.tensor(values, dtype=torch.float64).split([2, 1]))
    return Gradient(parts, parts)


def _flat(vector: Gradient) -> np.ndarray:
    return np.concatenate([part.numpy() for part in vector.parts])


def test_the_difference_is_the_hand_computed_one() -> None:
    assert_allclose(_flat(normalized_difference(_vector([3, 4, 0]), _vector([0, 2, 0]))), [0.6, -0.2, 0])


@given(VECTORS, VECTORS, st.floats(0.001, 1000))
def test_both_tasks_gain_or_stand_still_and_the_size_of_a_loss_does_not_matter(
    retaining: list[float], forgetting: list[float], size: float
) -> None:
    found = _flat(normalized_difference(_vector(retaining), _vector(forgetting)))
    cosine = np.dot(retaining, forgetting) / np.linalg.norm(retaining) / np.linalg.norm(forgetting)
    assert found @ retaining == pytest.approx(np.linalg.norm(retaining) * (1 - cosine), abs=1e-6)
    assert found @ forgetting == pytest.approx(np.linalg.norm(forgetting) * (cosine - 1), abs=1e-6)
    assert_allclose(_flat(normalized_difference(size * _vector(retaining), _vector(forgetting))), found, atol=1e-9)


def test_where_both_pull_the_same_way_or_one_does_not_pull() -> None:
    assert_allclose(_flat(normalized_difference(_vector([1, 2, 2]), _vector([2, 4, 4]))), [0, 0, 0], atol=1e-12)
    assert_allclose(_flat(normalized_difference(_vector([0, 0, 0]), _vector([0, 0, 4]))), [0, 0, -1])


def test_answers_to_forget_fall_and_those_to_keep_stay(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=15, batch_size=3)
    unlearned = NGDiff().unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.1
