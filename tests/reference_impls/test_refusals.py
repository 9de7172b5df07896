from __future__ import annotations

import random

import pytest

from reference_impls.toolkit import REFUSALS, Pair, UnlearningData, refusal_reward, refuses, with_refusals


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
