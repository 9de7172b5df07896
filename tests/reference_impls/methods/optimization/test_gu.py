from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.gu import GU, Metric, disentangled, orthonormal
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData, mean_nll

SEEDS = st.integers(0, 10**6)


def _vector(values: Sequence[float] | np.ndarray) -> Gradient:
    """A vector over a weight of two entries and one with the rest."""
    tensor = torch.tensor(np.asarray(values), dtype=torch.float64)
    parts = tensor[:2], tensor[2:]
    return Gradient(parts, parts)


def _flat(vector: Gradient) -> np.ndarray:
    return np.concatenate([part.numpy() for part in vector.parts])


def test_the_projection_is_the_hand_computed_one() -> None:
    basis = orthonormal([_vector([1, 0, 0]), _vector([1, 1, 0]), _vector([2, 1, 0])])
    assert len(basis) == 2
    assert_allclose(_flat(disentangled(_vector([1, 2, 3]), basis)), [0, 0, 3], atol=1e-12)


def test_in_the_optimizers_geometry_it_is_the_hand_computed_one() -> None:
    # P = diag(1, 4), so P^(1/2) = (1, 2): of (1, 0) and the retain gradient (1, 1) the coefficient is 1 / 5.
    roots = [torch.tensor([1.0, 0.5], dtype=torch.float64), torch.zeros(0, dtype=torch.float64)]
    inverse = [1 / root for root in roots]
    forget, retain = (_vector(one).scaled(inverse) for one in ([1, 0], [1, 1]))
    found = disentangled(forget, orthonormal([retain])).scaled(roots)
    assert_allclose(_flat(found), [0.8, -0.2], atol=1e-12)
    step = np.array([1, 4]) * _flat(found)
    assert step @ np.array([1, 1]) == pytest.approx(0, abs=1e-12)


@given(SEEDS, st.integers(1, 4))
def test_what_is_left_is_the_residual_of_least_squares(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    forget, retain = rng.normal(size=6), rng.normal(size=(count, 6))
    basis = orthonormal([_vector(one) for one in retain])
    found = _flat(disentangled(_vector(forget), basis))
    expected = forget - retain.T @ np.linalg.lstsq(retain.T, forget, rcond=None)[0]
    assert_allclose(found, expected, atol=1e-8)
    again = _flat(disentangled(_vector(found), basis))
    assert_allclose(again, found, atol=1e-8)
    assert_allclose(retain @ found, 0, atol=1e-8)


def test_the_metric_is_what_adam_divides_by() -> None:
    weight = torch.zeros(2, requires_grad=True)
    metric = Metric()
    optimizer = metric.make([weight], lr=0.1, weight_decay=0.0)
    assert_allclose(metric.roots([weight])[0], [1, 1])
    weight.grad = torch.tensor([3.0, -4.0])
    optimizer.step()
    (roots,) = metric.roots([weight])
    assert_allclose(roots.square(), [3, 4], rtol=1e-5)
    assert_allclose(weight.detach(), -0.1 * torch.tensor([3.0, -4.0]) / roots.square(), rtol=1e-5)


def test_a_small_step_forgets_and_leaves_the_retain_loss_as_it_is(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    model = memorized.copy()

    def losses() -> np.ndarray:
        with torch.no_grad():
            return np.array([mean_nll(one).item() for one in model.token_logits(*batches)])

    batches = model.encode(data.forget), model.encode(data.retain)
    forgetting, retaining = (Gradient.of(mean_nll(*model.token_logits(one)), model) for one in batches)
    before, changes = losses(), []
    for direction in (forgetting, disentangled(forgetting, orthonormal([retaining]))):
        with direction.unit().ahead(0.003):
            changes.append(losses() - before)
    (_, harmed_without), (forgotten, harmed) = changes
    assert forgotten > 0
    assert abs(harmed) < 0.1 * harmed_without


def test_answers_to_forget_become_unlikely_and_those_to_keep_stay(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=20, batch_size=3)
    unlearned = GU(rank=3).unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.3
