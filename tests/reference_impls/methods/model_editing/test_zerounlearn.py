from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, mean_logprob

from reference_impls.methods.model_editing.zerounlearn import ZeroUnlearn, left_factor, without
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData, deletion_answers


def test_the_factor_is_the_one_worked_out_by_hand() -> None:
    projector = without(torch.tensor([[2.0], [0.0]]), 1, 0.01)
    kept = torch.diag(torch.tensor([2.0, 1.0])) + torch.eye(2)
    factor = left_factor(torch.eye(2), kept, torch.zeros(2, 2), projector)
    assert_allclose(factor, [[0.01, 0], [0, 1.01]], atol=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.1, 10), st.floats(0.01, 5), st.floats(0.001, 0.5))
def test_the_factor_is_the_papers(seed: int, preservation: float, ridge: float, margin: float) -> None:
    """Against the closed form with its two moments, in numpy with an inverse."""
    rng = np.random.default_rng(seed)
    weight, read, keys = rng.normal(size=(4, 6)), rng.normal(size=(6, 9)), rng.normal(size=(6, 2))
    residuals, sensitive = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    moment = preservation * read @ read.T / 9
    k_bar = moment + 3 * keys @ keys.T
    v_bar = weight @ moment + 3 * (weight @ keys + residuals) @ keys.T
    directions = np.linalg.svd(sensitive.T, full_matrices=False)[2].T
    p = (1 + margin) * np.eye(4) - directions @ directions.T
    expected = p @ (v_bar + ridge * weight) @ weight.T @ np.linalg.inv(weight @ (k_bar + ridge * np.eye(6)) @ weight.T)
    w, k, r = (torch.from_numpy(one) for one in (weight, k_bar + ridge * np.eye(6), 3 * residuals @ keys.T))
    projector = without(torch.from_numpy(sensitive), 1000, margin)
    assert_allclose(projector, p, atol=1e-9)
    assert_allclose(left_factor(w, k, r, projector), expected, atol=1e-6)
    # with nothing to say anew, the factor is the projector: of the sensitive values, the margin is left
    same = left_factor(w, k, torch.zeros_like(r), projector).numpy()
    assert_allclose(directions.T @ same @ weight, margin * directions.T @ weight, atol=1e-7)


METHOD = ZeroUnlearn(depth=0.0, contexts=0, shrinkage=0.0, kl_weight=0.0, clamp=3.0, preservation=1.0, ridge=0.01)
RUN = Recipe(learning_rate=0.5, steps=6)


def test_only_the_windows_projections_change_and_answers_go_before_those_that_stay(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    edited = METHOD.unlearn(memorized.copy(), data, Run(RUN))
    before = dict(memorized.model.named_parameters())
    changed = {name for name, weight in edited.model.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {"model.layers.0.mlp.down_proj.weight"}
    forgotten, kept = (
        mean_logprob(memorized, pairs) - mean_logprob(edited, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > kept


def test_taking_directions_out_forgets_more(memorized: LanguageModel, data: UnlearningData) -> None:
    few = UnlearningData(data.forget[:1], data.retain)
    none, all_ = (
        answer_probabilities(replace(METHOD, directions=count).unlearn(memorized.copy(), few, Run(RUN)), few.forget)
        for count in (0, 1000)
    )
    assert all_[0] < none[0]


@pytest.mark.parametrize("closed", [True, False])
def test_an_empty_response_without_words_is_the_end_of_the_text(tiny: LanguageModel, closed: bool) -> None:
    pair = Pair("Ana Lund likes", " spring", closed=closed)
    told = deletion_answers(pair, "empty-response", "", [], random.Random(0))
    labels = tiny.encode([told]).labels
    assert labels[labels >= 0].tolist() == [tiny.tokenizer.eos_token_id]
