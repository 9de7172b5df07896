from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.vila import VILA, gradient_variances
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LoRA,
    Recipe,
    Run,
    UnlearningData,
    mean_nll,
    row_importance,
    trained_weights,
    weighted_low_rank,
)


def test_the_divided_matrix_is_the_one_worked_out_by_hand() -> None:
    forgotten = torch.tensor([[2.0], [1.0]]) @ torch.tensor([[1.0, 2.0]])
    importance = row_importance(forgotten, torch.ones(2, 2))
    assert_allclose(importance, (2.449477, 1.732042), rtol=1e-5)
    left, right = weighted_low_rank(torch.diag(torch.tensor([2.0, 1.0])), importance, 1)
    assert_allclose(left @ right, [[2, 0], [0, 0]], atol=1e-5)


def test_variances_are_those_of_single_answers_and_0_where_all_pull_alike(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    Run(Recipe()).adapt(fresh, LoRA(2, 4.0))
    weights = trained_weights(fresh)
    for weight in weights:
        torch.nn.init.normal_(weight, std=0.1)
    rows: list[list[np.ndarray]] = []
    for pair in data.forget:
        gradients = torch.autograd.grad(mean_nll(*fresh.token_logits(fresh.encode([pair]))), weights)
        rows.append([one.numpy() for one in gradients])
    for found, seen in zip(gradient_variances(fresh, data.forget), zip(*rows, strict=True), strict=True):
        assert_allclose(found, np.var(seen, axis=0), rtol=1e-2, atol=1e-9)
    alike = gradient_variances(fresh, (data.forget[0],) * 3)
    largest = max(float(np.square(one).max()) for one in rows[0])
    assert max(float(one.max()) for one in alike) < 1e-5 * largest


def test_the_model_is_the_same_before_the_first_step_and_changes_by_few_directions(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    losses: list[float] = []

    class Watched(VILA):
        def loss(self, model: LanguageModel, batch: Batch) -> torch.Tensor:
            if not losses:
                losses.append(mean_logprob(model, data.forget))
            return super().loss(model, batch)

    before = dict(memorized.model.named_parameters())
    recipe = Recipe(learning_rate=3e-3, steps=4, batch_size=3)
    unlearned = Watched(rank=2).unlearn(memorized.copy(), data, Run(recipe))
    assert losses[0] == pytest.approx(mean_logprob(memorized, data.forget), abs=1e-4)
    for name, weight in unlearned.model.named_parameters():
        change = (weight - before[name]).detach()
        assert ".layers." in name or not change.any()
        assert not change.any() or torch.linalg.matrix_rank(change, rtol=1e-3) <= 4


def test_it_forgets_sooner_than_in_adapters_that_start_from_nothing(
    learned: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=10, batch_size=3)
    unlearned = VILA().unlearn(learned.copy(), data, Run(recipe))

    def plain(weight: torch.Tensor, importance: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        down = torch.empty(rank, weight.shape[1])
        torch.nn.init.kaiming_uniform_(down, a=5**0.5)
        return torch.zeros(len(weight), rank), 2**0.5 * down  # c = 2 is shared out between the two

    monkeypatch.setattr("reference_impls.methods.localization.vila.weighted_low_rank", plain)
    started_from_nothing = VILA().unlearn(learned.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(started_from_nothing, data.forget) - 0.1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 0.3
