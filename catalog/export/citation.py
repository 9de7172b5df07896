"""What every citation format needs: where a paper was published, whether it may be cited, and authors' name parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from catalog.schema import Paper

Kind = Literal["article", "conference", "preprint", "web"]

_JOURNAL = re.compile(
    r"\b(TMLR|JMLR|TACL|JAIR|TKDE|TPAMI|TIFS|PoPETs|Journal|Transactions|Letters|Review|Reviews|Nature|Frontiers"
    r"|Philosophy|Ethics|Magazine|IEEE Computer|Computational Linguistics)\b"
)
_MEETING = re.compile(r"\b(Workshop|Conference|Proceedings|Symposium|track)\b", re.IGNORECASE)
_FULL_NAMES = {
    "TMLR": "Transactions on Machine Learning Research",
    "JMLR": "Journal of Machine Learning Research",
    "TACL": "Transactions of the Association for Computational Linguistics",
    "PoPETs": "Proceedings on Privacy Enhancing Technologies",
}
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
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
    if paper.venue is None:
        return Publication("web" if not paper.links.arxiv and paper.links.url else "preprint", "", paper.year)
    years = _YEAR.findall(paper.venue)
    year = int(years[-1]) if years else paper.year
    if paper.type == "blog":
        return Publication("web", paper.venue, year)
    if _JOURNAL.search(paper.venue) and not _MEETING.search(paper.venue):
        name = " ".join(_YEAR.sub("", paper.venue).split())
        return Publication("article", _FULL_NAMES.get(name, name), year)
    return Publication("conference", paper.venue, year)


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
