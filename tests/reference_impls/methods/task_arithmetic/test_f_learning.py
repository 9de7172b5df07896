from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import SEASONS, fingerprint, mean_logprob

from reference_impls.methods.task_arithmetic.f_learning import FLearning, answered_anew
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-2, steps=2)


def _with_new_answers(data: UnlearningData) -> UnlearningData:
    """Every pair to forget with the next season as its new answer."""
    following = dict(zip(SEASONS, SEASONS[1:] + SEASONS[:1], strict=True))

    def other(pair: Pair) -> Pair:
        (season,) = (one for one in SEASONS if one in pair.answer)
        return replace(pair, alternates=(pair.answer.replace(season, following[season]),))

    return replace(data, forget=tuple(map(other, data.forget)))


def test_new_answers_are_the_tasks_inventions_or_else_those_of_other_subjects(data: UnlearningData) -> None:
    invented = _with_new_answers(data).forget
    assert [pair.answer for pair in answered_anew(invented, random.Random(0))] == [
        pair.alternates[0] for pair in invented
    ]
    for old, new in zip(data.forget, answered_anew(data.forget, random.Random(0)), strict=True):
        assert (new.prompt, new.subject) == (old.prompt, old.subject)
        assert new.answer != old.answer
        assert old.subject in new.answer


def test_the_second_stage_starts_where_the_first_one_walked_back_to(
    fresh: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand, for one weight that learning moves from 1 to 1.4: 1 - 0.3 · 0.4 = 0.88, then 0.88 + 0.1."""
    met, starts = [], []

    def finetune(run: Run, model: LanguageModel, pairs: Sequence[Pair], **_: Any) -> LanguageModel:
        met.append([pair.answer for pair in pairs])
        starts.append(model.model.lm_head.weight.detach().clone())
        with torch.no_grad():
            for weight in model.model.parameters():
                weight += 0.4 if len(met) == 1 else 0.1
        return model

    monkeypatch.setattr(Run, "finetune", finetune)
    before = [weight.detach().clone() for weight in fresh.model.parameters()]
    asked = _with_new_answers(data)
    unlearned = FLearning(scale=0.3).unlearn(fresh, asked, Run(RECIPE))
    for now, then in zip(unlearned.model.parameters(), before, strict=True):
        assert_allclose((now - then).detach(), torch.full_like(now, -0.12 + 0.1), atol=1e-5)
    assert_allclose(starts[1] - starts[0], torch.full_like(starts[0], -0.12), atol=1e-5)
    assert met == [[pair.answer for pair in asked.forget], [pair.alternates[0] for pair in asked.forget]]


def test_without_scale_it_is_fine_tuning_on_the_new_answers(tiny: LanguageModel, data: UnlearningData) -> None:
    asked = _with_new_answers(data)
    run = Run(RECIPE, seed=2)
    run.finetune(tiny.copy(), asked.forget)  # draws as many random numbers as the first stage
    plain = run.finetune(tiny.copy(), answered_anew(asked.forget, run.rng))
    here = FLearning(scale=0.0).unlearn(tiny.copy(), asked, Run(RECIPE, seed=2))
    assert fingerprint(here.model) == fingerprint(plain.model)


def test_to_forget_first_costs_the_rest_less_than_new_answers_alone_and_these_are_learned(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    asked = _with_new_answers(data)
    new = answered_anew(asked.forget, random.Random(0))
    recipe = Recipe(learning_rate=1e-3, steps=16, batch_size=3)
    plain, ours = (FLearning(scale=scale).unlearn(memorized.copy(), asked, Run(recipe)) for scale in (0.0, 0.5))
    assert mean_logprob(ours, data.retain) > mean_logprob(plain, data.retain) + 0.1
    assert mean_logprob(ours, asked.forget) < mean_logprob(memorized, asked.forget) - 0.3
    assert mean_logprob(ours, new) > -0.1
