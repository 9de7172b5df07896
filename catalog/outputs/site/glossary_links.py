"""Words of the glossary become links where a page first uses them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from markupsafe import Markup

from catalog.model.guide import Definition

_LEFT_ALONE = r"""
    ^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[ \t]*$
    | <(?P<tag>a|abbr|button|code|dt|h[1-6]|label|math|option|pre|script|style|summary|svg)\b.*?</(?P=tag)>
    | <[^>]+>
    | (?P<ticks>`+).+?(?P=ticks)
    | \$\$.+?\$\$
    | (?<![\\$\w])\$(?![\s$])[^$]+?(?<!\s)\$(?![\d$])
    | !?\[[^\]]*\]\([^)]*\)
    | ^\#{1,6}[ ][^\n]*$
    | ^\[[^\]]+\]:[^\n]*$
    | ^---$.*?^---$
"""
"""Code, formulas, headings, links and tags: in HTML and in Markdown."""


class Terms:
    """The words that are to become links."""

    def __init__(self, glossary: Iterable[Definition]) -> None:
        self._by_word: dict[str, Definition] = {}
        for definition in glossary:
            if definition.linked != "never":
                self._by_word |= {form.casefold(): definition for form in (definition.term, *definition.forms)}
        words = sorted(
            (form for definition in self._by_word.values() for form in (definition.term, *definition.forms)),
            key=_longest_first,
        )
        alternatives = "|".join(dict.fromkeys(_pattern(word) for word in words)) or r"(?!)"
        self._scan = re.compile(
            rf"{_LEFT_ALONE} | (?<![\w/-])(?P<word>{alternatives})(?![\w/-])", re.DOTALL | re.MULTILINE | re.VERBOSE
        )

    def link(self, text: str, address: str, seen: set[str]) -> Markup:
        """The text with a link at the first use of each term.

        Args:
            text: HTML or Markdown.
            address: of the glossary, as seen from the page.
            seen: ids of terms that the page links already; those linked here are added.
        """

        def linked(match: re.Match[str]) -> str:
            word = match["word"]
            definition = self._by_word.get(" ".join(word.split()).casefold()) if word else None
            if definition is None or definition.id in seen:
                return match[0]
            seen.add(definition.id)
            about = html.escape(definition.definition)
            return f'<a class="term" href="{address}#{definition.id}" title="{about}">{word}</a>'

        return Markup(self._scan.sub(linked, text))


def _longest_first(word: str) -> tuple[int, str]:
    return -len(word), word


def _pattern(word: str) -> str:
    r"""Of a word as it stands in a text: any case, unless it is an abbreviation; lines may break in it."""
    exact = any(letter.isupper() for letter in word[1:])
    parts = r"\s+".join(re.escape(part) for part in word.split())
    return parts if exact else f"(?i:{parts})"
