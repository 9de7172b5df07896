"""Papers that belong together: by what they share, and said in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest

from catalog.insight.lineage import resolve
from catalog.model.catalog import Catalog
from catalog.model.facets import terms_of
from catalog.model.paper import Paper

_Feature = tuple[str, str]
"""What papers can share: (kind, id)."""


@dataclass(frozen=True)
class Related:
    """A paper, and what it has in common with the one at hand."""

    paper: Paper
    reasons: tuple[str, ...]


class Relatives:
    """The closest papers of every paper; rare things in common count for more."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._holders: dict[_Feature, list[int]] = defaultdict(list)
        for position, paper in enumerate(catalog.papers):
            for feature in _features(paper):
                self._holders[feature].append(position)
        self._bases = [self._papers_below(paper) for paper in catalog.papers]
        self._above: dict[str, list[int]] = defaultdict(list)
        for position, below in enumerate(self._bases):
            for ident in below:
                self._above[ident].append(position)
        self._position = {paper.id: position for position, paper in enumerate(catalog.papers)}

    def __call__(self, paper: Paper, limit: int = 5) -> list[Related]:
        """The closest papers, closest first; the catalog's order decides between equals."""
        here = self._position[paper.id]
        scores: dict[int, float] = defaultdict(float)
        for feature in sorted(_features(paper)):  # in one order, so that sums are the same every time
            holders = self._holders[feature]
            weight = _weight(feature, len(holders))
            for position in holders:
                scores[position] += weight
        for position in {*self._above[paper.id], *(self._position[ident] for ident in self._bases[here])}:
            scores[position] += 4
        scores.pop(here, None)
        ranked = nsmallest(limit, ((-score, position) for position, score in scores.items() if score >= 1))
        return [Related(self._catalog.papers[position], self._reasons(here, position)) for _, position in ranked]

    def _papers_below(self, paper: Paper) -> frozenset[str]:
        """The papers whose methods this one's builds on."""
        bases = (resolve(self._catalog, ident) for ident in (paper.method.builds_on if paper.method else ()))
        return frozenset(base.paper.id for base in bases if base.paper)

    def _reasons(self, here: int, there: int) -> tuple[str, ...]:
        paper, other = self._catalog.papers[here], self._catalog.papers[there]
        return tuple(self._said(here, there, _features(paper) & _features(other)))[:3]

    def _said(self, here: int, there: int, shared: set[_Feature]) -> Iterator[str]:
        papers = self._catalog.papers
        for upper, lower in ((here, there), (there, here)):
            if papers[lower].id in self._bases[upper]:
                yield f"{_called(papers[upper], upper == here)} builds on {_called(papers[lower], lower == here)}"
        rarest = sorted(shared, key=lambda feature: (-_weight(feature, len(self._holders[feature])), feature))
        authors = [ident for kind, ident in rarest if kind == "author"]
        for kind, ident in rarest:
            if kind == "implementation":
                yield f"both lead to {self._catalog.implementation_by_id[ident].name}"
            elif kind != "author":
                yield self._catalog.vocabularies[kind][ident].label
            elif ident == authors[0]:
                yield f"{ident} wrote both" if len(authors) == 1 else f"{len(authors)} authors wrote both"


def _features(paper: Paper) -> set[_Feature]:
    return {
        *(("implementation", link.id) for link in paper.implementations if link.relation != "related"),
        *((facet, term) for facet in ("dataset", "family", "setting") for term in terms_of(paper, facet)),
        *(("author", name) for name in paper.authors),
    }


def _weight(feature: _Feature, holders: int) -> float:
    return (0.5 if feature[0] == "author" else 1) + 3 / holders


def _called(paper: Paper, here: bool) -> str:
    return (paper.method and paper.method.name) or ("this" if here else "it")
