from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import fingerprint

from reference_impls.methods.reinforcement.rerule import ReRULE, hard_groups
from reference_impls.methods.reinforcement.rule import RULE
from reference_impls.toolkit import (
    LanguageModel,
    Pair,
    Recipe,
    Run,
    Sample,
    UnlearningData,
    group_advantages,
    grpo_loss,
)

PAIR = Pair("x", "y")


def samples(rewards: list[float], size: int) -> list[Sample]:
    advantages = group_advantages(torch.tensor(rewards), size).tolist()
    return [Sample(PAIR, *row, torch.zeros(1)) for row in zip(rewards, advantages, strict=True)]


def test_what_earned_little_and_not_all_alike_is_kept() -> None:
    rewards = [1.0, 0.2, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]  # means 0.35, 0, 0.5
    (kept,) = hard_groups(samples(rewards, 4), 4, 0.5)
    assert [one.reward for one in kept] == [1.0, 0.2, 0.0, 0.2]
    assert len(hard_groups(samples(rewards, 4), 4, 0.6)) == 2
    assert hard_groups(samples(rewards, 4), 4, 0.0) == []


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=6, max_size=6))
def test_a_kept_group_teaches_something(rewards: list[float]) -> None:
    for group in hard_groups(samples(rewards, 3), 3, 2.0):
        assert sum(abs(one.advantage) for one in group) > 0.5


def test_an_old_answer_counts_by_how_likely_it_is_now(learned: LanguageModel, data: UnlearningData) -> None:
    (now,) = learned.pair_logprobs(data.forget[:1])
    for shift, advantage, value in ((-0.3, 1.0, 0.740818), (-0.3, -1.0, -0.8), (0.3, 1.0, 1.2), (0.3, -1.0, -1.349859)):
        one = Sample(data.forget[0], 0.0, advantage, now.clone() - shift)
        with torch.no_grad():
            assert grpo_loss(learned, [one], 0.2).item() == pytest.approx(-value, abs=1e-4)


def test_without_replay_it_is_rule(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=4, batch_size=2)
    same = {"steering": 0, "samples": 4, "length": 10}
    methods = (RULE(**same), ReRULE(replayed=0.0, **same), ReRULE(hard_below=2.0, replayed=1.0, **same))
    rule, nothing, replayed = (fingerprint(one.unlearn(memorized.copy(), data, Run(recipe)).model) for one in methods)
    assert rule == nothing != replayed
