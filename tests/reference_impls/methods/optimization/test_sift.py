from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.sift import SIFT, Spectral, direction, matrix_sign, merged
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData


def _matrix(rng: np.random.Generator, rank: int, rows: int = 6, columns: int = 8) -> torch.Tensor:
    return torch.tensor(rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns)))


@given(st.integers(0, 10**6))
def test_the_sign_of_a_matrix_is_it_times_the_root_of_its_inverse_square(seed: int) -> None:
    matrix = _matrix(np.random.default_rng(seed), 5, 5, 8).numpy()
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    expected = vectors @ np.diag(values**-0.5) @ vectors.T @ matrix
    assert_allclose(matrix_sign(torch.tensor(matrix)), expected, atol=1e-5)


def test_sides_that_share_a_row_have_each_a_part_of_their_step() -> None:
    retaining, forgetting = torch.zeros(2, 4, 4, dtype=torch.float64)
    retaining[0, 0] = forgetting[0, 1] = 3.0
    expected = np.zeros((4, 4))
    expected[0, :2] = 0.707107
    assert_allclose(merged(forgetting, retaining, 4), expected, atol=1e-6)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_agreeing_sides_are_one_opposite_ones_none_and_lengths_have_no_effect(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = _matrix(rng, rank), _matrix(rng, rank)
    assert_allclose(merged(one, one, rank), matrix_sign(one), atol=1e-5)
    assert_allclose(merged(one, -one, rank), np.zeros((6, 8)), atol=1e-5)
    assert_allclose(merged(7 * one, 0.1 * other, rank), merged(one, other, rank), atol=1e-5)
    assert np.linalg.norm(merged(one, other, rank), 2) <= 1 + 1e-6


def test_sides_without_a_direction_in_common_add_up() -> None:
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    one = torch.tensor(2 * np.outer(basis[0], basis[1]) + np.outer(basis[1], basis[0]))
    other = torch.tensor(5 * np.outer(basis[2], basis[3]))
    assert_allclose(merged(one, other, 3), matrix_sign(one) + matrix_sign(other), atol=1e-5)


@pytest.mark.parametrize(
    ("retain", "moved"),
    [
        ([[-3.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]),  # a conflict, and opposite
        ([[3.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]),
        ([[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]),
        ([[0.0, 0.0], [0.0, 0.5]], [[1.0, 0.0], [0.0, 1.0]]),
    ],
)
def test_a_step_is_the_hand_computed_one(retain: list[list[float]], moved: list[list[float]]) -> None:
    weight = torch.zeros(2, 2, requires_grad=True)
    apart = [Gradient((weight,), (torch.tensor(one),)) for one in ([[1.0, 0.0], [0.0, 0.0]], retain)]
    optimizer = Spectral([weight], 0.1, 0.0, apart, momentum=0.5, rank=4, threshold=0.0)
    optimizer.step()
    assert_allclose(-10 * weight.detach(), moved, atol=1e-6)


def test_of_a_stack_each_matrix_is_for_itself() -> None:
    rng = np.random.default_rng(1)
    pairs = [(_matrix(rng, 3), _matrix(rng, 3)) for _ in range(3)]
    one, other = (torch.stack(side) for side in zip(*pairs, strict=True))
    stacked = direction(one, other, 2, 0.0)
    assert_allclose(stacked, torch.stack([direction(*pair, 2, 0.0) for pair in pairs]), atol=1e-9)


def test_it_forgets_and_moves_what_rmu_moves(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=0.15, steps=12, batch_size=3)
    unlearned = SIFT(steering=50.0, retain_weight=10.0).unlearn(memorized.copy(), data, Run(recipe))
    forgotten, lost = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > 0.3
    assert forgotten > lost
    pairs = zip(unlearned.model.named_parameters(), memorized.model.parameters(), strict=True)
    changed = {name for (name, new), old in pairs if not torch.equal(new, old)}
    assert changed
    assert all("down_proj" in name for name in changed)
