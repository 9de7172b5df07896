"""What the build packs, read again by the script that reads it in the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from catalog.base.project import Project
from catalog.outputs.site.packing import ALPHABET, digits, script, sorted_words, varint, width

in_browser = pytest.mark.browser
# The page is the same for all examples: reading leaves nothing behind.
examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def reader(browser: Browser, project: Project) -> Any:
    """A page with the script, and nothing else."""
    with browser.new_context() as context:
        page = context.new_page()
        page.add_script_tag(content=(project.site / "assets" / "js" / "data.js").read_text(encoding="utf-8"))
        yield page


@pytest.mark.parametrize(
    ("number", "letters"), [(0, "0"), (31, "V"), (32, "W1"), (33, "X1"), (1023, "_V"), (1024, "WW1")]
)
def test_numbers_of_any_length(number: int, letters: str) -> None:
    assert varint(number) == letters


@pytest.mark.parametrize(("count", "letters"), [(0, 1), (1, 1), (64, 1), (65, 2), (4096, 2), (4097, 3)])
def test_as_many_letters_as_tell_them_apart(count: int, letters: int) -> None:
    assert width(count) == letters
    if count:
        assert len({digits([number], letters) for number in (0, count // 2, count - 1)}) == min(count, 3)


def test_a_script_cannot_end_the_element_around_it() -> None:
    text = script("papers-0", ["</script>\u2028&"])
    assert "</script" not in text
    assert "\u2028" not in text
    assert json.loads(text.removeprefix('catalogData.take("papers-0",').removesuffix(");\n")) == ["</script>\u2028&"]


@in_browser
@examples
@given(numbers=st.lists(st.integers(0, 64**4 - 1), min_size=1, max_size=30))
def test_numbers_of_equal_width_come_back(reader: Page, numbers: list[int]) -> None:
    packed = digits(numbers, width(max(numbers) + 1))
    read = reader.evaluate("([text, count]) => Array.from(catalogData.digits(text, count))", [packed, len(numbers)])
    assert read == numbers


@in_browser
@examples
@given(documents=st.dictionaries(st.integers(0, 40_000), st.integers(0, 63), max_size=30))
def test_documents_and_weights_come_back(reader: Page, documents: dict[int, int]) -> None:
    packed, last = "", 0
    for number in sorted(documents):
        packed += ALPHABET[documents[number]] + varint(number - last)
        last = number
    read = reader.evaluate(
        "text => { const found = []; catalogData.postings(text, (...one) => found.push(one)); return found; }", packed
    )
    assert read == [[number, documents[number]] for number in sorted(documents)]


@in_browser
@examples
@given(words=st.sets(st.text("abéł文0", min_size=1, max_size=80), max_size=20))
def test_sorted_words_come_back(reader: Page, words: set[str]) -> None:
    given_words = sorted(words)
    assert reader.evaluate("text => catalogData.sortedWords(text)", " ".join(sorted_words(given_words))) == given_words


@in_browser
@examples
@given(value=st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
@example(value={"__proto__": "", 'a"__proto__': {"__proto__": ['"__proto__":']}})
def test_any_value_comes_back_from_its_script(reader: Page, value: Any) -> None:
    made = script("one", value)
    read = reader.evaluate(
        "made => { let read; catalogData.take = (name, value) => { read = value; }; eval(made); "
        "return JSON.stringify(read); }",
        made,
    )
    assert json.loads(read) == value  # as text: the browser's driver drops such a key itself
