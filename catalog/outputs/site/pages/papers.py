"""The list of papers, a page for each, and their files for reference managers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.insight.lineage import resolve
from catalog.model.catalog import Catalog
from catalog.model.facets import terms_of
from catalog.model.marks import CLOSEST_FIRST, MARKS, OWN
from catalog.model.paper import Paper
from catalog.model.selection import ALL_WANTED
from catalog.outputs.export import ris
from catalog.outputs.export.citation import citable
from catalog.outputs.site import head
from catalog.outputs.site.groups import FACETS, PLURALS, EditionGroup, Group
from catalog.outputs.site.page import Page, one_by_one, pages
from catalog.outputs.site.site import Site
from catalog.outputs.site.words import ATTACKS, RELATIONS
from catalog.outputs.wording import is_attack, reported, running

NEWEST = 20
"""Papers on the first page of the list, and as many more at a time."""


@pages
def paper_list(site: Site) -> Iterator[Page]:
    """The list, to be searched and filtered."""
    description = f"All {len(site.catalog.papers)} papers, to be searched and filtered."
    context = {"facets": tuple(_facets(site)), "newest": NEWEST, "marks": tuple(MARKS.values()), "marked": site.marked}
    yield Page("papers/index.md", "papers.html.j2", "Papers", description, context)


@dataclass(frozen=True)
class _Facet:
    """A box of filters beside the list."""

    name: str
    title: str
    groups: Sequence[Group | EditionGroup]
    several: bool
    """Whether a paper may have several of its values: then people may ask for all of them."""

    @property
    def match(self) -> str:
        """How several ticks are meant at first: who names two settings has to live with both."""
        return "all" if self.name in ALL_WANTED else "any"


def _facets(site: Site) -> Iterator[_Facet]:
    """The boxes that hold anything, in their order: what is many by size."""
    titles = {**PLURALS, "type": "Contributions", "year": "First public", "edition": "Venue editions"}
    by_size = {facet: sorted(groups, key=lambda group: -group.size) for facet, groups in site.groups.items()}
    editions = [edition for venue in by_size["venue"] for edition in venue.editions]
    for name in (*FACETS[:-1], "edition", FACETS[-1]):
        groups = editions if name == "edition" else by_size[name] if name in ("dataset", "venue") else site.groups[name]
        held = [group for group in groups if group.papers]
        several = any(len(terms_of(paper, name)) > 1 for paper in site.catalog.papers)
        if held:
            yield _Facet(name, titles[name], held, several)


@pages
def papers(site: Site) -> Iterator[Page]:
    """A page for each paper."""
    return (_paper(site, paper) for paper in site.catalog.by_id.values())


@one_by_one("papers")
def one(site: Site, ident: str) -> Page | None:
    """The page of one paper."""
    return _paper(site, site.catalog.by_id[ident]) if ident in site.catalog.by_id else None


def downloads(site: Site) -> dict[str, str]:
    """Address and text of the files beside the pages: each paper for reference managers."""
    files = {}
    for paper in citable(site.catalog.papers):
        files[f"papers/{paper.id}.bib"] = site.bibtex(paper) or ""
        files[f"papers/{paper.id}.ris"] = ris.entry(paper)
    return files


def _paper(site: Site, paper: Paper) -> Page:
    may_be_cited = bool(citable([paper]))
    return Page(
        f"papers/{paper.id}.md",
        "paper.html.j2",
        paper.title,
        paper.summary or paper.title,
        {
            "paper": paper,
            "links": _links(site, paper),
            "nearness": next((group.words for group in running(site.catalog, paper)), OWN.label),
            "related": site.relatives(paper),
            "bibtex": site.bibtex(paper),
            "ris": ris.entry(paper) if may_be_cited else None,
            "node": resolve(site.catalog, paper.id),
            "routes": site.routes.by_stop.get(("paper", paper.id), []),
            "datasets": site.datasets_of(paper.id),
            "reported": reported(site.catalog, paper),
            "source_link": site.edit_link(paper.file),
            "issue_link": site.issue_link("correct-record.yml", record=paper.id),
        },
        _for_machines(site.catalog, paper) if may_be_cited else {"citation": "", "jsonld": ""},
    )


def _for_machines(catalog: Catalog, paper: Paper) -> dict[str, str]:
    return {
        "citation": head.meta_elements(head.citation_tags(paper, catalog)),
        "jsonld": head.scholarly_article(paper, catalog),
    }


def _links(site: Site, paper: Paper) -> list[tuple[object, str, str, object]]:
    """(what runs, the paper's relation to it, that in words, its first board) of all that is linked, closest first."""
    return [
        (
            runs := site.catalog.implementation_by_id[link.id],
            link.relation,
            ATTACKS if is_attack(link.relation, runs.kind, paper) else RELATIONS[link.relation],
            site.measured.board_of(link.id) if link.relation != "related" else None,
        )
        for link in sorted(paper.implementations, key=lambda link: CLOSEST_FIRST.index(link.relation))
    ]
