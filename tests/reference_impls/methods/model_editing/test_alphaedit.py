from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities

from reference_impls.methods.model_editing.alphaedit import AlphaEdit
from reference_impls.toolkit import (
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    memories,
    null_space,
    projected_update,
)


def test_projector_and_update_are_the_hand_computed_ones() -> None:
    projector = null_space(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), 0.02)
    assert_allclose(projector, [[0, 0], [0, 1]], atol=1e-12)
    key, wanted = torch.tensor([[1.0], [1.0]]), torch.zeros(2, 1)
    update = projected_update(projector, key, wanted - torch.eye(2) @ key, 1.0)
    assert_allclose(update, [[0, -0.5], [0, -0.5]], atol=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.05, 3.0), st.floats(0.1, 10))
def test_the_update_is_the_papers_and_kept_text_notices_no_more_than_the_threshold_allows(
    seed: int, threshold: float, ridge: float
) -> None:
    rng = np.random.default_rng(seed)
    kept, keys, residuals = rng.normal(size=(6, 9)), rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    moment = kept @ kept.T / 9
    projector = null_space(torch.from_numpy(moment), threshold).numpy()
    assert_allclose(projector, projector.T, atol=1e-9)
    assert_allclose(projector @ projector, projector, atol=1e-9)
    by_formula = residuals @ keys.T @ projector @ np.linalg.inv(keys @ keys.T @ projector + ridge * np.eye(6))
    free, read, left = (torch.from_numpy(one) for one in (projector, keys, residuals))
    update = projected_update(free, read, left, ridge).numpy()
    assert_allclose(update, by_formula, atol=1e-7)
    assert np.trace(update @ moment @ update.T) <= threshold * np.square(update).sum() + 1e-9


def test_keys_of_kept_text_are_answered_as_before_and_the_others_by_a_share() -> None:
    kept, key, wanted = torch.eye(4)[:, :2], torch.tensor([[1.0], [0.0], [1.0], [0.0]]), torch.tensor([[2.0]])
    update = projected_update(null_space(kept @ kept.T, 0.02), key, wanted, 0.5)
    assert_allclose(update @ kept, torch.zeros(1, 2), atol=1e-9)
    assert_allclose(update @ key, 1 / 1.5 * wanted, atol=1e-6)


@pytest.mark.parametrize(("threshold", "free"), [(0.0, 0), (0.5, 2), (10.0, 4)])
def test_the_threshold_decides_how_much_is_free(threshold: float, free: int) -> None:
    projector = null_space(torch.diag(torch.tensor([2.0, 1.0, 0.1, 0.01])), threshold)
    assert torch.linalg.matrix_rank(projector) == free


METHOD = AlphaEdit("fact-erasure", depth=0.34, window=2, contexts=0, shrinkage=0.0, kl_weight=0.0, clamp=3.0, ridge=0.1)
RUN = Recipe(learning_rate=0.2, steps=15)


def test_answers_go_and_what_kept_text_is_told_stays(memorized: LanguageModel, data: UnlearningData) -> None:
    edited = replace(METHOD, threshold=0.002).unlearn(memorized.copy(), data, Run(RUN))
    assert bool((answer_probabilities(edited, data.forget) < 0.9).all())
    assert bool((answer_probabilities(edited, data.retain) > 0.9).all())
    (before,), (after,) = (memories(model, [0]) for model in (memorized, edited))
    change = (after.weight - before.weight).detach()
    assert change.norm() > 0
    noticed = torch.trace(change @ before.second_moment(memorized, data.retain) @ change.T)
    assert noticed <= 0.002 * change.square().sum() + 1e-6


def test_with_nothing_free_nothing_changes(memorized: LanguageModel, data: UnlearningData) -> None:
    edited = replace(METHOD, threshold=0.0).unlearn(memorized.copy(), data, Run(replace(RUN, steps=1)))
    assert_allclose(answer_probabilities(edited, data.forget), answer_probabilities(memorized, data.forget), atol=1e-5)
