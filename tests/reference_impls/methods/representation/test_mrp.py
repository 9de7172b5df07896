from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.representation.mrp import MRP, Projected, Projection
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1.0, steps=20, batch_size=3)
METHOD = MRP(dimension=4, retain_weight=2.0)


def test_states_are_the_hand_computed_ones() -> None:
    # Rows (1, 1, 0) and (0, 0, 2): what is left lies along (1, -1, 0).
    one = Projection(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[0.0, 0.0, 2.0]]))
    assert_allclose(one(torch.tensor([[3.0, 1.0, 7.0]])), [[1, -1, 0]], atol=1e-6)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(1, 3))
def test_it_is_the_projection_on_what_is_orthogonal_to_all_rows(seed: int, earlier: int, learning: int) -> None:
    rng = np.random.default_rng(seed)
    rows, states = rng.normal(size=(earlier + learning, 8)), torch.from_numpy(rng.normal(size=(2, 5, 8))).float()
    first, second = torch.from_numpy(rows).float().split([earlier, learning])
    left = Projection(first, second)(states)
    expected = states.numpy() @ (np.eye(8) - np.linalg.pinv(rows) @ rows)
    assert_allclose(left, expected, atol=1e-4)
    assert_allclose(Projection(first, second)(left), left, atol=1e-4)


def test_the_gradient_is_orthogonal_to_all_rows() -> None:
    torch.manual_seed(0)
    earlier, learning = torch.randn(2, 7), torch.randn(2, 7, requires_grad=True)
    Projection(earlier, learning)(torch.randn(9, 7)).square().sum().backward()
    assert learning.grad is not None
    assert learning.grad.norm() > 0.1
    assert_allclose(learning.grad @ torch.cat([earlier, learning]).detach().T, 0, atol=1e-4)


@pytest.fixture(scope="module")
def served(memorized: LanguageModel, data: UnlearningData) -> Projected:
    """After the first half of the requests."""
    first = replace(data, forget=data.forget[: len(data.forget) // 2])
    return METHOD.unlearn(memorized.copy(), first, Run(RECIPE))


def test_it_forgets_more_than_it_harms_and_leaves_the_weights(
    memorized: LanguageModel, data: UnlearningData, served: Projected
) -> None:
    lost, harmed = (
        mean_logprob(memorized, pairs) - mean_logprob(served.projecting, pairs)
        for pairs in (data.forget[: len(data.forget) // 2], data.retain)
    )
    assert lost > 0.5
    assert harmed < lost / 2
    assert fingerprint(served.bare().model) == fingerprint(memorized.model)


def test_requests_add_up(data: UnlearningData, served: Projected) -> None:
    second = replace(data, forget=data.forget[len(data.forget) // 2 :])
    further = METHOD.unlearn(served, second, Run(replace(RECIPE, steps=3), seed=1))
    assert list(further.rows) == list(served.rows)
    for layer, rows in further.rows.items():
        assert len(rows) == 8
        assert_allclose(rows @ rows.T, np.eye(8), atol=1e-5)
        assert_allclose(served.rows[layer] @ rows.T @ rows, served.rows[layer], atol=1e-5)


def test_what_is_kept_makes_the_same_model(data: UnlearningData, served: Projected) -> None:
    again = MRP.restore(served.model, Kept(served.to_json(), served.tensors()))
    assert mean_logprob(again.projecting, data.forget) == pytest.approx(mean_logprob(served.projecting, data.forget))
