from __future__ import annotations

import random

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import PLAIN, answer_probabilities

from reference_impls.methods.model_editing.memit import MEMIT
from reference_impls.methods.model_editing.rome import rank_one_update
from reference_impls.toolkit import (
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    ValueSearch,
    deletion_requests,
    least_squares_update,
    mean_output,
)

COVARIANCE = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
KEYS = torch.tensor([[1.0, 0.0], [1.0, 1.0]])  # the columns (1, 1) and (0, 1)
RESIDUALS = torch.tensor([[2.0, 0.0], [-1.0, 1.0]])  # the columns (2, -1) and (0, 1)


# The update


@pytest.mark.parametrize(("preservation", "expected"), [(0.0, [[2, 0], [-2, 1]]), (1.0, [[0.5, 0.5], [-0.375, 0.125]])])
def test_update_is_the_hand_computed_one(preservation: float, expected: list[list[float]]) -> None:
    assert_allclose(least_squares_update(COVARIANCE, KEYS, RESIDUALS, preservation), expected, atol=1e-6)


def test_much_weight_on_kept_keys_leaves_little() -> None:
    update = least_squares_update(COVARIANCE, KEYS, RESIDUALS, 100.0)
    assert_allclose(update[0], [0.009853, 0.019511], atol=1e-6)


@pytest.mark.parametrize("preservation", [1e-6, 1.0, 50.0])
def test_one_request_is_answered_by_a_share_and_by_romes_update_in_the_limit(preservation: float) -> None:
    key, residual = KEYS[:, :1], RESIDUALS[:, :1]
    update = least_squares_update(COVARIANCE, key, residual, preservation)
    strength = 0.5 + 1  # k' C^-1 k
    assert_allclose(update @ key, strength / (preservation + strength) * residual, rtol=1e-5)
    rome = rank_one_update(COVARIANCE, key[:, 0], residual[:, 0])
    assert_allclose(update, strength / (preservation + strength) * rome, rtol=1e-5)


def test_update_minimises_the_ridge_regression() -> None:
    def cost(update: torch.Tensor) -> float:
        kept = torch.trace(update @ COVARIANCE @ update.T)
        return float((update @ KEYS - RESIDUALS).square().sum() + 3.0 * kept)

    best = least_squares_update(COVARIANCE, KEYS, RESIDUALS, 3.0)
    torch.manual_seed(0)
    assert all(cost(best) < cost(best + 0.01 * torch.randn(2, 2)) for _ in range(50))


def test_the_order_of_the_requests_does_not_matter() -> None:
    one = least_squares_update(COVARIANCE, KEYS, RESIDUALS, 1.0)
    assert_allclose(least_squares_update(COVARIANCE, KEYS.flip(1), RESIDUALS.flip(1), 1.0), one, atol=1e-6)


# The whole method

METHOD = MEMIT(depth=0.34, window=2, contexts=0, shrinkage=0.0, kl_weight=0.0, clamp=3.0, preservation=0.1)
RUN = Recipe(learning_rate=0.2, steps=15)


@pytest.mark.parametrize(("window", "layers"), [(1, [2]), (2, [1, 2]), (9, [0, 1, 2])])
def test_only_the_down_projections_of_the_window_change(
    window: int, layers: list[int], tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    MEMIT(depth=0.67, window=window, preservation=1.0).unlearn(fresh, data, Run(Recipe(learning_rate=0.1, steps=2)))
    changed = [
        name
        for (name, before), after in zip(tiny.model.named_parameters(), fresh.model.parameters(), strict=True)
        if not torch.equal(before, after)
    ]
    assert changed == [f"model.layers.{layer}.mlp.down_proj.weight" for layer in layers]


def test_the_states_get_nearer_to_their_targets_with_every_layer_that_may_change(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    requests = deletion_requests(PLAIN, data, "fact-erasure", "", 0, random.Random(0))
    search = ValueSearch("fact-erasure", 0.0, 0.0, 3.0)
    targets = [
        mean_output(memorized, memorized.model.model.layers[1], one)
        + search.find(memorized, memorized.model.model.layers[1], one, Run(RUN))
        for one in requests
    ]

    def distance(model: LanguageModel) -> float:
        states = [mean_output(model, model.model.model.layers[1], one) for one in requests]
        return sum(float((z - h).norm()) for z, h in zip(targets, states, strict=True))

    edited = METHOD.unlearn(memorized.copy(), data, Run(RUN))
    assert distance(edited) < 0.5 * distance(memorized)


def test_all_subjects_are_erased_in_one_call_and_others_stay(memorized: LanguageModel, data: UnlearningData) -> None:
    edited = METHOD.unlearn(memorized.copy(), data, Run(RUN))
    assert bool((answer_probabilities(memorized, data.forget + data.retain) > 0.9).all())
    assert bool((answer_probabilities(edited, data.forget) < 0.8).all())
    assert bool((answer_probabilities(edited, data.retain) > 0.9).all())


def test_a_large_weight_of_kept_keys_keeps_everything(memorized: LanguageModel, data: UnlearningData) -> None:
    edited = MEMIT(depth=0.34, preservation=1e9, contexts=0).unlearn(memorized.copy(), data, Run(RUN))
    assert_allclose(answer_probabilities(edited, data.forget), answer_probabilities(memorized, data.forget), atol=1e-3)
