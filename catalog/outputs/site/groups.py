"""Papers that share a term: each group is a page, and a filter of the papers' list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.model.catalog import Catalog
from catalog.model.facets import terms_of
from catalog.model.implementations import FamilyGuide, Implementation
from catalog.model.paper import Paper
from catalog.model.registries import leads_to_paper

FACETS = ("type", "family", "target", "dataset", "setting", "modality", "venue", "year")
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
