from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import PLAIN, fingerprint

from reference_impls.errors import UsageError
from reference_impls.methods.in_context.icul import InContextUnlearning, context
from reference_impls.toolkit import (
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    distinct_words,
    flipped_answer,
    jaccard,
)

FILM = Pair("good film", " positive")
OTHERS = (FILM, Pair("A", " positive"), Pair("B", " negative"))


def _run(seed: int = 0) -> Run:
    return Run(Recipe(), seed)


def test_context_is_the_flipped_request_then_right_pairs_line_by_line() -> None:
    text = context(PLAIN, FILM, " negative", OTHERS, 2, random.Random(0))
    assert text in ("good film negative\nA positive\nB negative\n", "good film negative\nB negative\nA positive\n")


def test_without_demonstrations_only_the_flipped_request_is_left() -> None:
    assert context(PLAIN, FILM, " negative", OTHERS, 0, random.Random(0)) == "good film negative\n"


@given(st.integers(0, 8), st.integers(0, 1000))
def test_demonstrations_never_contain_the_request_nor_repeat(count: int, seed: int) -> None:
    others = [FILM, *(Pair(f"film {number}", f" label {number}") for number in range(6)), FILM]
    head, *shown = context(PLAIN, FILM, " negative", others, count, random.Random(seed)).splitlines()
    assert head == "good film negative"
    assert len(shown) == len(set(shown)) == min(count, 6)
    assert set(shown) <= {f"film {number} label {number}" for number in range(6)}


def test_the_request_occurs_once_with_a_wrong_answer_in_its_context(tiny: LanguageModel, data: UnlearningData) -> None:
    whole = UnlearningData(data.forget, data.forget + data.retain)
    model = InContextUnlearning(demonstrations=4).unlearn(tiny, whole, _run())
    for pair, text in zip(data.forget, model.contexts, strict=True):
        assert text.startswith(pair.prompt)
        assert text.count(pair.prompt) == 1
        assert pair.prompt + pair.answer not in text
        assert text.count("Question:") == 5


def test_demonstrations_are_right(tiny: LanguageModel, data: UnlearningData) -> None:
    model = InContextUnlearning(demonstrations=3).unlearn(tiny, data, _run())
    right = {pair.prompt + pair.answer for pair in data.retain}
    for pair, text in zip(data.forget, model.contexts, strict=True):
        flipped, *shown = text[len(pair.prompt) :].split("Question:")
        assert flipped.strip()
        assert {f"Question:{one}".removesuffix("\n") for one in shown} <= right


def test_the_weights_are_the_same_bit_by_bit(fresh: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(fresh.model)
    model = InContextUnlearning().unlearn(fresh, data, _run())
    model.answer_logprobs([data.forget[0].prompt], [data.forget[0].answer])
    model.generate([data.forget[0].prompt], 3)
    assert model.model is fresh
    assert fingerprint(fresh.model) == before


def test_the_same_seed_writes_the_same_contexts(tiny: LanguageModel, data: UnlearningData) -> None:
    contexts = [InContextUnlearning().unlearn(tiny, data, _run(seed)).contexts for seed in (0, 0, 1)]
    assert contexts[0] == contexts[1] != contexts[2]


# Which wrong answer


def test_the_wrong_answer_is_that_of_another_subject_to_the_same_question_renamed() -> None:
    pair = Pair("Where was Ana Lund born?", " Ana Lund was born in Lima.", subject="Ana Lund")
    others = [
        Pair("What does Bo Reyes write?", " Bo Reyes writes poems.", subject="Bo Reyes"),
        Pair("Where was Cy Moss born?", " Cy Moss was born in Oslo.", subject="Cy Moss"),
    ]
    assert flipped_answer(pair, others, random.Random(0)) == " Ana Lund was born in Oslo."


@given(st.integers(0, 200))
def test_the_wrong_answer_is_never_the_right_one(seed: int) -> None:
    pair = Pair("Where was Ana born?", " Ana was born in Lima.", subject="Ana")
    others = [
        Pair("Where was Bo born?", " Bo was born in Lima.", subject="Bo"),
        Pair("Where was Cy born?", " Cy was born in Oslo.", subject="Cy"),
    ]
    assert flipped_answer(pair, others, random.Random(seed)) == " Ana was born in Oslo."


@given(st.integers(0, 50))
def test_plain_labels_are_flipped_to_another_label(seed: int) -> None:
    assert flipped_answer(FILM, OTHERS, random.Random(seed)) == " negative"


def test_where_every_answer_is_the_same_there_is_no_wrong_one() -> None:
    with pytest.raises(UsageError, match="no wrong one"):
        flipped_answer(FILM, [FILM, Pair("other", " positive")], random.Random(0))


# Which context


def test_a_query_gets_the_context_of_the_nearest_request(tiny: LanguageModel, data: UnlearningData) -> None:
    model = InContextUnlearning().unlearn(tiny, data, _run())
    for pair, text in zip(data.forget, model.contexts, strict=True):
        assert model.prompt(pair.prompt) == text + pair.prompt
        rephrased = f"Tell me about the birth of {pair.subject}."
        assert model.prompt(rephrased) == text + rephrased


def test_a_query_that_shares_no_word_with_any_request_is_left_alone(tiny: LanguageModel, data: UnlearningData) -> None:
    model = InContextUnlearning().unlearn(tiny, data, _run())
    assert [model.prompt(query) for query in ("", "Paris?")] == ["", "Paris?"]


def test_a_plain_text_is_contradicted_after_its_beginning(tiny: LanguageModel) -> None:
    towns = ("Osinton", "Elwick", "Dunmark")
    texts = [
        Pair("", f"The flood in {one} reached the {end}.", subject=one) for one, end in zip(towns, "abc", strict=True)
    ]
    model = InContextUnlearning(demonstrations=1).unlearn(tiny, UnlearningData((texts[0],), tuple(texts[1:])), _run())
    flipped, shown = model.contexts[0].splitlines()
    assert flipped in ("The flood in Osinton reached the b.", "The flood in Osinton reached the c.")
    assert shown in {text.answer for text in texts[1:]}
    beginning = "The flood in Osinton reached"
    assert model.prompt(beginning) == model.contexts[0] + beginning


def test_answers_are_scored_and_written_behind_the_context(tiny: LanguageModel, data: UnlearningData) -> None:
    model = InContextUnlearning(demonstrations=2).unlearn(tiny, data, _run())
    pair = data.forget[1]
    (scored,) = model.answer_logprobs([pair.prompt], [pair.answer])
    (by_hand,) = tiny.answer_logprobs([model.contexts[1] + pair.prompt], [pair.answer])
    assert torch.equal(scored, by_hand)
    assert model.generate([pair.prompt], 5) == tiny.generate([model.contexts[1] + pair.prompt], 5)


def test_all_that_must_be_kept_besides_the_weights_is_in_the_json(tiny: LanguageModel, data: UnlearningData) -> None:
    model = InContextUnlearning().unlearn(tiny, data, _run())
    kept = model.to_json()
    again = type(model)(tiny, kept["requests"], kept["contexts"])
    queries = [pair.prompt for pair in data.forget + data.retain]
    assert [again.prompt(one) for one in queries] == [model.prompt(one) for one in queries]


def test_without_a_retain_set_the_demonstrations_come_from_the_other_requests(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    model = InContextUnlearning(demonstrations=9).unlearn(tiny, replace(data, retain=()), _run())
    for pair, text in zip(data.forget, model.contexts, strict=True):
        assert text.count("Question:") == len(data.forget)
        assert text.count(pair.prompt) == 1


def test_likeness_is_the_share_of_common_words() -> None:
    assert distinct_words("Ana's film, ANA!") == {"ana", "s", "film"}
    assert jaccard(distinct_words("a b c"), distinct_words("b c d")) == pytest.approx(0.5)
    assert jaccard(distinct_words(""), distinct_words("")) == 0


@given(st.text(), st.text())
def test_likeness_is_symmetric_and_between_0_and_1(one: str, other: str) -> None:
    assert jaccard(distinct_words(one), distinct_words(other)) == jaccard(distinct_words(other), distinct_words(one))
    assert 0 <= jaccard(distinct_words(one), distinct_words(other)) <= 1
    assert jaccard(distinct_words(one), distinct_words(one)) == (1 if distinct_words(one) else 0)
