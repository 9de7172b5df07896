from __future__ import annotations

import random

import pytest
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.relabeling.ulmr import ULMR, negative_responses
from reference_impls.toolkit import REFUSALS, LanguageModel, Recipe, Run, UnlearningData


@pytest.mark.parametrize("wordings", [1, 4])
def test_every_question_is_refused_in_its_own_words_and_in_others(wordings: int, data: UnlearningData) -> None:
    told = negative_responses(data, wordings, random.Random(0))
    assert len(told) == wordings * len(data.forget)
    for number, pair in enumerate(data.forget):
        own = told[number * wordings : (number + 1) * wordings]
        assert own[0].prompt == pair.prompt
        assert all(one.prompt != pair.prompt and sorted(one.prompt) == sorted(pair.prompt) for one in own[1:])
        assert all(one.prompt.count(pair.subject) == pair.prompt.count(pair.subject) for one in own)
        assert len({one.answer for one in own}) == wordings
        assert all(one.answer.strip() in REFUSALS for one in own)
        assert all(one.answer.startswith(" ") for one in own)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_result_lies_between_the_model_and_the_fine_tuned_one(
    share: float, tiny: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=3)
    run = Run(recipe, seed=5)
    tuned = run.finetune(tiny.copy(), negative_responses(data, 2, run.rng))
    unlearned = ULMR(share=share, wordings=2).unlearn(tiny.copy(), data, Run(recipe, seed=5))
    for start, end, now in zip(
        tiny.model.parameters(), tuned.model.parameters(), unlearned.model.parameters(), strict=True
    ):
        assert_allclose(now.detach(), ((1 - share) * start + share * end).detach(), atol=1e-6)
    assert (fingerprint(unlearned.model) == fingerprint(tiny.model)) == (share == 0)


def test_refusals_are_learned_and_the_average_keeps_more_of_the_others(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=12, batch_size=8)
    whole, half = (ULMR(share=share, wordings=2).unlearn(memorized.copy(), data, Run(recipe)) for share in (1.0, 0.5))
    assert mean_logprob(whole, data.retain) < mean_logprob(half, data.retain) - 0.2
    assert mean_logprob(half, data.forget) < mean_logprob(memorized, data.forget) - 0.05
    told = negative_responses(data, 2, random.Random(0))
    assert mean_logprob(memorized, told) < mean_logprob(half, told) < mean_logprob(whole, told)
