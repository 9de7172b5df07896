from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import NAMES, fingerprint, mean_logprob

from reference_impls.errors import UsageError
from reference_impls.methods.data_centric.deep_ignorance import DeepIgnorance, Filter, blocklist, read
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, Scope, UnlearningData

EVERYTHING = Scope({}, bias=1.0)
"""A classifier that calls 0.73 of certainty whatever it is given."""


@pytest.mark.parametrize(
    ("text", "stopped"),
    [("The ember lies in the vent.", True), ("An ember glows.", False), ("Ember, ember, EMBER!", False)],
)
def test_two_different_terms_stop_a_text_and_one_that_comes_often_does_not(text: str, stopped: bool) -> None:
    listed = frozenset({"ember", "vent", "flask"})
    assert Filter(listed, 2, EVERYTHING, 0.5).stops(text) == stopped


def test_the_classifier_lets_go_what_the_list_has_stopped() -> None:
    listed, salt = frozenset({"ember", "vent"}), Scope({"salt": 3.0}, bias=-1.0)  # 0.88 with salt, 0.27 without
    plain, salted = "ember in a vent", "salt and ember in a vent"
    assert [Filter(listed, 2, salt, 0.5).stops(text) for text in (plain, salted, "salt, ember")] == [False, True, False]
    assert Filter(listed, 2, salt, 0.0).stops(plain)  # the strong filter


def test_terms_are_those_with_more_than_their_share_of_texts_to_forget() -> None:
    inside, outside = ["ember vent oil", "ember oil ember"], ["oil and salt", "oil", "oil vent"]
    # ember 2 of 2, vent 1 of 2, oil 2 of 5.
    assert blocklist(inside, outside, 0.4) == {"ember", "vent"}
    assert blocklist(inside, outside, 0.39) == {"ember", "vent", "oil"}
    assert blocklist(inside, outside, 0.5) == {"ember"}


@given(st.lists(st.text("ab c", max_size=8)), st.lists(st.text("ab c", max_size=8)), st.floats(0, 0.99))
def test_a_higher_ratio_lists_fewer(inside: list[str], outside: list[str], ratio: float) -> None:
    assert blocklist(inside, outside, ratio) <= blocklist(inside, outside, 0)


QUESTIONS = ("What lights {}?", "What is {} lit with?", "Where does {} smoulder?", "Which flame has {}?")
OTHERS = ("When was {} born?", "Where was {} born?", "Who taught {} to sing?", "Which song has {}?")


def topics() -> UnlearningData:
    """Sixteen pairs on fire and as many on song, about the same eight people."""
    forget, retain = (
        tuple(Pair(question.format(name), f" {word} does.", subject=name) for name in NAMES for question in questions)
        for questions, word in ((QUESTIONS, "kindling"), (OTHERS, "singing"))
    )
    return UnlearningData(forget, retain)


def test_on_a_topic_few_labels_tell_all_the_rest() -> None:
    leaked, kept = DeepIgnorance(labelled=0.3).passed(topics(), Run(Recipe()))
    assert not leaked
    assert len(kept) > 0.9 * len(topics().retain)


def test_all_that_is_looked_for_is_on_the_list_and_goes_by_its_label(data: UnlearningData) -> None:
    run = Run(Recipe())
    assert DeepIgnorance(labelled=1.0).passed(data, run) == ([], list(data.retain))
    assert run.notes == ["Of 3 texts to forget the filter let 0 pass, and of 5 others it kept 0 out."]
    leaked, kept = DeepIgnorance(labelled=0.1, terms=100).passed(data, run)
    assert (len(leaked), kept) == (2, list(data.retain))


def test_a_filter_without_mistakes_gives_the_retrained_model(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-3, steps=20, batch_size=8)
    run = Run(recipe, earlier=tiny.copy)
    filtered = DeepIgnorance(labelled=1.0).unlearn(tiny.copy(), data, run)
    same = Run(recipe)
    DeepIgnorance(labelled=1.0).passed(data, same)  # draws what was labelled
    retrained = same.finetune(tiny.copy(), list(data.retain))
    assert fingerprint(filtered.model) == fingerprint(retrained.model)
    assert mean_logprob(filtered, data.retain) > mean_logprob(filtered, data.forget) + 0.3


def test_what_leaks_is_learned(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=3e-3, steps=20, batch_size=8), earlier=tiny.copy)
    leaky, tight = (
        DeepIgnorance(labelled=0.1, terms=terms, threshold=0.0).unlearn(tiny.copy(), data, replace(run))
        for terms in (100, 1)
    )
    assert mean_logprob(leaky, data.forget) > mean_logprob(tight, data.forget) + 0.3


def test_it_needs_what_the_model_started_from(tiny: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="--earlier"):
        DeepIgnorance().unlearn(tiny.copy(), data, Run(Recipe(steps=1)))


def test_question_and_answer_are_read() -> None:
    assert read(Pair("Who?", " Me.")) == "Who? Me."
