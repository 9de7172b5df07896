from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from unlearning_toys import fingerprint, invented_data, mean_logprob

from reference_impls.methods.modular.clpu_der import CLPUDER, Example, stored
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=3e-3, steps=12, batch_size=4)


def test_replay_is_the_squared_distance_and_the_likelihood(memorized: LanguageModel, data: UnlearningData) -> None:
    pairs = list(data.retain[:2])
    batch = memorized.encode(pairs)
    (out,) = memorized.token_logits(batch)
    shift = 0.5  # the same for all logits: a distance of 0.25, and no other likelihoods
    examples = [Example(pair, out.logits[out.sequence == row].detach() + shift) for row, pair in enumerate(pairs)]
    by_hand = np.mean([-float(one.mean()) for one in memorized.pair_logprobs(pairs)])
    method = CLPUDER(logit_weight=2.0, label_weight=3.0)
    assert method.replayed(out, batch, examples).item() == pytest.approx(2 * 0.25 + 3 * by_hand, rel=1e-4)
    swapped = memorized.encode(pairs[::-1], [1, 0])  # a batch in another order finds its own logits
    (other,) = memorized.token_logits(swapped)
    again = method.replayed(other, swapped, examples)
    assert again.item() == pytest.approx(2 * 0.25 + 3 * by_hand, rel=1e-3)


def test_as_many_examples_are_stored_as_are_kept_each_once(tiny: LanguageModel, data: UnlearningData) -> None:
    for count in (2, 9):
        examples = stored(tiny, data.retain, count, random.Random(0))
        assert len({one.pair for one in examples}) == len(examples) == min(count, 5)
        for one in examples:
            (alone,) = tiny.token_logits(tiny.encode([one.pair]))
            torch.testing.assert_close(one.logits, alone.logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("tasks", "temporary"), [(2, 1), (1, 1), (3, 0)])
def test_nothing_of_what_is_deleted_is_left_to_the_bit(tiny: LanguageModel, tasks: int, temporary: int) -> None:
    method, data = CLPUDER(tasks=tasks, temporary=temporary), invented_data()
    other = replace(data, forget=(Pair("Question: Who?\nAnswer:", " Nobody.", subject="Nobody"),))
    one, two = (
        method.unlearn(tiny.copy(), given, Run(replace(RECIPE, steps=8), seed=3, earlier=tiny.copy))
        for given in (data, other)
    )
    assert fingerprint(one.model) == fingerprint(two.model) != fingerprint(tiny.model)


def test_what_was_learned_aside_is_merged_and_what_was_there_stays(tiny: LanguageModel, data: UnlearningData) -> None:
    method, run = CLPUDER(), Run(replace(RECIPE, steps=25))
    first, second = data.retain[:3], data.retain[3:]
    model = run.finetune(tiny.copy(), first)
    memory = stored(model, first, 3, run.rng)
    before, known = fingerprint(model.model), mean_logprob(model, first)
    copied, examples = method.aside(model, second, run)
    assert fingerprint(model.model) == before != fingerprint(copied.model)
    unknown = mean_logprob(model, second)
    method.merge(model, examples, memory, run)
    assert mean_logprob(model, second) > unknown + 0.5
    assert mean_logprob(model, first) > known - 0.1


def test_replay_keeps_what_other_tasks_would_take_along(tiny: LanguageModel, data: UnlearningData) -> None:
    def kept(buffer: int) -> float:
        run = Run(replace(RECIPE, steps=15))
        model = run.finetune(tiny.copy(), data.retain[:3])
        memory = stored(model, data.retain[:3], buffer, run.rng)
        CLPUDER().learn(model, data.retain[3:], memory, run)
        return mean_logprob(model, data.retain[:3])

    assert kept(3) > kept(0)
