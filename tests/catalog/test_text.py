"""Folding and suggestions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.base.text import (
    did_you_mean,
    fitting,
    fold,
    nearest,
    printable,
    same_title,
    sentence,
    shorten,
    slug,
    words,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Müller’s", "mullers"), ("ŁÓDŹ", "lodz"), ("Straße", "strasse"), ("İstanbul", "istanbul"), ("ﬁne", "fine")],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_words_and_keys() -> None:
    assert words("Who’s — “GPT-4”?") == ["whos", "gpt", "4"]
    assert same_title("A  Naïve: Title!") == same_title("a naive title")
    assert slug("TOFU's  Baselines (β)") == "tofus-baselines"


def test_long_texts_end_with_a_whole_line() -> None:
    assert fitting(["ab", "cd"], 6) == "ab\ncd"
    assert fitting(["ab", "cd", "ef"], 6) == "ab\ncd\n\n... and more: the command shows all of it."
    assert [sentence(text) for text in ("Right?", "Right.", "Right")] == ["Right?", "Right.", "Right."]


def test_nearest_goes_through_aliases() -> None:
    assert nearest("TOFU", ["tofu", "muse"]) == "tofu"
    assert nearest("finetune", ["a"], {"Fine-tune": "a"}) == "a"
    assert nearest("xyz", ["tofu"]) is None
    assert did_you_mean("tofo", ["tofu"]) == "Did you mean 'tofu'?"
    assert did_you_mean("xyz", ["tofu"]) == ""


@given(st.text(st.characters()))
def test_printable_is_one_line_that_can_be_printed(text: str) -> None:
    line = printable(text)
    assert line.isprintable()
    line.encode("utf-8")
    assert len(shorten(text)) <= 60
