"""Papers that belong together: by what they share, and said in words."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.catalog import Catalog
from catalog.schema import Paper


@dataclass(frozen=True)
class Related:
    """A paper, and what it has in common with the one at hand."""

    paper: Paper
    reasons: tuple[str, ...]


def related_papers(paper: Paper, catalog: Catalog, limit: int = 5) -> list[Related]:
    """The closest papers, closest first; rare things in common count for more."""
    scored = []
    for other in catalog.papers:
        if other.id != paper.id:
            score, reasons = _common(paper, other, catalog)
            if reasons:
                scored.append((score, Related(other, reasons)))
    scored.sort(key=lambda pair: -pair[0])  # stable: the catalog's order decides between equals
    return [one for score, one in scored[:limit] if score >= 1]


def _common(paper: Paper, other: Paper, catalog: Catalog) -> tuple[float, tuple[str, ...]]:
    score, reasons = 0.0, []
    lineage = _lineage(paper, other, catalog)
    if lineage:
        score += 4
        reasons.append(lineage)
    runs = {link.id for link in paper.implementations} & {link.id for link in other.implementations}
    for one in sorted(runs):
        score += 2
        reasons.append(f"both lead to {catalog.implementation_by_id[one].name}")
    for name, mine, theirs, holders in (
        ("dataset", paper.datasets, other.datasets, catalog.by_dataset),
        ("family", paper.family, other.family, catalog.by_family),
    ):
        for one in mine:
            if one in theirs:
                score += 1 + 2 / len(holders[one])
                reasons.append(catalog.vocabularies[name][one].label)
    shared = [author for author in paper.authors if author in other.authors]
    if shared:
        score += 1
        reasons.append(f"{shared[0]} wrote both" if len(shared) == 1 else f"{len(shared)} authors wrote both")
    return score, tuple(reasons[:3])


def _lineage(paper: Paper, other: Paper, catalog: Catalog) -> str:
    """Whether one's method builds on what the other introduces."""

    def introduces(one: Paper) -> set[str]:
        return {link.id for link in one.implementations if link.relation == "introduces"}

    if paper.method and other.method:
        if introduces(other) & set(paper.method.builds_on):
            return f"{paper.method.name or 'it'} builds on {other.method.name or 'what this proposes'}"
        if introduces(paper) & set(other.method.builds_on):
            return f"{other.method.name or 'it'} builds on {paper.method.name or 'what this proposes'}"
    return ""
