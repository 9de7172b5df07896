from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.munba import MUNBa, bargained
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData

VECTORS = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=3, max_size=3).filter(any)


def _vector(values: list[float]) -> Gradient:
    """A vector over a weight of two entries and one of a single entry."""
    parts = tuple(torch.tensor(values, dtype=torch.float64).split([2, 1]))
    return Gradient(parts, parts)


def _agreed(retaining: list[float], forgetting: list[float]) -> np.ndarray:
    return np.concatenate([part.numpy() for part in bargained(_vector(retaining), _vector(forgetting)).parts])


def _cosine(one: list[float], other: list[float]) -> float:
    return float(np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


def test_the_step_is_the_hand_computed_one() -> None:
    # cos = -1 / sqrt 5, weights (1.344997, 0.601501)
    assert_allclose(_agreed([1, 0, 0], [-1, 2, 0]), [0.743496, 1.203002, 0], atol=1e-6)
    assert_allclose(_agreed([3, 0, 0], [7, 0, 0]), [np.sqrt(2), 0, 0])


@given(VECTORS, VECTORS, st.floats(0.001, 1000))
def test_the_weights_solve_the_equation_of_the_bargain(
    retaining: list[float], forgetting: list[float], size: float
) -> None:
    assume(abs(_cosine(retaining, forgetting)) < 0.999)
    step = _agreed(retaining, forgetting)
    both = np.array([retaining, forgetting]).T
    weights = np.linalg.lstsq(both, step, rcond=None)[0]
    assert_allclose(both @ weights, step, atol=1e-9)
    assert_allclose((both.T @ both @ weights) * weights, [1, 1], rtol=1e-6)
    assert np.linalg.norm(step) == pytest.approx(np.sqrt(2))
    assert_allclose(_agreed([size * one for one in retaining], forgetting), step, atol=1e-7)


@given(VECTORS, VECTORS, VECTORS)
def test_no_other_step_of_that_length_has_a_larger_product_of_gains(
    retaining: list[float], forgetting: list[float], other: list[float]
) -> None:
    assume(_cosine(retaining, forgetting) > -0.999)

    def gains(step: np.ndarray) -> np.ndarray:
        return np.array([np.dot(retaining, step), np.dot(forgetting, step)])

    agreed = gains(_agreed(retaining, forgetting))
    instead = gains(np.sqrt(2) * np.array(other) / np.linalg.norm(other))
    assert (agreed > 0).all()
    if (instead > 0).all():
        assert instead.prod() <= agreed.prod() * (1 + 1e-9)


def test_opposite_pulls_leave_nothing_and_who_does_not_pull_has_no_say() -> None:
    assert_allclose(_agreed([1, 2, 2], [-2, -4, -4]), [0, 0, 0], atol=1e-12)
    assert_allclose(_agreed([0, 0, 0], [0, 0, 4]), [0, 0, 1])


def test_answers_to_forget_become_unlikely_and_those_to_keep_stay(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=20, batch_size=3)
    unlearned, again = (MUNBa().unlearn(memorized.copy(), data, Run(recipe)) for _ in range(2))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.3
    assert mean_logprob(again, data.forget) == mean_logprob(unlearned, data.forget)
