from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob, softmax, token_logits

from reference_impls.methods.optimization.mudman import MUDMAN, undisruptive, unlearning_loss
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData

VECTORS = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=3, max_size=3)


def _vector(values: list[float]) -> Gradient:
    """A vector over a weight of two entries and one of a single entry."""
    parts = tuple(torch.tensor(values, dtype=torch.float64).split([2, 1]))
    return Gradient(parts, parts)


def _masked(unlearning: list[float], retaining: list[float]) -> np.ndarray:
    return np.concatenate([part.numpy() for part in undisruptive(_vector(unlearning), _vector(retaining)).parts])


def test_the_step_is_the_hand_computed_one() -> None:
    assert_allclose(_masked([1, -2, 0.5], [0.3, 0.1, -0.1]), [1 / 2.2913, 0, 0], atol=1e-5)


@given(VECTORS, VECTORS)
def test_no_entry_goes_against_the_retain_gradient_and_no_step_is_longer_than_1(
    unlearning: list[float], retaining: list[float]
) -> None:
    found = _masked(unlearning, retaining)
    assert (found * retaining >= 0).all()
    assert np.linalg.norm(found) <= 1 + 1e-9
    kept = np.sign(unlearning) == np.sign(retaining)
    if any(unlearning):
        assert_allclose(found, np.where(kept, unlearning, 0) / np.linalg.norm(unlearning), atol=1e-9)


@pytest.mark.parametrize("objective", ["entropy", "likelihood", "logit"])
def test_losses_are_those_of_the_page(objective: str) -> None:
    logits, targets = [[2.0, 0.0, 0.0], [0.0, 1.0, -1.0]], [0, 2]
    p = softmax(logits)
    wanted = {
        "entropy": (p * np.log(p)).sum(axis=1).mean(),
        "likelihood": (math.log(p[0, 0]) + math.log(p[1, 2])) / 2,
        "logit": ((2 - 2 / 3) + (-1 - 0)) / 2,
    }
    assert unlearning_loss(objective, token_logits(logits, targets)).item() == pytest.approx(
        wanted[objective], abs=1e-6
    )


def test_a_step_is_as_long_as_the_rate_allows(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=0.05, steps=1, batch_size=3, warmup=0.0)
    unlearned = MUDMAN(retain_weight=0.0).unlearn(memorized.copy(), data, Run(recipe))
    pairs = zip(memorized.model.parameters(), unlearned.model.parameters(), strict=True)
    length = math.sqrt(sum(float((one - other).detach().square().sum()) for one, other in pairs))
    assert 0 < length <= 0.05 * (1 + 1e-5)


def test_it_forgets_at_little_cost(memorized: LanguageModel, data: UnlearningData) -> None:
    method = MUDMAN(adversary_rate=0.05, fork_every=8)
    unlearned = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=0.45, steps=10, batch_size=3)))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.5
