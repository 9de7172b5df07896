from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, mean_logprob

from reference_impls.errors import UsageError
from reference_impls.methods.distillation.w2sdefense import W2SDefense, features
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, softened_kl


def test_features_are_what_the_head_reads(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = tiny.encode(data.retain)
    with torch.no_grad():
        logits = features(tiny, batch) @ tiny.model.get_output_embeddings().weight.T
        assert_allclose(logits, tiny.token_logits(batch)[0].logits, atol=1e-4)


def test_the_distance_is_0_from_oneself_and_adds_up(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    batch = tiny.encode(data.retain)
    with torch.no_grad():
        (own,) = tiny.token_logits(batch)
        (other,) = memorized.token_logits(batch)
        apart = (features(memorized, batch) - features(tiny, batch)).square().sum(dim=1)
        means = [float(apart[own.sequence == row].mean()) for row in range(len(data.retain))]
        assert W2SDefense().distance(tiny, tiny, batch, own).item() == pytest.approx(0, abs=1e-6)
        both = W2SDefense(distill_weight=2.0, feature_weight=0.5).distance(tiny, memorized, batch, own).item()
        assert both == pytest.approx(2 * softened_kl(other, own, 2.0).item() + 0.5 * np.mean(means), rel=1e-4)


def test_it_takes_after_a_teacher_that_has_not_read_the_forget_set(
    memorized: LanguageModel, tiny: LanguageModel, data: UnlearningData
) -> None:
    run = Run(Recipe(learning_rate=3e-3, steps=60, batch_size=4), earlier=tiny.copy)
    before, kept = (answer_probabilities(memorized, pairs).mean() for pairs in (data.forget, data.retain))
    unlearned = W2SDefense().unlearn(memorized.copy(), data, run)
    assert answer_probabilities(unlearned, data.forget).mean() < before - 0.1
    assert answer_probabilities(unlearned, data.retain).mean() > kept - 0.05


def test_the_papers_form_forgets_less_for_it_is_not_told(
    memorized: LanguageModel, tiny: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=3e-3, steps=30, batch_size=4)
    told, blind = (
        W2SDefense(forget_weight=weight).unlearn(memorized.copy(), data, Run(recipe, earlier=tiny.copy))
        for weight in (100.0, 0.0)
    )
    assert mean_logprob(told, data.forget) < mean_logprob(blind, data.forget)


def test_it_needs_what_the_model_started_from(memorized: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="--earlier"):
        W2SDefense().unlearn(memorized.copy(), data, Run(Recipe(steps=2)))
