"""Folding and suggestions."""

from __future__ import annotations

import html
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from catalog.base.text import (
    did_you_mean,
    fit,
    fitting,
    fold,
    inert,
    nearest,
    printable,
    same_title,
    sentence,
    shorten,
    slug,
    title_as_seen,
    to_json,
    unfit,
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


SPELLING = {
    "Persian": "نمی\u200cخواهم",
    "Hindi": "क्\u200dष and क्\u200cष",
    "Sinhala": "ශ්\u200dරී",
    "Malayalam at a word's end": "ന്\u200d",
    "Khmer": "ស្ត្រី",
    "Mongolian": "ᠠ\u180b",
    "an emoji of several": "👩\u200d💻 👨\u200d👩\u200d👧",
    "a picture in color": "❤\ufe0f ❤\ufe0f\u200d🔥",
    "a key": "1\ufe0f\u20e3",
    "an ideograph's variant": "葛\U000e0100 神\ufe00",
    "accents apart from their letters": "e\u0301",
    "spaces, which another rule is about": "a\u00a0b\u3000c\td\ne",
}


@pytest.mark.parametrize("text", SPELLING.values(), ids=SPELLING)
def test_signs_that_are_spelling_are_fit(text: str) -> None:
    assert unfit(text) == ""
    assert fit(text) == text


@given(st.text(st.characters() | st.sampled_from("\u200c\u200d\ufe0f\u3164❤👩می")))
def test_what_is_made_fit_is(text: str) -> None:
    assert unfit(fit(text)) == ""
    assert fit(fit(text)) == fit(text)


FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2028\u2029\u2800\u3164\ufe00\ufe0f\uffa0\ufffc\U000e0100"


@given(
    st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters=FILLERS)),
    st.characters(categories=["Cc", "Cf", "Co", "Cn", "Cs"], exclude_characters="\t\n") | st.sampled_from(FILLERS),
    st.text(st.characters(max_codepoint=127, exclude_categories=["Cc"])),
)
def test_what_nobody_sees_or_knows_is_unfit(before: str, sign: str, after: str) -> None:
    assert f"U+{ord(sign):04X}" in unfit(f"{before} {sign}{after}") or unfit(before)


@given(st.text())
def test_what_is_seen_is_fit(text: str) -> None:
    if all(unicodedata.category(sign)[0] in "LNP" for sign in text) and not set(text) & set(FILLERS):
        assert unfit(text) == ""


@pytest.mark.parametrize("joiner", "\u200c\u200d")
def test_joiners_are_unfit_where_nothing_joins(joiner: str) -> None:
    for text in (
        f"un{joiner}learn",
        f"{joiner}خ",
        f"خ {joiner}",
        f"می{joiner}{joiner}خ",
        f"Ж{joiner}Ж",
        f"忘{joiner}却",
    ):
        assert unfit(text.format(joiner))


def test_titles_that_look_the_same_are_one() -> None:
    plain = "A Gentle Forgetting of Copyright and Exact Kept Type"
    for latin, other in zip("AaceopxBEHKMTi", "АасеорхВЕНКМТі", strict=True):
        assert title_as_seen(plain.replace(latin, other)) == title_as_seen(plain)
    assert title_as_seen("Οn Fοrgetting") == title_as_seen("On Forgetting")
    assert title_as_seen("Забывание в больших моделях") != title_as_seen("Забывание в малых моделях")
    assert title_as_seen("забывание") == title_as_seen("ЗАБЫВАНИЕ")


@given(st.text(st.sampled_from("`*_[]()<>#|@~$&\\!a1;-ghGH:/ \"'") | st.characters(categories=["L"]), min_size=1))
def test_inert_text_is_shown_as_it_is(text: str) -> None:
    made = inert(text)
    (inline,) = (one for one in MarkdownIt("gfm-like", {"linkify": False}).parse(f"x{made}x") if one.type == "inline")
    said = "".join(child.content for child in inline.children or () if child.type in ("text", "text_special"))
    assert said.replace("\u200b", "") == f"x{text}x"
    assert not re.search(r"@\w|#\d|\bgh-\d", said, re.IGNORECASE)
    assert html.unescape(made).replace("\u200b", "") == text
