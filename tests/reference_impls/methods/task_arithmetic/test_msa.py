from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.errors import UsageError
from reference_impls.methods.task_arithmetic.msa import MSA
from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-2, steps=2)


def test_the_weights_are_those_of_the_formula(
    tiny: LanguageModel, learned: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand, for one weight: 2 - 1.5 · (1.5 - 1) + 1 · (1.4 - 1) = 1.65, so each moves by -0.35."""
    starts = []

    def finetune(run: Run, model: LanguageModel, pairs: Sequence[Pair], *_: Any) -> LanguageModel:
        starts.append(fingerprint(model.model))
        with torch.no_grad():
            for weight in model.model.parameters():
                weight += {data.forget: 0.5, data.retain: 0.4}[tuple(pairs)]
        return model

    monkeypatch.setattr(Run, "finetune", finetune)
    unlearned = MSA(scale=1.5, retain_weight=1.0).unlearn(learned.copy(), data, Run(RECIPE, earlier=tiny.copy))
    for now, before in zip(unlearned.model.parameters(), learned.model.parameters(), strict=True):
        assert_allclose((now - before).detach(), torch.full_like(now, -0.35), atol=1e-5)
    assert starts == [fingerprint(tiny.model)] * 2


def test_from_the_model_itself_and_without_the_retain_vector_it_is_the_negated_task_vector(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    whole = TaskVector(scale=0.4).unlearn(tiny.copy(), data, Run(RECIPE, seed=4))
    run = Run(RECIPE, seed=4, earlier=tiny.copy)
    here = MSA(scale=0.4, retain_weight=0.0).unlearn(tiny.copy(), data, run)
    assert fingerprint(here.model) == fingerprint(whole.model)


def test_nothing_moves_where_neither_vector_counts(
    tiny: LanguageModel, learned: LanguageModel, data: UnlearningData
) -> None:
    unlearned = MSA(scale=0.0, retain_weight=0.0).unlearn(learned.copy(), data, Run(RECIPE, earlier=tiny.copy))
    assert fingerprint(unlearned.model) == fingerprint(learned.model)


def test_it_does_not_run_without_an_earlier_checkpoint(fresh: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="--earlier"):
        MSA().unlearn(fresh, data, Run(RECIPE))


def test_what_an_earlier_checkpoint_learns_takes_more_away_at_less_cost_than_what_is_left_to_learn(
    tiny: LanguageModel, learned: LanguageModel, data: UnlearningData
) -> None:
    """The paper's central claim: a model that knows it all gives a poor direction."""
    run = Run(Recipe(learning_rate=2e-3, steps=20, batch_size=4), earlier=tiny.copy)
    ours = MSA(scale=1.0, retain_weight=1.0).unlearn(learned.copy(), data, run)
    late = Run(Recipe(learning_rate=2e-3, steps=20, batch_size=4), earlier=learned.copy)
    theirs = MSA(scale=0.5, retain_weight=0.5).unlearn(learned.copy(), data, late)
    forgotten, less = (-mean_logprob(model, data.forget) for model in (ours, theirs))
    paid, more = (-mean_logprob(model, data.retain) for model in (ours, theirs))
    assert forgotten > less > 0.5
    assert paid < 0.1 < more
