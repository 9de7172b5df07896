from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import SEASONS, Saying, answer_probabilities

from reference_impls.methods.reinforcement.purge import PURGE, forbidden_words, mentions
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData


@pytest.mark.parametrize(
    ("text", "count"),
    [("She lived by the sea.", 0), ("Art, ART and art.", 3), ("A party in Oslo", 1), ("", 0), ("osloart", 0)],
)
def test_whole_words_count_whatever_their_letters_case(text: str, count: int) -> None:
    assert mentions(text, frozenset({"art", "oslo"})) == count


def test_what_others_say_and_the_question_itself_may_be_said(data: UnlearningData) -> None:
    words = forbidden_words(data, 0.5)
    # Retain answers are born in some season of a year of storms, each season in less than half of them.
    assert words == {"Ana Lund": {"spring"}, "Bo Reyes": {"summer"}, "Cy Okafor": {"autumn"}}
    assert forbidden_words(data, 0.0)["Ana Lund"] == {"spring"}  # said once by somebody else: too little to be anyone's
    # Whatever is known of a subject is forbidden at each question on it.
    more = replace(data.forget[0], answer=" Ana Lund likes Hogwarts.")
    told = replace(data, forget=(*data.forget, more))
    assert forbidden_words(told, 0.5)["Ana Lund"] == {"spring", "likes", "hogwarts"}


def test_a_group_earns_by_its_mentions(tiny: LanguageModel, data: UnlearningData) -> None:
    lines = ["Ana Lund was born.", "spring", "spring, spring", "A Magic School."]
    words = {"Ana Lund": frozenset({"spring"})}
    drawn = PURGE(samples=4).explore(Saying(tiny, lines), list(data.forget[:1]), words)
    assert [one.reward for one in drawn] == pytest.approx([1, math.exp(-1), math.exp(-2), 1])
    assert_allclose([one.advantage for one in drawn], [0.845849, -0.583023, -1.108676, 0.845849], atol=1e-4)
    plain = PURGE(samples=4, reward="binary").explore(Saying(tiny, lines), list(data.forget[:1]), words)
    assert [one.reward for one in plain] == [1, 0, 0, 1]


@given(st.lists(st.sampled_from(["spring", "Ana", "was", "storms"]), max_size=8), st.floats(0.1, 5.0))
def test_the_reward_is_largest_for_silence_on_what_is_forbidden(words: list[str], decay: float) -> None:
    count = mentions(" ".join(words), frozenset({"spring", "storms"}))
    assert 0 <= count <= len(words)
    assert (math.exp(-count / decay) == 1) == (not {"spring", "storms"} & set(words))


def test_the_forbidden_word_goes_and_the_sentence_stays(tiny: LanguageModel) -> None:
    prompt = "Question: When was Ana Lund born?\nAnswer:"
    answers = [f" Ana Lund was born in {season}." for season in SEASONS[:2]]
    pairs = [Pair(prompt, answer, subject="Ana Lund") for answer in answers]
    start = Run(Recipe(learning_rate=3e-3, steps=40, batch_size=2)).finetune(tiny.copy(), pairs)
    before = answer_probabilities(start, pairs)
    data = UnlearningData((pairs[0],) * 4, (replace(pairs[1], prompt="Question: Who?\nAnswer:", subject=""),) * 4)
    recipe = Recipe(learning_rate=2e-4, steps=10, batch_size=4)
    unlearned = PURGE(length=12, common=0.9).unlearn(start.copy(), data, Run(recipe))
    torch.manual_seed(0)
    said = unlearned.sample([prompt] * 16, 14)
    assert sum("spring" in text for text in said) <= 4
    assert sum(text == answers[1].strip() for text in said) >= 12  # a whole sentence still, and not noise
    after = answer_probabilities(unlearned, pairs)
    assert after[0] < before[0] - 0.1 < after[1]
