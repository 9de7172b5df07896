from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob, token_logits

from reference_impls.methods.optimization.mollm import (
    MOLLM,
    common_descent,
    least_weights,
    unlearning_cross_entropy,
)
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData, mean_nll


def _gradient(values: list[float]) -> Gradient:
    part = torch.tensor(values, dtype=torch.float64)
    return Gradient((part,), (part,))


@pytest.mark.parametrize(("probability", "loss"), [(0.9, 0.597837), (0.5, 0.287682), (0.1, 0.051293)])
def test_the_forget_loss_is_the_hand_computed_one(probability: float, loss: float) -> None:
    out = token_logits([[float(np.log(probability / (1 - probability))), 0.0]], [0])
    assert float(unlearning_cross_entropy(out).detach()) == pytest.approx(loss, abs=1e-6)


def test_the_shortest_vector_between_two_is_the_hand_computed_one() -> None:
    vectors = np.array([[1.0, 0.0], [-0.5, 1.0]])
    weights = least_weights(vectors @ vectors.T)
    assert_allclose(weights, [0.538462, 0.461538], atol=1e-6)
    shortest = weights @ vectors
    assert_allclose(shortest, [0.3077, 0.4615], atol=1e-4)
    assert_allclose(vectors @ shortest, [0.3077, 0.3077], atol=1e-4)


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_no_mixture_is_shorter_and_every_loss_falls(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 3)) + rng.normal(size=3)
    weights = least_weights(vectors @ vectors.T)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    shortest = weights @ vectors
    assert (vectors @ shortest >= shortest @ shortest - 1e-9).all()
    mixed = rng.dirichlet(np.ones(count)) @ vectors
    assert mixed @ mixed >= shortest @ shortest - 1e-9


def test_a_gradient_of_nothing_has_no_say() -> None:
    assert_allclose(common_descent([_gradient([3.0, 0.0]), _gradient([0.0, 0.0])]).parts[0], [1.0, 0.0])
    assert_allclose(common_descent([_gradient([0.0, 0.0])]).parts[0], [0.0, 0.0])
    # (1, 0) and (-1, 0): nothing is good for both
    assert common_descent([_gradient([2.0, 0.0]), _gradient([-5.0, 0.0])]).norm() == pytest.approx(0.0, abs=1e-9)


def test_all_losses_fall_along_it(memorized: LanguageModel, data: UnlearningData) -> None:
    model = memorized.copy()
    unlearning = Gradient.of(unlearning_cross_entropy(*model.token_logits(model.encode(data.forget))), model)
    gradients = [unlearning, Gradient.of(mean_nll(*model.token_logits(model.encode(data.retain))), model)]
    step = common_descent(gradients)
    assert all(gradient.dot(step) > 0 for gradient in gradients)


def test_it_forgets_more_than_it_loses(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=10, batch_size=4)
    unlearned = MOLLM().unlearn(memorized.copy(), data, Run(recipe))
    forgotten, lost = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > 0.5
    assert forgotten > 3 * lost
