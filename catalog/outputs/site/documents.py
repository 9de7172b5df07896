"""What can be found: papers from their records, everything else from the finished pages, cut at its headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from catalog.base.names import name_parts
from catalog.base.text import same_title
from catalog.model.catalog import Catalog
from catalog.model.implementations import Implementation
from catalog.model.paper import Paper
from catalog.model.venues import edition_spellings
from catalog.model.vocabulary import VenueTerm
from catalog.outputs.searchable import Searchable
from catalog.outputs.site.author_addresses import People
from catalog.outputs.site.groups import FACETS, Group, groups_of
from catalog.outputs.titles import names_of
from catalog.outputs.wording import byline


@dataclass(frozen=True)
class Document:
    """One thing to be found."""

    kind: str
    """As people call it: ``Paper``, ``Method``, ``Guide`` and so on."""
    title: str
    address: str
    """Below the site, with an anchor where it is a part of a page."""
    names: str = ""
    """Other names that lead to it: authors, acronyms, ids."""
    place: str = ""
    """Where it stands: authors and venue of a paper, the page of a section."""
    text: str = ""
    called: tuple[str, ...] = ()
    """What people call exactly this: who types one of these wants it before all others."""


_SKIPPED = ("pre", "script", "style", "svg", "math")
_SKIPPED_WHOLE = re.compile(rf"<({'|'.join(_SKIPPED)})\b.*?</\1>", re.DOTALL)
"""None stands within its like, so that they can be cut out before a parser walks through them: most of a page."""
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_TEXT_LIMIT = 1200


def documents(out: Path, catalog: Catalog, people: People, guide: tuple[str, ...]) -> Iterator[Document]:
    """Everything to be found, the papers first and in the catalog's order.

    Args:
        out: the folder of the finished site.
        catalog: whose papers, methods, tasks and terms are to be found.
        people: its authors; those with a page are to be found, too.
        guide: addresses of the other pages to be found, below ``out``.
    """
    yield from (_paper(paper, catalog) for paper in catalog.papers)
    for runs in catalog.implementations:
        yield from _implementation(runs, out)
    for facet in FACETS:
        for group in groups_of(catalog, facet):
            yield from _group(group, catalog)
    for definition in catalog.guide.glossary:
        yield Document(
            "Term",
            definition.term,
            f"glossary.html#{definition.id}",
            names=" ".join(definition.forms),
            place="Glossary",
            text=definition.definition,
            called=(definition.term, *definition.forms),
        )
    yield from _authors(people)
    for address in guide:
        sections = _sections(out / address)
        for section in sections:
            place = sections[0].title if section.anchor else ""
            called = () if section.anchor else (section.title,)
            yield Document(
                "Guide", section.title, address + section.anchor, place=place, text=section.text, called=called
            )


def _paper(paper: Paper, catalog: Catalog) -> Document:
    written = Searchable.of(catalog, paper)
    method = paper.method.name if paper.method else None
    # What a term is called in several words leads to its page, which has the papers. Whole ids are looked up; what
    # people type on the way to one is a beginning of these.
    ids = [paper.id, *([paper.links.arxiv] if paper.links.arxiv else [])]
    return Document(
        "Paper",
        paper.title,
        f"papers/{paper.id}.html",
        names="\n".join((written.authors, *([method] if method else []), *ids)),
        place=" · ".join((byline(paper.authors, 2), paper.appeared.label if paper.appeared else str(paper.year))),
        text="\n".join((written.method, *paper.former_titles, written.terms, written.summary)),
        called=tuple(sorted(names_of(catalog, paper))),
    )


def _implementation(runs: Implementation, out: Path) -> Iterator[Document]:
    address = f"{runs.kind}s/{runs.id}.html"
    for section in _sections(out / address):
        kind, here = runs.kind.capitalize(), address + section.anchor
        if section.anchor:
            yield Document(kind, section.title, here, place=runs.title, text=section.text)
        else:
            names = (runs.name, runs.id, runs.title, runs.title.removesuffix(f" ({runs.name})"))
            # By a benchmark's name alone its paper and its data set are meant.
            alone = names[2:] if runs.kind == "benchmark" else names
            called = (*alone, *(f"{name} {runs.kind}" for name in names))
            yield Document(kind, runs.title, here, names=f"{runs.name}\n{runs.id}", text=runs.summary, called=called)


def _group(group: Group, catalog: Catalog) -> Iterator[Document]:
    """A term's page, and the editions of a venue, which are parts of it."""
    term = catalog.vocabularies[group.facet][group.id] if group.facet != "year" else None
    full = [term.name] if isinstance(term, VenueTerm) and term.name else []
    names = (group.label, group.id, group.heading, *group.aliases, *full)
    text = group.definition
    yield Document(group.facet.capitalize(), group.heading, group.path, names="\n".join(names), text=text, called=names)
    place = f"Papers of {group.label} by year"
    for year, editions in group.years if group.facet == "venue" else ():
        title, venue = f"{group.label} {year}", editions[0].papers[0].venue
        assert venue
        spellings = (*edition_spellings(venue, catalog.vocabularies), *(f"{name} {year}" for name in names))
        address = f"{group.page_of(editions[0])}#papers-{year}"
        yield Document("Venue", title, address, names="\n".join(spellings), place=place, called=(title, *spellings))
        for edition in editions:
            if edition.part:
                address = f"{group.page_of(edition)}#{edition.anchor}"
                yield Document("Venue", edition.label, address, place=place, called=(edition.label,))


def _authors(people: People) -> Iterator[Document]:
    """The authors with a page, who may also be asked for by the family name, where only one of them has it."""
    shown = [author for author in people.by_id.values() if people.has_page(author)]
    parts = {author.name: name_parts(author.name) for author in shown}
    families = Counter(same_title(name.family) for name in parts.values())
    for author in shown:
        name = parts[author.name]
        alone = [name.family] if families[same_title(name.family)] == 1 else []
        yield Document(
            "Author",
            author.name,
            people.address(author.name),
            place=f"{len(author.papers)} papers, {author.years}",
            called=(author.name, f"{name.particle} {name.family} {name.given}", *alone),
        )


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
    parser.feed(_SKIPPED_WHOLE.sub(" ", page.read_text(encoding="utf-8")))
    parser.close()
    return parser.sections


class _Article(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sections: list[_Section] = []
        self._open: list[tuple[str, bool]] = []
        """Open elements inside the article, with whether each is left out."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if not self._open and tag != "article":
            return
        if tag in _VOID:
            return
        skipped = tag in _SKIPPED or "data-search-exclude" in attributes or attributes.get("class") == "headerlink"
        self._open.append((tag, skipped or bool(self._open and self._open[-1][1])))
        # A heading that nothing can lead to belongs to the section before it.
        if not self._open[-1][1] and (tag == "h1" or (tag in ("h2", "h3") and attributes.get("id"))):
            self.sections.append(_Section(f"#{attributes['id']}" if tag != "h1" else ""))

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
