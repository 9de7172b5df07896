from __future__ import annotations

import pytest

from reference_impls.toolkit import Pair, UnlearningData

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
