from __future__ import annotations

import numpy as np
import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.representation.cir import CIR, mean_breaking_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_blocks_count_alike() -> None:
    now, before = [torch.tensor([[1.0, 2.0]])] * 2, [torch.tensor([[2.0, 1.0]]), torch.tensor([[0.0, 2.0]])]
    assert mean_breaking_loss(now, before).item() == pytest.approx((0.8 + 1) / 2)


def _moved(model: LanguageModel, before: LanguageModel) -> dict[str, float]:
    pairs = zip(before.model.named_parameters(), model.model.parameters(), strict=True)
    return {name: float((one - other).detach().norm()) for (name, one), other in pairs}


def test_a_step_is_as_long_as_the_rate_and_only_mlps_move(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=0.1, steps=1, batch_size=3, warmup=0.0)
    unlearned = CIR(retain_weight=0.0, inputs=4, outputs=4).unlearn(memorized.copy(), data, Run(recipe))
    moved = _moved(unlearned, memorized)
    assert np.linalg.norm(list(moved.values())) == pytest.approx(0.1, rel=1e-4)
    assert {name for name, length in moved.items() if length} == {
        f"model.layers.{layer}.mlp.{part}.weight"
        for layer in range(3)
        for part in ("gate_proj", "up_proj", "down_proj")
    }


def test_what_is_common_is_spared(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=0.4, steps=10, batch_size=3)
    harm = []
    for count in (0, 6):
        method = CIR(retain_weight=0.0, inputs=count, outputs=count)
        unlearned = method.unlearn(memorized.copy(), data, Run(recipe))
        forgotten, harmed = (
            mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
        )
        assert forgotten > 0.3
        harm.append(harmed / forgotten)
    assert harm[1] < harm[0]
