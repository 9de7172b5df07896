"""Addresses as seen from one page, and words that become links there."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Callable
from functools import cache

from markupsafe import Markup, escape

from catalog.base.names import name_parts
from catalog.insight.lineage import resolve
from catalog.outputs.site import markdown
from catalog.outputs.site.glossary_links import Terms
from catalog.outputs.site.site import Site

GLOSSARY = "glossary.html"
_RECORD_ID = re.compile(r"\b[a-z]+\d{4}[a-z]+\b")
_CODE = re.compile(r"`([a-z0-9-]+)`")


@cache
def relative_to(folder: str) -> Callable[[str], str]:
    """What leads from a page in a folder to an address of the site, relatively."""
    return cache(lambda target: posixpath.relpath(target, folder or "."))


class Links:
    """The links of one page."""

    def __init__(self, site: Site, terms: Terms, path: str) -> None:
        self._site, self._terms = site, terms
        self._glossed: set[str] = set()
        """Terms that the page links already."""
        self.to = relative_to(posixpath.dirname(path))

    def prose(self, text: str) -> Markup:
        """One line, with the ids of records as links to their papers."""
        return Markup(_RECORD_ID.sub(lambda match: self._cited(match[0]), markdown.inline(text)))

    def gloss(self, text: str) -> Markup:
        """The text with links to the glossary where a term is first used on the page."""
        return self._terms.link(escape(text), self.to(GLOSSARY), self._glossed)

    def method(self, ident: str) -> Markup:
        """What others build on: its page, else the paper that proposes it, else its definition, else its id."""
        base = resolve(self._site.catalog, ident)
        if base.implementation:
            return _link(self.to(f"methods/{base.id}.html"), base.label)
        if base.paper:
            return _link(self.to(f"papers/{base.paper.id}.html"), base.label)
        if base.term:
            return _link(f"{self.to('vocabularies.html')}#technique-{base.id}", base.label)
        return Markup("<code>{}</code>").format(ident)

    def author(self, name: str) -> Markup:
        """An author's page, or place in the index."""
        place, anchor, fragment = self._site.people.address(name).partition("#")
        return _link(f"{self.to(place)}{anchor}{fragment}", name)

    def linked_methods(self, text: str) -> str:
        """Markdown in which ids of methods in backticks lead to their pages."""
        runs = self._site.catalog.implementation_by_id

        def linked(match: re.Match[str]) -> str:
            method = runs.get(match[1])
            if method is None or method.kind != "method":
                return match[0]
            return f"[{match[0]}]({self.to(f'methods/{method.id}.html')})"

        return _CODE.sub(linked, text)

    def _cited(self, word: str) -> str:
        paper = self._site.catalog.by_id.get(word)
        if paper is None:
            return word
        short = f"{name_parts(paper.authors[0]).family} {paper.year}"
        address = self.to(f"papers/{word}.html")
        return f'<a href="{address}" title="{html.escape(paper.title)}">{html.escape(short)}</a>'


def _link(address: str, label: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, label)
