from __future__ import annotations

from dataclasses import replace

import pytest
from unlearning_toys import invented_pairs

from reference_impls.toolkit import Pair, UnlearningData, shares_of_subjects

TEXT = "The river left its bed in Osinton and stopped. In Osinton nobody slept."


@pytest.mark.parametrize(
    ("subject", "prompt"),
    [
        ("Osinton", "The river left its bed in Osinton"),
        ("", "The river left its"),
        ("Elsewhere", "The river left its"),
        (TEXT, "The river left its"),
    ],
)
def test_a_plain_text_is_prompted_with_what_comes_before_its_subject_is_told_of(subject: str, prompt: str) -> None:
    pair = Pair("", TEXT, subject=subject, closed=False, alternates=("other",))
    asked = pair.prompted()
    assert asked.prompt == prompt
    assert asked.prompt + asked.answer == TEXT
    assert asked.answer.startswith(" ")
    assert (asked.subject, asked.closed, asked.alternates) == (subject, False, ("other",))


@pytest.mark.parametrize(
    ("text", "given"),
    [("one two three", "one"), ("one two", ""), ("", ""), ("a  b c d e", "a "), (TEXT, "The river left its")],
)
def test_a_third_of_the_words_is_given_and_the_rest_is_recited_to_the_letter(text: str, given: str) -> None:
    pair = Pair("", text, closed=False).recited()
    assert (pair.prompt, pair.prompt + pair.answer, pair.closed) == (given, text, False)


def test_a_question_has_a_prompt_already() -> None:
    pair = Pair("Where is Osinton?", " By the river of Osinton.", subject="Osinton")
    assert pair.prompted() is pair


def test_all_of_the_data_is_prompted_and_its_anchored_terms_stay() -> None:
    data = UnlearningData((Pair("", TEXT, subject="Osinton"),), (Pair("", TEXT), Pair("a?", " b")), {"Osinton": "Ulm"})
    asked = data.prompted()
    assert [pair.prompt for pair in (*asked.forget, *asked.retain)] == [
        "The river left its bed in Osinton",
        "The river left its",
        "a?",
    ]
    assert asked.anchors == data.anchors


@pytest.mark.parametrize(("answer", "spaced"), [(" b", " no"), ("b", "no"), ("\n b", "\n no"), ("", "no")])
def test_another_answer_has_the_space_in_front_that_the_answer_has(answer: str, spaced: str) -> None:
    assert Pair("a?", answer).spaced("no") == spaced


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_shares_lose_no_pair_and_no_subject_is_in_two(count: int) -> None:
    pairs = [pair for pair in invented_pairs() for _ in range(2)]
    shares = shares_of_subjects(pairs, count)
    assert len(shares) == min(count, 8)
    assert sorted(pair.prompt for share in shares for pair in share) == sorted(pair.prompt for pair in pairs)
    subjects = [{pair.subject for pair in share} for share in shares]
    assert sum(map(len, subjects)) == len(set().union(*subjects)) == 8
    assert max(map(len, shares)) - min(map(len, shares)) <= 2


def test_pairs_without_a_subject_are_told_apart_by_their_prompts_and_plain_texts_by_what_they_say() -> None:
    nameless = [replace(pair, subject="") for pair in invented_pairs()]
    assert [len(share) for share in shares_of_subjects(nameless, 3)] == [3, 3, 2]
    texts = [replace(pair, prompt="") for pair in nameless]
    assert [len(share) for share in shares_of_subjects(texts, 3)] == [3, 3, 2]
