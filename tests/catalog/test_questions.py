"""The form in which embedded models are asked: whatever is put in it comes out of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.model.questions import bare, first_answer, framed
from catalog.model.results import Example


@given(st.text())
@example("Question: Who?\nAnswer:")
@example("Who? Answer: ")
def test_a_question_comes_out_as_it_was_put_in(text: str) -> None:
    assert bare(framed(text)) == text
    assert Example(split="forget", prompt=framed(text), answer="", generated="").question == text


@pytest.mark.parametrize("prompt", ["", "Who?", "[user]Who?[assistant]", "Which Question: was it?"])
def test_a_prompt_in_another_form_stays(prompt: str) -> None:
    assert bare(prompt) == prompt


@given(st.text().filter(lambda text: "Question:" not in text), st.text())
def test_what_a_model_asks_itself_is_no_part_of_its_answer(said: str, asked: str) -> None:
    assert first_answer(said) == said.strip()
    assert first_answer(f"{said}\n{framed(asked)} In Oslo.") == said.strip()
