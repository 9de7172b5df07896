from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor
from unlearning_toys import mean_logprob

from reference_impls.methods.representation.cir import CIR
from reference_impls.methods.representation.mcu import MCU, dominant_components, minor_breaking_loss
from reference_impls.toolkit import Common, LanguageModel, Recipe, Run, UnlearningData, but_first

RECIPE = Recipe(learning_rate=0.3, steps=10, batch_size=3)


def test_the_loss_is_the_hand_computed_one() -> None:
    now, before = torch.tensor([[1.0, 2.0, 5.0]]), torch.tensor([[2.0, 1.0, -3.0]])
    third = Common(torch.tensor([0.0, 0.0, 1.0]), torch.zeros(0, 3))
    assert minor_breaking_loss([now], [before], [third]).item() == pytest.approx(0.8)
    # Along what is taken out nothing counts, however large; the second block has only that.
    everything = Common(torch.zeros(3), torch.eye(3)[:2])
    assert minor_breaking_loss([now] * 2, [before, -now], [third, everything]).item() == pytest.approx(0.4)


def test_the_gradient_is_orthogonal_to_principal_components() -> None:
    torch.manual_seed(0)
    before = torch.randn(40, 6) * 3.0 ** -torch.arange(6) + 1
    dominant = Common.of(before, 3)
    now = before.clone().requires_grad_()
    minor_breaking_loss([now], [before], [dominant]).backward()
    assert now.grad is not None
    assert now.grad.norm() > 0
    projection = np.eye(6) - dominant.principal.numpy().T @ dominant.principal.numpy()
    projection = projection @ (np.eye(6) - np.outer(dominant.mean, dominant.mean))
    left = before.numpy() @ projection.T
    length = np.linalg.norm(left, axis=1).mean()
    assert_allclose(now.grad, left @ projection / length**2 / 40, atol=1e-5)


def test_components_are_of_what_mlps_write_but_at_first_tokens(memorized: LanguageModel, data: UnlearningData) -> None:
    broken = range(1, 3)
    found = dominant_components(memorized, broken, data.forget, 3)
    batch = memorized.encode(data.forget)
    with torch.no_grad():
        written = memorized.outputs(batch, memorized.mlp_outputs(broken))
    for one, values in zip(found, written, strict=True):
        there = values[but_first(batch)].numpy()
        mean = there.mean(axis=0)
        assert_allclose(one.mean, mean / np.linalg.norm(mean), atol=1e-5)
        principal = np.linalg.svd(there - mean, full_matrices=False)[2][:2]
        assert_allclose(np.abs(one.principal.numpy() @ principal.T), np.eye(2), atol=1e-2)


def _unlearned(model: LanguageModel, data: UnlearningData, components: int) -> LanguageModel:
    method = MCU(retain_weight=0.0, components=components, inputs=0, outputs=0, first=0.4, last=0.73)
    return method.unlearn(model.copy(), data, Run(RECIPE))


def test_without_components_it_is_cir(memorized: LanguageModel, data: UnlearningData) -> None:
    ours = _unlearned(memorized, data, 0)
    theirs = CIR(retain_weight=0.0, inputs=0, outputs=0).unlearn(memorized.copy(), data, Run(RECIPE))
    for one, other in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_the_change_is_in_minor_components(memorized: LanguageModel, data: UnlearningData) -> None:
    broken = range(memorized.layer_at(0.4), memorized.layer_at(0.73) + 1)
    dominant = dominant_components(memorized, broken, data.forget, 4)
    batch = memorized.encode(data.forget)

    @torch.no_grad()
    def written(model: LanguageModel) -> list[Tensor]:
        return [values[but_first(batch)] for values in model.outputs(batch, model.mlp_outputs(broken))]

    shares = []
    for components in (0, 4):
        unlearned = _unlearned(memorized, data, components)
        assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.3
        moved = [now - was for now, was in zip(written(unlearned), written(memorized), strict=True)]
        minor = sum(float(out.out_of(one).square().sum()) for one, out in zip(moved, dominant, strict=True))
        shares.append(minor / sum(float(one.square().sum()) for one in moved))
    assert shares[1] > shares[0] + 0.1
