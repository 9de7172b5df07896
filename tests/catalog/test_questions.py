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
@example("What is between [INST] and [/INST]?")
def test_a_question_comes_out_as_it_was_put_in(text: str) -> None:
    assert bare(framed(text)) == text
    assert Example(split="forget", prompt=framed(text), answer="", generated="").question == text


@pytest.mark.parametrize(
    "prompt",
    [
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWho?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<bos><start_of_turn>user\nWho?<end_of_turn>\n<start_of_turn>model\n",
        "<|user|>\nWho?<|end|>\n<|assistant|>\n",
        "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nWho? [/INST]",
        "<s>[INST] Where? [/INST] There.</s>[INST] Who? [/INST]",
    ],
    ids=["chatml", "llama 3", "gemma", "phi 3", "llama 2", "the last of several"],
)
def test_a_question_in_the_turns_of_a_chat_comes_out(prompt: str) -> None:
    assert bare(prompt) == "Who?"


@pytest.mark.parametrize("prompt", ["", "Who?", "[user]Who?[assistant]", "Which Question: was it?"])
def test_a_prompt_in_another_form_stays(prompt: str) -> None:
    assert bare(prompt) == prompt


@given(st.text().filter(lambda text: "Question:" not in text), st.text())
def test_what_a_model_asks_itself_is_no_part_of_its_answer(said: str, asked: str) -> None:
    assert first_answer(said) == said.strip()
    assert first_answer(f"{said}\n{framed(asked)} In Oslo.") == said.strip()
