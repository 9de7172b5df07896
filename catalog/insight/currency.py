"""How current the catalog is. It knows no clock: a year ago is a year before the last day that a record tells of."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.model.catalog import Catalog
from catalog.model.paper import Paper

A_YEAR = datetime.timedelta(days=365)
RECENT_YEARS = 2
"""Years, the newest among them, of which a preprint may still find a venue."""
_NEVER_PUBLISHED = frozenset(("blog",))
"""Types of papers of which no venue is expected."""


@dataclass(frozen=True)
class Year:
    """The papers of one year."""

    papers: int
    published: int
    """With a venue."""
    expected: int
    """Without one that may find it."""
    compared: int
    """Held against all sources within a year."""


@dataclass(frozen=True)
class Currency:
    """What tells how current the catalog is."""

    newest: tuple[Paper, ...]
    """The papers of the newest date."""
    last: str
    """The last day on which a record was added, checked or compared; empty without records."""
    not_for_a_year: tuple[Paper, ...]
    """Neither checked against their source by a person nor compared with all of them in the year before that."""
    never: tuple[Paper, ...]
    """Never compared with all of their sources, although they name some."""
    without_source: tuple[Paper, ...]
    """Those that no program can compare: a web page only, or kept by hand."""
    expected: tuple[Paper, ...]
    """Papers of the last years without a venue, the oldest first."""
    by_year: Mapping[int, Year]
    """Newest first."""


def currency(catalog: Catalog) -> Currency:
    """How current the catalog is."""
    papers = catalog.papers
    days = [day for paper in papers for day in _days(paper)]
    last = max(days, default="")
    limit = (datetime.date.fromisoformat(last) - A_YEAR).isoformat() if last else ""
    askable = [paper for paper in papers if paper.links.ids and paper.provenance.source != "hand"]
    compared = {paper.id for paper in askable if (paper.provenance.compared or "") >= limit}
    newest = max((paper.date for paper in papers), default="")
    first = int(newest[:4]) - RECENT_YEARS + 1 if newest else 0
    expected = [paper for paper in papers if paper.year >= first and _expects_venue(paper)]
    awaited = {paper.id for paper in expected}
    return Currency(
        newest=tuple(paper for paper in papers if paper.date == newest),
        last=last,
        not_for_a_year=tuple(paper for paper in papers if looked_at(paper) < limit),
        never=tuple(paper for paper in askable if paper.provenance.compared is None),
        without_source=tuple(paper for paper in papers if not paper.links.ids or paper.provenance.source == "hand"),
        expected=tuple(sorted(expected, key=lambda paper: (paper.date, paper.id))),
        by_year={
            year: Year(
                papers=len(group),
                published=sum(paper.venue is not None for paper in group),
                expected=sum(paper.id in awaited for paper in group),
                compared=sum(paper.id in compared for paper in group),
            )
            for year, group in catalog.by_year.items()
        },
    )


def looked_at(paper: Paper) -> str:
    """The last day on which a record was checked or compared."""
    return max(paper.provenance.checked, paper.provenance.compared or "")


def _days(paper: Paper) -> tuple[str, ...]:
    days = (paper.added, paper.provenance.checked, paper.provenance.compared)
    return tuple(day for day in days if day)


def _expects_venue(paper: Paper) -> bool:
    gone = paper.state is not None and paper.state.kind != "revised"
    return paper.venue is None and paper.type not in _NEVER_PUBLISHED and not gone
