"""What every citation format needs: where a paper was published, its address, and whether it may be cited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from catalog.model.paper import Paper
from catalog.model.registries import ARXIV

Kind = Literal["article", "conference", "preprint", "web"]


@dataclass(frozen=True)
class Publication:
    """Where and when a paper appeared, as citations want it."""

    kind: Kind
    container: str
    """The journal's or the proceedings' name; empty for preprints and web pages."""
    year: int
    """The year of publication, which may be later than that of the first public version."""


def citable(papers: Iterable[Paper]) -> list[Paper]:
    """The papers without those that were withdrawn or retracted: the catalog shows them, and gives no citation."""
    return [paper for paper in papers if not (paper.state and paper.state.kind in ("withdrawn", "retracted"))]


def publication(paper: Paper) -> Publication:
    """Where and when a paper appeared."""
    where = paper.appeared
    if where is None:
        return Publication("web" if not paper.links.arxiv and paper.links.url else "preprint", "", paper.year)
    if paper.type == "blog" or where.kind == "web":
        return Publication("web", where.container, where.year)
    return Publication("article" if where.kind == "journal" else "conference", where.container, where.year)


def doi(paper: Paper) -> str | None:
    """The DOI of the published version, or else the one that arXiv gives to every preprint."""
    return paper.links.doi or (ARXIV.doi_prefix + paper.links.arxiv if paper.links.arxiv else None)


@cache  # asked for each author of each paper by every export and page
def address(paper: Paper) -> str:
    """The best address of the paper itself: the published version's before the preprint's; never its code's."""
    by_kind = dict(paper.links.addresses)
    # Without a venue, OpenReview holds a submission only.
    published = ("ACL Anthology", "DOI", "OpenReview") if paper.venue else ("arXiv",)
    for kind in (*published, "arXiv", "ACL Anthology", "DOI", "OpenReview", "Web page"):
        if kind in by_kind:
            return by_kind[kind]
    return ""
