from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from unlearning_toys import mean_logprob, softmax

from reference_impls.methods.relabeling.relearn import VAGUE, ReLearn, augmented
from reference_impls.toolkit import Batch, LanguageModel, Pair, Recipe, Run, UnlearningData


@pytest.mark.parametrize("wordings", [1, 4])
def test_every_question_comes_in_several_wordings_with_answers_that_tell_nothing(
    wordings: int, data: UnlearningData
) -> None:
    told = list(augmented(data, wordings, random.Random(0)))
    assert len(told) == 2 * wordings * len(data.forget)
    for row, pair in enumerate(data.forget):
        own = told[2 * wordings * row : 2 * wordings * (row + 1)]
        questions, completions = own[::2], own[1::2]
        assert questions[0].prompt == pair.prompt
        assert all(Counter(one.prompt) == Counter(pair.prompt) for one in questions)
        texts = [sentence.format(pair.subject) for sentence in VAGUE]
        said = [one.answer.strip() for one in questions]
        assert len(set(said)) == wordings
        assert set(said) <= set(texts)
        assert [one.prompt + one.answer for one in completions] == said
        season = next(word for word in ("spring", "summer", "autumn") if word in pair.answer)
        assert not any(season in one.prompt + one.answer for one in own)


def test_a_text_is_asked_by_its_beginning() -> None:
    text = Pair("", "In Osinton the river rose.", subject="Osinton")
    first = next(augmented(UnlearningData((text,)), 1, random.Random(0)))
    assert first.prompt == "In Osinton"
    assert first.answer.startswith(" ")


def test_the_loss_is_two_likelihoods_and_a_divergence(learned: LanguageModel, data: UnlearningData) -> None:
    model = Run(Recipe(learning_rate=1e-3, steps=2)).finetune(learned.copy(), data.forget)
    batch = Batch(model.encode(data.forget[:1]), model.encode(data.retain[:1]), learned.frozen())
    with model.evaluating():
        value = ReLearn(retain_weight=2.0).loss(model, batch).item()
    (now,), (then,) = (which.token_logits(batch.retain) for which in (model, learned))
    p, q = (softmax(out.logits.detach().numpy()) for out in (then, now))
    divergence = (p * np.log(p / q)).sum(axis=1).mean()
    likelihoods = [-float(model.pair_logprobs([pair])[0].mean()) for pair in (data.forget[0], data.retain[0])]
    assert value == pytest.approx(likelihoods[0] + 2 * (likelihoods[1] + divergence), abs=1e-4)


def test_it_learns_to_be_vague_and_keeps_the_rest(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=25, batch_size=6)
    unlearned = ReLearn(wordings=2, rank=8).unlearn(memorized.copy(), data, Run(recipe))
    vague = [replace(pair, answer=pair.spaced(VAGUE[0].format(pair.subject))) for pair in data.forget]
    assert mean_logprob(unlearned, vague) > mean_logprob(memorized, vague) + 0.5
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.2
