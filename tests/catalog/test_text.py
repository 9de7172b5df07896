"""Folding and suggestions."""

from __future__ import annotations

import json

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
    to_json,
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


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_ascii_is_read_as_any_other_text_is(text: str) -> None:
    elsewhere = f"{text} é"  # one letter that is not plain, apart from the others
    assert [*words(text), "e"] == words(elsewhere)
    assert f"{same_title(text)}e" == same_title(elsewhere)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_as_the_standard_library_writes_it(value: object) -> None:
    assert to_json(value) == json.dumps(value, indent=2, ensure_ascii=False) + "\n"


@given(st.floats(allow_nan=False) | st.text(st.characters(categories=["Cs", "L"])))
def test_json_reads_back_equal(value: object) -> None:
    assert json.loads(to_json([value])) == [value]


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
