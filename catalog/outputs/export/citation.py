"""What every citation format needs: where a paper was published, whether it may be cited, and authors' name parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from catalog.model.paper import Paper

Kind = Literal["article", "conference", "preprint", "web"]

_PARTICLES = frozenset("van von der den de del della di da dos du la le el ter ten bin ben af zu zur".split())
_CAPITAL_PARTICLES = frozenset(("De", "Della", "Van", "Von"))
_GROUP = re.compile(r"^The |\b(Team|Group|Consortium|Collaboration|Initiative|Institute|Labs?|and)\b|,")


@dataclass(frozen=True)
class Publication:
    """Where and when a paper appeared, as citations want it."""

    kind: Kind
    container: str
    """The journal's or the proceedings' name; empty for preprints and web pages."""
    year: int
    """The year of publication, which may be later than that of the first public version."""


@dataclass(frozen=True)
class PersonName:
    """A name in parts; a group, or a person with one name, has only ``family``."""

    given: str
    particle: str
    family: str


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
    return paper.links.doi or (f"10.48550/arXiv.{paper.links.arxiv}" if paper.links.arxiv else None)


@cache  # asked for each author of each paper by every export and page
def name_parts(name: str) -> PersonName:
    """``"Laurens van der Maaten"`` in parts; groups (``"The Llama Team"``) stay whole."""
    parts = name.split()
    if len(parts) == 1 or _GROUP.search(name):
        return PersonName("", "", name)
    family = len(parts) - 1
    while family > 1 and parts[family - 1] in _CAPITAL_PARTICLES:
        family -= 1
    start = family
    while start > 1 and parts[start - 1] in _PARTICLES:
        start -= 1
    return PersonName(" ".join(parts[:start]), " ".join(parts[start:family]), " ".join(parts[family:]))


def address(paper: Paper) -> str:
    """The best address of the paper itself: the published version's before the preprint's; never its code's."""
    by_kind = dict(paper.links.addresses)
    # Without a venue, OpenReview holds a submission only.
    published = ("ACL Anthology", "DOI", "OpenReview") if paper.venue else ("arXiv",)
    for kind in (*published, "arXiv", "ACL Anthology", "DOI", "OpenReview", "Web page"):
        if kind in by_kind:
            return by_kind[kind]
    return ""
