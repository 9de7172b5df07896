from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from reference_impls.methods.representation.falcon import FALCON, contrastive_loss, resolved, unaligned_direction
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData

VECTORS = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=3, max_size=3)


def _vector(values: list[float]) -> Gradient:
    """A vector over a weight of two entries and one of a single entry."""
    parts = tuple(torch.tensor(values, dtype=torch.float64).split([2, 1]))
    return Gradient(parts, parts)


def test_the_contrastive_loss_is_the_hand_computed_one() -> None:
    state, before = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    value = contrastive_loss(state, before, torch.tensor([0.0, 1.0]), 0.7)
    assert value.item() == pytest.approx(1.643401, abs=1e-5)


@given(VECTORS.filter(any), VECTORS.filter(any), VECTORS.filter(any), st.floats(0.1, 10))
def test_it_is_the_formula_of_the_page_within_its_bounds(
    now: list[float], then: list[float], direction: list[float], size: float
) -> None:
    def cosine(one: list[float], other: list[float]) -> float:
        return float(np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))

    state, before, towards = torch.tensor([now]), torch.tensor([then]), torch.tensor(direction)
    value = contrastive_loss(size * state, before, towards, 0.7).item()
    positive, negative = (math.exp(cosine(now, one) / 0.7) for one in (direction, then))
    assert value == pytest.approx(-math.log(positive / (positive + negative)), abs=1e-4)
    assert math.log1p(math.exp(-2 / 0.7)) - 1e-5 <= value <= math.log1p(math.exp(2 / 0.7)) + 1e-5


def test_a_conflict_is_resolved_as_computed_by_hand_in_each_tensor() -> None:
    found = resolved(_vector([1, 1, 2]), _vector([-1, 0, 3]))
    assert_allclose(found.parts[0], [-1.2, 0.8])
    assert_allclose(found.parts[1], [0.1 * 2 + 1.9 * 3])


@given(VECTORS, VECTORS)
def test_no_tensors_step_goes_against_keeping(unlearning: list[float], retaining: list[float]) -> None:
    found = resolved(_vector(unlearning), _vector(retaining))
    for part, kept in zip(found.parts, _vector(retaining).parts, strict=True):
        assert float((part * kept).sum()) >= 1.2 * float((kept * kept).sum()) - 1e-6


def test_directions_have_one_length_and_come_of_the_states() -> None:
    torch.manual_seed(0)
    states = torch.randn(20, 8)
    one, other = unaligned_direction(states), unaligned_direction(torch.randn(20, 8))
    assert one.norm().item() == pytest.approx(1, abs=1e-5)
    assert torch.isfinite(one).all()
    assert not torch.allclose(one, other, atol=0.1)


def test_forget_states_leave_their_place_and_only_three_projections_learn(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=2e-3, steps=15, batch_size=3)
    unlearned = FALCON(depth=0.71, retain_weight=3.0).unlearn(memorized.copy(), data, Run(recipe))
    after = dict(unlearned.model.named_parameters())
    moved = {name for name, weight in memorized.model.named_parameters() if not torch.equal(weight, after[name])}
    assert moved == {f"model.layers.{layer}.mlp.down_proj.weight" for layer in (0, 1, 2)}
    cosines = []
    for pairs in (data.forget, data.retain):
        one, other = (which.activations(which.encode(pairs), 0.71).detach() for which in (unlearned, memorized))
        cosines.append(torch.cosine_similarity(one, other, dim=1).mean().item())
    assert cosines[0] < 0.9
    assert cosines[0] < cosines[1] - 0.1
