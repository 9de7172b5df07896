"""The list of papers, a page for each, and their files for reference managers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from catalog.insight.lineage import resolve
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.outputs.export import ris
from catalog.outputs.export.citation import citable
from catalog.outputs.site import head
from catalog.outputs.site.groups import FACETS
from catalog.outputs.site.page import Page, pages
from catalog.outputs.site.site import Site
from catalog.outputs.site.words import ATTACKS, RELATIONS
from catalog.outputs.wording import is_attack

NEWEST = 20
"""Papers on the first page of the list, and as many more at a time."""


@pages
def paper_list(site: Site) -> Iterator[Page]:
    """The list, to be searched and filtered."""
    description = f"All {len(site.catalog.papers)} papers, to be searched and filtered."
    yield Page("papers/index.md", "papers.html.j2", "Papers", description, {"facets": FACETS, "newest": NEWEST})


@pages
def papers(site: Site) -> Iterator[Page]:
    """A page for each paper."""
    return pages_of(site, site.catalog.by_id)


def pages_of(site: Site, ids: Iterable[str]) -> Iterator[Page]:
    """The pages of some papers."""
    return (_paper(site, site.catalog.by_id[ident]) for ident in ids)


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
            "related": site.relatives(paper),
            "bibtex": site.bibtex(paper),
            "ris": ris.entry(paper) if may_be_cited else None,
            "node": resolve(site.catalog, paper.id),
            "routes": site.routes.by_stop.get(("paper", paper.id), []),
            "datasets": site.datasets_of(paper.id),
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
    """(what runs, the paper's relation to it, that in words, its first board) of everything that it leads to."""
    return [
        (
            runs := site.catalog.implementation_by_id[link.id],
            link.relation,
            ATTACKS if is_attack(link.relation, runs.kind, paper) else RELATIONS[link.relation],
            site.measured.board_of(link.id) if link.relation != "related" else None,
        )
        for link in paper.implementations
    ]
