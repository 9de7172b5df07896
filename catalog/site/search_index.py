"""What the search in the header searches: papers from their records, everything else from the finished pages.

The documents are written as a script (``search/documents.js``), because a page opened from a disk may load scripts
but may not fetch. The browser builds the index from them on the first use (a few hundred entries take
milliseconds).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from catalog.catalog import Catalog
from catalog.schema import Paper
from catalog.site.head import script_safe

Document = dict[str, str]
"""``kind``, ``title``, ``address`` and, where there is something to say, ``names``, ``place`` and ``text``."""

_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_TEXT_LIMIT = 1200


def write_search_documents(out: Path, catalog: Catalog, guide: tuple[str, ...]) -> None:
    """Write ``search/documents.js`` for the finished site in ``out``.

    Args:
        out: the folder of the site.
        catalog: whose papers, methods, tasks and terms are to be found.
        guide: addresses of the other pages to be found, below ``out``.
    """
    documents = list(_documents(out, catalog, guide))
    text = script_safe(json.dumps(documents, ensure_ascii=False, separators=(",", ":"), sort_keys=True))
    path = out / "search" / "documents.js"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"window.searchDocuments = {text};\n", encoding="utf-8")


def _documents(out: Path, catalog: Catalog, guide: tuple[str, ...]) -> Iterator[Document]:
    yield from (_paper(paper, catalog) for paper in catalog.papers)
    for one in catalog.implementations:
        address = f"{one.kind}s/{one.id}.html"
        for section in _sections(out / address):
            here = {"kind": one.kind.capitalize(), "address": address + section.anchor}
            if section.anchor:
                yield here | {"title": section.title, "place": one.title, "text": section.text}
            else:
                yield here | {"title": one.title, "names": f"{one.name} {one.id}", "text": one.summary}
    for facet, groups in (("family", catalog.by_family), ("dataset", catalog.by_dataset), ("type", catalog.by_type)):
        for term in catalog.vocabularies[facet].terms:
            if groups.get(term.id):
                yield {
                    "kind": facet.capitalize(),
                    "title": term.plural or term.label,
                    "names": " ".join((term.label, *term.aliases)),
                    "address": f"{facet}/{term.id}.html",
                    "text": term.definition,
                }
    for address in guide:
        sections = _sections(out / address)
        for section in sections:
            place = {"place": sections[0].title} if section.anchor else {}
            found = {"kind": "Guide", "title": section.title, "address": address + section.anchor, "text": section.text}
            yield found | place


def _paper(paper: Paper, catalog: Catalog) -> Document:
    terms = [
        catalog.vocabularies[name][one].label
        for name, ids in (("type", paper.contributions), ("family", paper.family), ("dataset", paper.datasets))
        for one in ids
    ]
    method = paper.method
    said = [paper.summary, method.mechanism if method else None, *terms, *paper.former_titles]
    return {
        "kind": "Paper",
        "title": paper.title,
        "address": f"papers/{paper.id}.html",
        "names": " ".join((*paper.authors, *([method.name] if method and method.name else []), paper.id)),
        "place": " · ".join((_short(paper.authors), paper.appeared.label if paper.appeared else str(paper.year))),
        "text": " ".join(one for one in said if one),
    }


def _short(authors: tuple[str, ...]) -> str:
    return ", ".join(authors) if len(authors) <= 3 else f"{authors[0]} and {len(authors) - 1} others"


class _Section:
    def __init__(self, anchor: str) -> None:
        self.anchor = anchor
        self._title: list[str] = []
        self._text: list[str] = []
        self.in_title = True

    def add(self, text: str) -> None:
        (self._title if self.in_title else self._text).append(text)

    @property
    def title(self) -> str:
        return " ".join("".join(self._title).split())

    @property
    def text(self) -> str:
        return " ".join("".join(self._text).split())[:_TEXT_LIMIT]


def _sections(page: Path) -> list[_Section]:
    """The article of a page, cut at its headings; code, formulas and what is marked as not to be found are left out."""
    parser = _Article()
    parser.feed(page.read_text(encoding="utf-8"))
    parser.close()
    return parser.sections


class _Article(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sections: list[_Section] = []
        self._open: list[tuple[str, bool]] = []
        """Open elements inside the article, with whether each is left out."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if not self._open and tag != "article":
            return
        if tag in _VOID:
            return
        skipped = (
            tag in ("pre", "script", "style", "svg", "math")
            or "data-search-exclude" in given
            or given.get("class") == "headerlink"
        )
        self._open.append((tag, skipped or bool(self._open and self._open[-1][1])))
        if not self._open[-1][1] and tag in ("h1", "h2", "h3"):
            self.sections.append(_Section(f"#{given['id']}" if tag != "h1" and given.get("id") else ""))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or tag in _VOID:
            return
        while self._open and self._open.pop()[0] != tag:
            pass
        if self.sections and tag in ("h1", "h2", "h3"):
            self.sections[-1].in_title = False
        elif self.sections and self._open and not self._open[-1][1]:
            self.sections[-1].add(" ")

    def handle_data(self, data: str) -> None:
        if self.sections and self._open and not self._open[-1][1]:
            self.sections[-1].add(data)
