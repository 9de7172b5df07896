"""Papers that share a term: each group is a page, and a filter of the papers' list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from catalog.model.catalog import Catalog
from catalog.model.facets import terms_of
from catalog.model.implementations import FamilyGuide, Implementation
from catalog.model.paper import Edition, Paper
from catalog.model.registries import leads_to_paper
from catalog.outputs.site.page import numbered

FACETS = ("type", "family", "target", "dataset", "setting", "modality", "venue", "year")
PER_PAGE = 100
"""Papers on one page: with ten thousand records a page of all would have megabytes."""
PLURALS = {
    "type": "Types",
    "family": "Families",
    "target": "Targets",
    "dataset": "Datasets",
    "setting": "Settings",
    "modality": "Modalities",
    "venue": "Venues",
    "year": "Years",
}


@dataclass(frozen=True)
class EditionGroup:
    """The papers of an edition of a venue: a section of the venue's page, and a filter of the papers' list."""

    id: str
    papers: tuple[Paper, ...]

    @property
    def label(self) -> str:
        """As people write it."""
        return _edition(self.papers[0]).label

    @property
    def year(self) -> int:
        """Of the edition."""
        return _edition(self.papers[0]).year

    @property
    def part(self) -> str:
        """What it is beside the main program: ``workshops``, ``findings``; ``""`` for that itself."""
        return _edition(self.papers[0]).part

    @property
    def anchor(self) -> str:
        """Where on the venue's page it stands."""
        return "-".join(filter(None, ("papers", str(self.year), self.part)))


def _edition(paper: Paper) -> Edition:
    assert paper.edition
    return paper.edition


@dataclass(frozen=True)
class Group:
    """The papers that share a term, and the address of the page that lists them."""

    facet: str
    id: str
    label: str
    heading: str
    definition: str
    papers: tuple[Paper, ...]
    methods: tuple[Implementation, ...] = ()
    link: str | None = None
    aliases: tuple[str, ...] = ()
    guide: FamilyGuide | None = None
    """How the methods of a family relate, where some run."""

    @property
    def size(self) -> int:
        """How many papers there are."""
        return len(self.papers)

    @property
    def link_label(self) -> str:
        """What the link leads to, in words."""
        return "its paper" if leads_to_paper(self.link or "") else "its home page"

    @property
    def path(self) -> str:
        """The page's address."""
        return f"{self.facet}/{self.id}.html"

    @cached_property
    def pages(self) -> tuple[tuple[Paper, ...], ...]:
        """The papers as pages show them, a hundred at a time; those of a venue by whole years."""
        if self.facet != "venue":
            starts = range(0, max(len(self.papers), 1), PER_PAGE)
            return tuple(self.papers[start : start + PER_PAGE] for start in starts)
        pages: list[tuple[Paper, ...]] = [()]
        for year, number in self.page_by_year.items():
            pages += [()] * (number - len(pages))
            pages[-1] += tuple(paper for edition in dict(self.years)[year] for paper in edition.papers)
        return tuple(pages)

    @cached_property
    def page_by_year(self) -> dict[int, int]:
        """The number of the page on which each year of a venue stands, newest first."""
        pages: dict[int, int] = {}
        number, held = 1, 0
        for year, editions in self.years:
            size = sum(len(edition.papers) for edition in editions)
            if held and held + size > PER_PAGE:
                number, held = number + 1, 0
            pages[year], held = number, held + size
        return pages

    def page_path(self, number: int) -> str:
        """The address of one of its pages, from 1."""
        return numbered(self.path, number)

    def page_of(self, edition: EditionGroup) -> str:
        """The address of the page that an edition stands on."""
        return self.page_path(self.page_by_year[edition.year])

    @cached_property
    def years(self) -> tuple[tuple[int, tuple[EditionGroup, ...]], ...]:
        """The editions of a venue by year, newest first."""
        return tuple(
            (year, tuple(editions)) for year, editions in groupby(self.editions, key=lambda edition: edition.year)
        )

    @cached_property
    def editions(self) -> tuple[EditionGroup, ...]:
        """The papers of a venue by edition: newest first, of a year the main program first and workshops last."""
        by_edition: dict[str, list[Paper]] = {}
        for paper in self.papers:
            for edition in terms_of(paper, "edition"):
                by_edition.setdefault(edition, []).append(paper)
        groups = [EditionGroup(ident, tuple(papers)) for ident, papers in by_edition.items()]
        return tuple(sorted(groups, key=lambda group: (-group.year, group.part == "workshops", group.part)))


def groups_of(catalog: Catalog, facet: str) -> Iterator[Group]:
    """The groups of a facet, in the vocabulary's order; years newest first."""
    if facet == "year":
        for year, papers in catalog.by_year.items():
            yield Group("year", str(year), str(year), f"Papers of {year}", "", papers)
        return
    grouped: dict[str, list[Paper]] = {}
    for paper in catalog.papers:
        for term_id in terms_of(paper, facet):
            grouped.setdefault(term_id, []).append(paper)
    for term in catalog.vocabularies[facet].terms:
        methods = tuple(method for method in catalog.methods if facet == "family" and method.family == term.id)
        if term.id in grouped or methods:
            yield Group(
                facet,
                term.id,
                term.label,
                term.plural or term.label,
                term.definition,
                tuple(grouped.get(term.id, ())),
                methods,
                term.link,
                term.aliases,
                catalog.family_guides.get(term.id) if facet == "family" else None,
            )
