from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import gradient_of, mean_logprob

from reference_impls.methods.preference_optimization.opt_out import OptOut, random_directions, sliced_wasserstein
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData

SEEDS = st.integers(0, 10_000)


def _clouds(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two clouds of five points in three dimensions, and eight directions."""
    generator = torch.Generator().manual_seed(seed)
    one, other = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    directions = torch.randn(3, 8, generator=generator, dtype=torch.float64)
    return one, other, torch.nn.functional.normalize(directions, dim=0)


def test_the_distance_is_the_hand_computed_one() -> None:
    before, now = torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [1.0]])
    assert sliced_wasserstein(now, before, torch.ones(1, 1)).item() == 2.0


@given(SEEDS)
def test_the_order_of_rows_does_not_count_and_row_by_row_is_never_less(seed: int) -> None:
    one, other, directions = _clouds(seed)
    value = sliced_wasserstein(one, other, directions).item()
    turned = one[torch.randperm(5, generator=torch.Generator().manual_seed(seed))]
    assert sliced_wasserstein(turned, other, directions).item() == pytest.approx(value)
    assert sliced_wasserstein(turned, one, directions).item() == pytest.approx(0.0, abs=1e-12)
    row_by_row = ((one - other) @ directions).square().sum(dim=0).mean().item()
    assert 0 <= value <= row_by_row + 1e-12
    by_numpy = np.mean([((np.sort(one @ u) - np.sort(other @ u)) ** 2).sum() for u in directions.T])
    assert value == pytest.approx(float(by_numpy))


@given(SEEDS)
def test_a_small_move_costs_what_it_is_row_by_row_and_pulls_back(seed: int) -> None:
    before, move, directions = _clouds(seed)
    now = (before + 1e-9 * move).requires_grad_(True)
    value = sliced_wasserstein(now, before, directions)
    value.backward()
    assert value.item() == pytest.approx(1e-18 * (move @ directions).square().sum(dim=0).mean().item(), rel=1e-3)
    assert float((gradient_of(now) * move).sum()) > 0


def test_directions_are_unit_vectors_and_a_vector_is_one_point() -> None:
    directions = random_directions(torch.zeros(1, 50), 4000)
    assert directions.shape == (50, 4000)
    torch.testing.assert_close(directions.norm(dim=0), torch.ones(4000))
    move = torch.full((1, 50), 2.0)
    assert sliced_wasserstein(move, torch.zeros(1, 50), directions).item() == pytest.approx(4.0, rel=0.1)


def test_at_the_start_moving_costs_nothing(tiny: LanguageModel, data: UnlearningData) -> None:
    model = tiny.copy()
    batch = Batch(model.encode(data.forget), model.encode(data.retain), tiny.frozen())
    price = OptOut(directions=3).price(model, batch)
    price.backward()
    assert price.item() == 0.0
    assert all(not gradient_of(one).any() for one in model.model.parameters())


def test_the_weights_stay_nearer_where_moving_them_costs_more(learned: LanguageModel, data: UnlearningData) -> None:
    moved = []
    for price in (0.0, 1000.0):
        run = Run(Recipe(learning_rate=1e-3, steps=10, batch_size=3))
        unlearned = OptOut(transport_weight=price, directions=10).unlearn(learned.copy(), data, run)
        assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 0.3
        pairs = zip(unlearned.model.parameters(), learned.model.parameters(), strict=True)
        moved.append(sum(float((now - then).detach().square().sum()) for now, then in pairs))
    assert moved[1] < moved[0]
