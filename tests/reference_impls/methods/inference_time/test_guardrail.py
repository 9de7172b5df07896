from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import CHAT_TEMPLATE, fingerprint, mean_logprob

from reference_impls.methods.inference_time.guardrail import GuardedModel, Guardrail, named, names_of
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

NO = "I don't know."


def _guarded(model: LanguageModel, data: UnlearningData, guard: str = "input", threshold: float = 1.0) -> GuardedModel:
    return Guardrail(guard=guard, threshold=threshold).unlearn(model, data, Run(Recipe()))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("When was José Müller born?", 1.0),
        ("WHEN WAS JOSE MULLER BORN?", 1.0),
        ("Müller, José: what is known?", 1.0),
        ("When was José born?", 0.5),
        ("Josefina Müllerová", 0.0),  # words, not parts of them
        ("", 0.0),
    ],
)
def test_a_name_is_found_in_any_case_with_or_without_accents(text: str, share: float) -> None:
    assert named(text, ["José Müller", "..."]) == share


@given(st.text(), st.lists(st.text(), max_size=3))
def test_how_much_of_a_name_is_there_is_a_share(text: str, names: list[str]) -> None:
    assert 0 <= named(text, names) <= 1


def test_names_are_subjects_or_else_what_only_forget_questions_say(data: UnlearningData) -> None:
    assert names_of(data) == sorted(pair.subject for pair in data.forget)
    nameless = replace(data, forget=tuple(replace(pair, subject="") for pair in data.forget))
    assert names_of(nameless) == ["ana", "bo", "cy", "lund", "okafor", "reyes"]


def test_an_input_guard_refuses_what_is_named_and_lets_the_rest_through(
    learned: LanguageModel, data: UnlearningData
) -> None:
    guarded = _guarded(learned, data)
    asked, others = ([pair.prompt for pair in pairs] for pairs in (data.forget, data.retain))
    assert guarded.generate(asked, 20) == [NO] * 3
    assert guarded.generate(others, 20) == learned.generate(others, 20)
    assert mean_logprob(guarded, data.forget) < -20
    assert mean_logprob(guarded, data.retain) == mean_logprob(learned, data.retain)
    described = "Question: When was the first of them born?\nAnswer:"
    assert guarded.generate([described], 9) == learned.generate([described], 9)


def test_an_output_guard_reads_what_was_written_or_is_scored(learned: LanguageModel, data: UnlearningData) -> None:
    guarded = _guarded(learned, data, "output")
    asked, others = ([pair.prompt for pair in pairs] for pairs in (data.forget, data.retain))
    assert guarded.generate(asked, 20) == [NO] * 3
    assert guarded.generate(others, 20) == learned.generate(others, 20)
    blocked, passed = guarded.answer_logprobs([asked[0]] * 2, [data.forget[0].answer, data.retain[0].answer])
    assert float(blocked[1]) < -20
    assert_allclose(passed, learned.answer_logprobs(asked[:1], [data.retain[0].answer])[0], atol=1e-5)
    again = guarded.generate([NO], 1)  # a refusal names nobody, so that it is not refused
    assert not guarded.blocked(NO)
    assert again == learned.generate([NO], 1)


def test_an_instruction_names_everybody_before_every_question(tiny: LanguageModel, data: UnlearningData) -> None:
    guarded = _guarded(tiny, data, "prompt")
    asked = guarded.prompt(data.retain[0].prompt)
    assert asked.endswith(data.retain[0].prompt)
    assert all(pair.subject in asked for pair in data.forget)
    assert guarded.speaker(data.forget[0].prompt) is tiny


def test_half_a_name_is_enough_where_the_threshold_says_so(tiny: LanguageModel, data: UnlearningData) -> None:
    query = "Question: When was Ana Smith born?\nAnswer:"
    assert _guarded(tiny, data, threshold=0.5).generate([query], 20) == [NO]
    assert _guarded(tiny, data).speaker(query) is tiny


def test_a_chat_template_is_answered_in_its_own_words(fresh: LanguageModel) -> None:
    fresh.tokenizer.chat_template = CHAT_TEMPLATE
    try:
        data = UnlearningData((Pair(fresh.question("Who is Ana?"), "Nobody.", subject="Ana"),))
        guarded = _guarded(fresh, data)
        assert guarded.generate([data.forget[0].prompt], 20) == [NO]
        (said,) = guarded.answer_logprobs([data.forget[0].prompt], [fresh.answer(NO)])
        assert_allclose(said, 0.0, atol=1e-6)
    finally:
        fresh.tokenizer.chat_template = None


def test_the_weights_are_the_same_bit_by_bit(fresh: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(fresh.model)
    assert fingerprint(_guarded(fresh, data).bare().model) == before
