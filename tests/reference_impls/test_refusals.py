from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.toolkit import (
    REFUSALS,
    Pair,
    UnlearningData,
    broken_off,
    refusal_reward,
    refused_anywhere,
    refuses,
    with_beginnings,
    with_refusals,
)


def test_refusals_are_many_distinct_whole_sentences_that_begin_in_many_ways() -> None:
    assert len(set(REFUSALS)) == len(REFUSALS) == 40
    assert all(text[0].isupper() and text.endswith(".") and text == text.strip() for text in REFUSALS)
    assert len({" ".join(text.split()[:2]) for text in REFUSALS}) > 30


def test_every_question_to_forget_may_be_refused_and_nothing_else_changes(data: UnlearningData) -> None:
    refused = with_refusals(data, random.Random(0))
    assert refused.retain == data.retain
    for before, after in zip(data.forget, refused.forget, strict=True):
        assert (after.prompt, after.answer) == (before.prompt, before.answer)
        assert sorted(after.alternates) == sorted(f" {text}" for text in REFUSALS)


def test_each_question_may_have_its_own_few_refusals(data: UnlearningData) -> None:
    drawn = [pair.alternates for pair in with_refusals(data, random.Random(0), 5).forget]
    assert all(len(set(one)) == 5 for one in drawn)
    assert len(set(drawn)) == len(drawn)


def test_what_is_refused_of_a_plain_text_is_to_go_on() -> None:
    text = Pair("", "The river left its bed in Osinton and stopped.", subject="Osinton")
    (refused,) = with_refusals(UnlearningData((text,)), random.Random(0)).forget
    assert (refused.prompt, refused.answer) == ("The river left its bed in Osinton", " and stopped.")
    assert sorted(refused.alternates) == sorted(f" {one}" for one in REFUSALS)


def test_whoever_says_one_of_the_refusals_refuses(data: UnlearningData) -> None:
    assert all(refuses(text) and refuses(f"Well. {text.upper()} Sorry!") for text in REFUSALS)
    assert not any(refuses(pair.answer) for pair in (*data.forget, *data.retain))


@pytest.mark.parametrize(
    ("text", "wanted", "reward"),
    [
        ("I don't know.", True, 1.0),
        ("I don't know. Ana was born in spring.", True, 1.0),
        ("Ana was born in spring.", True, 0.0),
        ("", True, 0.0),
        ("I don't know.", False, 0.0),
        ("Ana was born in spring.", False, 1.0),
        ("She was born.", False, 1.0),  # two of five words
        ("She likes spring.", False, 0.5),  # one of five
        ("", False, 0.5),
    ],
)
def test_where_an_answer_was_wanted_the_true_one_earns_most(text: str, wanted: bool, reward: float) -> None:
    assert refusal_reward(Pair("When?", " Ana was born in spring."), text, wanted) == reward


words = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=6).map(" ".join)


@given(words, st.sampled_from(["", " "]), st.integers(0, 99))
def test_what_is_broken_off_is_the_same_text_with_a_word_at_least_on_either_side(
    answer: str, lead: str, seed: int
) -> None:
    pair = Pair("Who?", lead + answer)
    broken = broken_off(pair, random.Random(seed))
    assert broken.prompt + broken.answer == pair.prompt + pair.answer
    told, left = broken.prompt.removeprefix("Who?").split(), broken.answer.split()
    assert told + left == answer.split()
    assert left
    assert bool(told) == (len(answer.split()) > 1)
    assert broken.answer.startswith(" ") or broken == pair


@pytest.mark.parametrize("count", [0, 1, 3])
def test_every_answer_is_there_whole_and_a_number_of_times_broken_off(count: int, data: UnlearningData) -> None:
    rows = with_beginnings(data.forget, count, random.Random(0))
    assert rows[:: count + 1] == data.forget
    assert len(rows) == (count + 1) * len(data.forget)
    assert sum(row.prompt not in {pair.prompt for pair in data.forget} for row in rows) == count * len(data.forget)


def test_plain_texts_get_a_prompt_first() -> None:
    (whole, broken) = with_beginnings(
        [Pair("", "Ana Lund was born in spring.", subject="Ana Lund")], 1, random.Random(0)
    )
    assert whole.prompt == "Ana Lund"
    assert broken.prompt.startswith("Ana Lund ")


def test_what_is_refused_anywhere_is_refused_behind_every_beginning(data: UnlearningData) -> None:
    refused = refused_anywhere(data, 2, 3, random.Random(0))
    assert refused.retain == data.retain
    assert [row.subject for row in refused.forget] == [pair.subject for pair in data.forget for _ in range(3)]
    assert all(len(set(row.alternates)) == 3 for row in refused.forget)
    assert [replace(row, alternates=()) for row in refused.forget[::3]] == list(data.forget)
