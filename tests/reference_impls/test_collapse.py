from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import Tensor

from reference_impls.toolkit import (
    Common,
    LanguageModel,
    UnlearningData,
    both_sides,
    breaking_loss,
    but_first,
    drift,
)


def test_the_update_is_the_hand_computed_one() -> None:
    read, asked = torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, 3.0]])
    nothing = torch.zeros(0, 2)
    of_inputs, of_outputs = (Common(torch.tensor(one), nothing) for one in ([1.0, 0.0], [0.0, 1.0]))
    assert_allclose(of_outputs.out_of(asked).T @ of_inputs.out_of(read), [[0, 1], [0, 0]])


def test_losses_are_the_hand_computed_ones() -> None:
    now, before = torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]])
    assert breaking_loss(now, before).item() == pytest.approx(0.8)
    assert breaking_loss(-now, before).item() == 0
    assert breaking_loss(before, before).item() == pytest.approx(1)
    assert drift(torch.tensor([[3.0, 1.0]]), before).item() == pytest.approx(1 / np.sqrt(5))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 4))
def test_the_mean_and_the_directions_of_largest_variance_are_taken_out(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(60, 6)) * 5.0 ** -np.arange(6) + rng.normal(size=6)
    torch.manual_seed(0)
    left = Common.of(torch.from_numpy(vectors), count).out_of(torch.from_numpy(vectors)).numpy()
    mean = vectors.mean(axis=0)
    expected = vectors
    if count:
        expected = expected - np.outer(expected @ mean, mean) / (mean @ mean)
    if count > 1:
        principal = np.linalg.svd(vectors - mean, full_matrices=False)[2][: count - 1]
        expected = expected - expected @ principal.T @ principal
        assert_allclose(left @ principal.T, 0, atol=1e-4)
    assert_allclose(left, expected, atol=1e-3)


def test_with_nothing_taken_out_it_is_the_gradient_but_for_first_tokens(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    model, broken = memorized.copy(), range(1, 3)
    matrices = model.mlp_matrices(range(3))
    assert len(matrices) == 9
    batch = model.encode(data.forget)

    def breaking(now: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
        return torch.stack([breaking_loss(one, was) for one, was in zip(now, before, strict=True)]).mean()

    with torch.no_grad():
        before = [-0.5 * out + 1 for out in model.outputs(batch, model.mlp_outputs(broken))]
    sides = both_sides(model, matrices, broken, batch, breaking, before)
    places = batch.attention_mask.bool()
    places[:, 0] = False
    assert torch.equal(places, but_first(batch))
    now = model.outputs(batch, model.mlp_outputs(broken))
    loss = sum(breaking_loss(one[places], was[places]) for one, was in zip(now, before, strict=True)) / 2
    assert isinstance(loss, torch.Tensor)
    expected = torch.autograd.grad(loss, [weight for matrix in matrices for weight in matrix.parameters()])
    nothing = Common.of(torch.ones(2, 3), 0)
    assert_allclose(nothing.out_of(torch.ones(2, 3)), 1)
    for place, (matrix, gradient) in enumerate(zip(matrices, expected, strict=True)):
        read, asked = sides[matrix]
        missing = (gradient - asked.T @ read).numpy()
        if place >= 6:  # nothing reads what the last of these blocks makes of first tokens
            assert_allclose(missing, 0, atol=1e-5 * float(gradient.abs().max()))
        assert np.linalg.matrix_rank(missing, tol=1e-4 * float(gradient.norm())) <= len(data.forget)
