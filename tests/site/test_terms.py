"""First uses of the glossary's words become links, and nothing else changes."""

from __future__ import annotations

import re

import pytest

from catalog.model.guide import Definition
from catalog.outputs.site.glossary_links import Terms
from catalog.outputs.site.markdown import lines

GLOSSARY = (
    Definition(id="forget-set", term="Forget set", forms=("forget sets",), definition='What must "go".'),
    Definition(id="mia", term="Membership inference", forms=("MIA",), definition="Who was in it?"),
    Definition(id="membership", term="Membership", definition="Being in it."),
    Definition(id="utility", term="Utility", definition="Use.", linked="never"),
)


def link(text: str, seen: set[str] | None = None) -> str:
    return str(Terms(GLOSSARY).link(text, "../glossary.html", set() if seen is None else seen))


def test_the_first_use_of_a_term_is_linked_in_any_form() -> None:
    assert link("Two forget sets, one forget set.") == (
        'Two <a class="term" href="../glossary.html#forget-set" title="What must &quot;go&quot;.">forget sets</a>, '
        "one forget set."
    )


def test_a_page_links_a_term_once() -> None:
    seen: set[str] = set()
    assert "<a" in link("The forget set.", seen)
    assert link("The forget set.", seen) == "The forget set."


def test_the_longest_term_wins_and_words_are_whole() -> None:
    assert "#mia" in link("membership inference")
    assert "#membership" in link("membership")
    assert link("memberships, pre-membership, membership-like") == "memberships, pre-membership, membership-like"
    assert link("Utility is never linked.") == "Utility is never linked."


def test_an_abbreviation_keeps_its_case_and_lines_may_break_in_a_term() -> None:
    assert link("mia") == "mia"
    assert "#mia" in link("an MIA")
    assert re.search(r">forget\nset</a>", link("a forget\nset"))


@pytest.mark.parametrize(
    "text",
    [
        "`forget set`",
        "```\nforget set\n```",
        "## The forget set",
        "[forget set](there.md)",
        '<a href="x">the forget set</a>',
        '<p title="forget set">x</p>',
        "<code>forget set</code>",
        "<h2>The <b>forget set</b></h2>",
        "$forget set$",
        "$$\nforget set\n$$",
        "<math><mi>forget set</mi></math>",
        "---\ntitle: forget set\n---",
    ],
)
def test_code_formulas_headings_and_links_stay(text: str) -> None:
    assert link(text) == text


def test_without_a_glossary_nothing_changes() -> None:
    assert str(Terms(()).link("The forget set.", "glossary.html", set())) == "The forget set."


def test_formulas_that_stand_apart_get_a_line_each() -> None:
    assert lines(r"a = \frac{b \qquad c}{d}, \qquad e = f") == [r"a = \frac{b \qquad c}{d},", "e = f"]
    assert lines(r"\left( a \qquad b \right)") == [r"\left( a \qquad b \right)"]
    assert lines(r"\begin{cases} a \qquad b \end{cases} \qquad c") == [
        r"\begin{cases} a \qquad b \end{cases}",
        "c",
    ]
    assert lines("a") == ["a"]
