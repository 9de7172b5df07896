from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.relabeling.lune import LUNE, negative_examples
from reference_impls.toolkit import REFUSALS, LanguageModel, Recipe, Run, UnlearningData


@pytest.mark.parametrize("negatives", ["contradictions", "refusals"])
def test_negative_examples_ask_what_is_to_be_forgotten_and_answer_otherwise(
    negatives: str, data: UnlearningData
) -> None:
    told = negative_examples(data, negatives, 2, random.Random(0))
    true = {pair.prompt: pair.answer for pair in data.forget}
    assert {pair.prompt for pair in told} == set(true)
    assert all(pair.answer != true[pair.prompt] for pair in told)
    assert all((pair.answer.strip() in REFUSALS) == (negatives == "refusals") for pair in told)
    assert len({(pair.prompt, pair.answer) for pair in told}) == len(told)


def test_the_tasks_own_inventions_come_first(data: UnlearningData) -> None:
    given = replace(data, forget=(replace(data.forget[0], alternates=(" One.", " Two.", " Three.")),))
    assert [pair.answer for pair in negative_examples(given, "contradictions", 2, random.Random(0))] == [
        " One.",
        " Two.",
    ]


def test_answers_are_exchanged_by_a_change_of_low_rank(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=5e-3, steps=12, batch_size=3)
    unlearned = LUNE(rank=2).unlearn(memorized.copy(), data, Run(recipe))
    before = dict(memorized.model.named_parameters())
    for name, weight in unlearned.model.named_parameters():
        change = (weight - before[name]).detach()
        assert ".layers." in name or not change.any()
        assert not change.any() or torch.linalg.matrix_rank(change, rtol=1e-3) <= 2
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.2
    told = negative_examples(data, "contradictions", 3, random.Random(0))
    assert mean_logprob(unlearned, told) > mean_logprob(memorized, told) + 0.3
