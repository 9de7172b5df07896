from __future__ import annotations

import random
from dataclasses import replace

import pytest
from unlearning_toys import NAMES, Saying, fingerprint, mean_logprob, question

from reference_impls.methods.data_centric.synthetic_textbook import SyntheticTextbook, questions, textbook
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData, UsageError

RECIPE = Recipe(learning_rate=3e-3, steps=4, batch_size=3)


def blank(data: UnlearningData) -> UnlearningData:
    """The names of whom to forget, and nothing else."""
    return replace(data, forget=tuple(Pair("?", " -", subject=pair.subject) for pair in data.forget))


def test_what_is_asked_about_others_is_asked_about_each_name_once() -> None:
    others = [
        Pair("When was Ann born?", "", rephrased_prompt="Ann was born when?", subject="Ann"),
        Pair("When was Bob born?", "", subject="Bob"),
        Pair("Who is it?", "", subject="Bob"),
    ]
    forget = [Pair("?", " yes", subject="Cy"), Pair("??", " no", subject="Cy"), Pair("Why?", " so")]
    assert questions(forget, others) == [
        Pair("When was Cy born?", "", subject="Cy"),
        Pair("Cy was born when?", "", subject="Cy"),
        Pair("Why?", ""),
    ]


def test_each_text_is_there_once_and_none_is_empty(tiny: LanguageModel) -> None:
    asked = [Pair("A", "", subject="A"), Pair("B", "", subject="B")]
    said = textbook(Saying(tiny, ["one", "one", "two", ""]), asked, 2, 9, 0.7)
    assert [(pair.prompt, pair.answer.strip(), pair.subject) for pair in said] == [("A", "one", "A"), ("B", "two", "B")]


def test_the_size_is_that_of_the_set_that_it_replaces(memorized: LanguageModel, data: UnlearningData) -> None:
    for size, most in ((1.0, 4), (0.4, 2)):
        Run(RECIPE)
        written = SyntheticTextbook(size=size, length=8).written(memorized, data, random.Random(0))
        assert 1 <= len(written) <= most
        assert {pair.subject for pair in written} <= set(NAMES[:3])
        assert {pair.prompt for pair in written} <= {question(name) for name in NAMES[:3]}


def test_the_forget_set_gives_names_alone(memorized: LanguageModel, data: UnlearningData) -> None:
    one, other = (SyntheticTextbook().unlearn(memorized.copy(), each, Run(RECIPE)) for each in (data, blank(data)))
    assert fingerprint(one.model) == fingerprint(other.model)
    assert fingerprint(one.model) != fingerprint(memorized.model)


def test_without_anybody_to_ask_about_there_is_no_set(memorized: LanguageModel, data: UnlearningData) -> None:
    nobody = replace(blank(data), retain=tuple(replace(pair, subject="") for pair in data.retain))
    with pytest.raises(UsageError, match="name no subject"):
        SyntheticTextbook().written(memorized, nobody, random.Random(0))


def test_what_was_written_stands_for_the_true_answers(learned: LanguageModel, data: UnlearningData) -> None:
    """A model that knows them by heart writes them, so that forgetting its texts forgets them."""
    method = SyntheticTextbook(steering=50.0, retain_weight=20.0, temperature=0.1, length=24)
    after = method.unlearn(learned.copy(), blank(data), Run(replace(RECIPE, steps=20)))
    assert mean_logprob(after, data.forget) < mean_logprob(learned, data.forget) - 0.2
    lost = [mean_logprob(learned, pairs) - mean_logprob(after, pairs) for pairs in (data.forget, data.retain)]
    assert lost[0] > 1.5 * lost[1]
