from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import RETAIN_LOGITS, RETAIN_REFERENCE, RETAIN_TARGETS, token_logits

from reference_impls.methods.reinforcement.quark import BestRankModel, Pool, Quark, quark_loss, rank_text, ranks
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData


def test_the_pool_is_cut_into_equal_parts_from_the_best_and_what_is_left_is_worst() -> None:
    assert ranks([0.1, 0.9, 0.5, 0.3, 0.7, 0.2], 5) == [1, 5, 3, 2, 4, 1]
    assert ranks([-1.0, 0.0], 5) == [1, 1]  # too few to tell apart
    assert ranks([3.0, 1.0, 2.0], 1) == [1, 1, 1]


@given(st.lists(st.floats(-1, 1)), st.integers(1, 8))
def test_a_better_rank_never_has_a_lower_reward_and_parts_are_of_equal_size(rewards: list[float], count: int) -> None:
    found = ranks(rewards, count)
    pairs = list(zip(found, rewards, strict=True))
    assert all(a >= b for rank, a in pairs for other, b in pairs if rank > other)
    sizes = Counter(found)
    assert {sizes[rank] for rank in range(2, count + 1)} <= {len(rewards) // count}


@pytest.mark.parametrize(("weight", "loss"), [(0.0, 0.551445), (0.05, 0.556389), (1.0, 0.650331)])
def test_loss_on_the_toy_is_likelihood_and_forward_divergence(weight: float, loss: float) -> None:
    out, before = token_logits(RETAIN_LOGITS, RETAIN_TARGETS), token_logits(RETAIN_REFERENCE, RETAIN_TARGETS)
    assert quark_loss(out, before, weight).item() == pytest.approx(loss, abs=1e-5)


def test_exploring_rewards_what_is_not_the_answer_and_for_what_is_kept_what_is(learned: LanguageModel) -> None:
    pair = Pair("Question: When was Ana Lund born?\nAnswer:", " Ana Lund was born in spring.")
    other = Pair(pair.prompt, " Hogwarts.")
    for keep, wanted in ((False, [-1.0, 0.0]), (True, [1.0, 0.0])):
        pool = Pool([pair, other], keep=keep)
        Quark(quantiles=2).explore(learned.copy(), pool, 2, first=True, rng=random.Random(0))
        # Trained by heart, the model says the first pair's answer to both.
        assert sorted(reward for _, reward in pool.found) == sorted(wanted)
        assert all(sample.answer == pair.answer for sample, _ in pool.found)
        best = max(pool.found, key=lambda one: one[1])
        assert (best[0], 2) in pool.samples


def test_the_best_rank_is_told_before_every_prompt(tiny: LanguageModel) -> None:
    model = BestRankModel(tiny, rank_text(3))
    assert model.to_json() == {"prefix": "3 3 3 3 3 3 3 3 \n"}
    asked, answer = ["Question: When?"], [" spring"]
    (told,) = model.answer_logprobs(asked, answer)
    assert torch.equal(told, tiny.answer_logprobs(["3 3 3 3 3 3 3 3 \nQuestion: When?"], answer)[0])
    assert model.generate(asked, 3) == tiny.generate(["3 3 3 3 3 3 3 3 \nQuestion: When?"], 3)


@pytest.mark.slow
def test_a_model_that_knows_two_answers_keeps_the_better_one(tiny: LanguageModel) -> None:
    forget, retain = "Question: When was Ana Lund born?\nAnswer:", "Question: When was Bo Reyes born?\nAnswer:"
    unwanted = Pair(forget, " Ana Lund was born in spring.")
    known = [unwanted, Pair(forget, " Hogwarts is a Magic School."), Pair(retain, " Bo Reyes was born in winter.")]
    start = Run(Recipe(learning_rate=3e-3, steps=60, batch_size=3)).finetune(tiny.copy(), known)
    data = UnlearningData((unwanted,) * 8, (known[2],))
    recipe = Recipe(learning_rate=3e-3, steps=80, batch_size=8)

    def likely(model: LanguageModel, prefix: str) -> float:
        (logprobs,) = model.answer_logprobs([prefix + forget], [unwanted.answer])
        return float(logprobs.sum().exp())

    assert likely(start, "") > 0.4
    unlearned = Quark(quantiles=2, rounds=4, length=14).unlearn(start, data, Run(recipe))
    best, worst = likely(unlearned.model, rank_text(2)), likely(unlearned.model, rank_text(1))
    assert best < 0.1
    assert worst > best  # hidden behind the best rank, and still there behind the other
    assert unlearned.generate([retain], 14) == ["Bo Reyes was born in winter."]
