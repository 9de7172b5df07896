from __future__ import annotations

from dataclasses import replace

import pytest
from unlearning_toys import Saying, fingerprint, mean_logprob

from reference_impls.methods.reinforcement.rule import RULE
from reference_impls.toolkit import (
    REFUSALS,
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    refusal_groups,
    taught_to_refuse,
)


def refused(pairs: tuple[Pair, ...]) -> list[Pair]:
    return [replace(pair, answer=pair.spaced(REFUSALS[0])) for pair in pairs]


def test_refusing_is_taught_at_what_is_to_be_forgotten(fresh: LanguageModel, data: UnlearningData) -> None:
    before = mean_logprob(fresh, refused(data.forget))
    recipe = Recipe(learning_rate=1e-3, steps=4, batch_size=3)
    taught_to_refuse(fresh, data, Run(recipe), recipe, 1, 1.0)
    assert mean_logprob(fresh, refused(data.forget)) > before + 0.5


def test_either_side_of_the_boundary_earns_by_its_own_rule(tiny: LanguageModel, data: UnlearningData) -> None:
    lines = [REFUSALS[3], data.forget[0].answer, "Hogwarts", REFUSALS[3], data.retain[0].answer, "Hogwarts"]
    samples = refusal_groups(Saying(tiny, lines), data.forget[:1], data.retain[:1], 3, 40)
    assert [sample.reward for sample in samples] == [1, 0, 0, 0, 1, 0.5]
    assert [sample.advantage for sample in samples] == pytest.approx([1.1547, -0.57735, -0.57735, -1, 1, 0], abs=1e-4)


def test_a_model_that_never_refuses_learns_nothing_of_it(learned: LanguageModel, data: UnlearningData) -> None:
    # Every sample is the true answer: no reward at what is to be forgotten, all of it at the boundary.
    start = learned.copy()
    recipe = Recipe(learning_rate=1e-3, steps=1, batch_size=2)
    unlearned = RULE(steering=0, samples=2, length=30, kl_weight=0.0).unlearn(start, data, Run(recipe))
    assert fingerprint(unlearned.model) == fingerprint(learned.model)


def test_the_second_stage_takes_refusals_back_where_none_was_wanted(
    learned: LanguageModel, data: UnlearningData
) -> None:
    first, second = (
        Recipe(learning_rate=1e-3, steps=50, batch_size=3),
        Recipe(learning_rate=2e-4, steps=8, batch_size=3),
    )
    steered = taught_to_refuse(learned.copy(), data, Run(first), first, 1, 0.5)
    method = RULE(steering=0, samples=4, length=16)
    unlearned = method.unlearn(steered.copy(), data, Run(second))
    forget, retain = (
        [mean_logprob(model, refused(pairs)) for model in (steered, unlearned)] for pairs in (data.forget, data.retain)
    )
    assert retain[1] < retain[0] - 0.3
    assert forget[1] > forget[0] - 0.1
