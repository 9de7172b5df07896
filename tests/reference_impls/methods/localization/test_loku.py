from __future__ import annotations

import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.loku import LoKU
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


def test_the_model_is_the_same_before_the_first_step_and_changes_by_few_directions(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    losses: list[float] = []

    class Watched(LoKU):
        def loss(self, model: LanguageModel, batch: Batch) -> torch.Tensor:
            if not losses:
                losses.append(mean_logprob(model, data.forget))
                up, down = (
                    [weight for name, weight in model.model.named_parameters() if part in name]
                    for part in (".lora_B.", ".lora_A.")
                )
                assert all(bool(weight.any()) for weight in up + down)
            return super().loss(model, batch)

    before = dict(memorized.model.named_parameters())
    recipe = Recipe(learning_rate=3e-3, steps=10, batch_size=3)
    unlearned = Watched(rank=2).unlearn(memorized.copy(), data, Run(recipe))
    assert losses[0] == pytest.approx(mean_logprob(memorized, data.forget), abs=1e-4)
    for name, weight in unlearned.model.named_parameters():
        change = (weight - before[name]).detach()
        assert ".layers." in name or not change.any()
        assert not change.any() or torch.linalg.matrix_rank(change, rtol=1e-3) <= 4


def test_it_forgets_sooner_than_in_adapters_that_start_from_nothing(
    learned: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(learning_rate=3e-3, steps=10, batch_size=3)
    unlearned = LoKU().unlearn(learned.copy(), data, Run(recipe))
    monkeypatch.setattr("reference_impls.methods.localization.loku.adapted_layers", lambda network: [])
    plain = LoKU().unlearn(learned.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(plain, data.forget) - 0.1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 1
