"""What methods rest on, and what rests on them: from ``builds_on`` alone. And which methods are missed most here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.model.catalog import Catalog
from catalog.model.implementations import Implementation
from catalog.model.paper import Paper
from catalog.model.vocabulary import TechniqueTerm

_UNDATED = 9999
"""After all years."""


@dataclass(frozen=True)
class Base:
    """What others build on: a method that runs here, one that a record proposes, or a term of the techniques."""

    id: str
    label: str
    implementation: Implementation | None = None
    paper: Paper | None = None
    term: TechniqueTerm | None = None

    @property
    def makes_forget(self) -> bool:
        """Whether it is a method of unlearning, and not a technique of machine learning at large."""
        return self.term is None or self.term.kind == "method"


def resolve(catalog: Catalog, ident: str) -> Base:
    """What an id of ``builds_on`` names.

    In this order: a method that runs here, a record by its id, the oldest record whose method has that name, a term of
    the techniques. An id that is none of these stands for itself.
    """
    if method := catalog.bases.method(ident):
        return Base(method.id, method.name, method, catalog.by_id.get(method.paper))
    if paper := catalog.bases.paper(ident):
        return Base(paper.id, (paper.method and paper.method.name) or paper.title, paper=paper)
    term = catalog.vocabularies["technique"].get(ident) if "technique" in catalog.vocabularies else None
    if isinstance(term, TechniqueTerm):
        return Base(term.id, term.label, term=term)
    return Base(ident, ident)


@dataclass(frozen=True)
class Lineage:
    """Methods and what they build on, as a graph: ids are those of :func:`resolve`."""

    nodes: Mapping[str, Base]
    """Every method that builds on something, or that something builds on; oldest first, without a date last."""
    above: Mapping[str, tuple[str, ...]]
    """What a method builds on."""
    below: Mapping[str, tuple[str, ...]]
    """What builds on it, oldest first."""

    def trunk(self) -> tuple[str, ...]:
        """The methods that others build on, and those that run here and build on one: what a picture can show."""
        return tuple(
            ident
            for ident, base in self.nodes.items()
            if base.makes_forget and (self.below[ident] or base.implementation)
        )

    def around(self, methods: Iterable[str]) -> tuple[str, ...]:
        """Methods that run here with what they build on and makes a model forget, oldest first; not those beside them.

        Args:
            methods: ids; what builds on nothing here, and on which none of the others builds, is left out.
        """
        wanted = [ident for ident in methods if ident in self.nodes]
        bases = {base for ident in wanted for base in self.above[ident] if self.nodes[base].makes_forget}
        joined = {ident for ident in wanted if ident in bases or any(base in bases for base in self.above[ident])}
        return tuple(ident for ident in self.nodes if ident in joined | bases)

    def layers(self, ids: Iterable[str]) -> dict[str, int]:
        """How many steps each is from its furthest ancestor among ``ids``; a circle ends where it was entered."""
        wanted = set(ids)
        depth: dict[str, int] = {}

        def down(ident: str, path: frozenset[str]) -> int:
            if ident not in depth:
                bases = [base for base in self.above[ident] if base in wanted and base not in path]
                depth[ident] = max((down(base, path | {base}) + 1 for base in bases), default=0)
            return depth[ident]

        for ident in self.nodes:
            if ident in wanted:
                down(ident, frozenset({ident}))
        return depth

    def by_year(self, ids: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, int]]]:
        """A column for each of ``ids``, and the years over them, each with its first column: no line leads back.

        Within a year, what builds on something of that year stands to its right. What no record dates comes before all
        years, or after them where no other builds on it; what is dated before one of its bases stands in their year.
        """
        wanted = set(ids)
        ordered = [ident for ident in self.nodes if ident in wanted]
        years = {ident: self._year(ident, wanted) for ident in ordered}
        for _ in ordered:  # a date that contradicts what builds on what gives way
            for ident in ordered:
                above = [years[base] for base in self.above[ident] if base in wanted and base != ident]
                years[ident] = max([years[ident], *above])
        columns: dict[str, int] = {}
        headings: list[tuple[str, int]] = []
        first = 0
        for year in sorted(set(years.values())):
            within = self.layers(ident for ident in ordered if years[ident] == year)
            columns |= {ident: first + layer for ident, layer in within.items()}
            headings.append((str(year) if 0 < year < _UNDATED else "no date", first))
            first += max(within.values()) + 1
        return columns, headings

    def _year(self, ident: str, among: set[str]) -> int:
        if paper := self.nodes[ident].paper:
            return paper.year
        return 0 if among & {*self.below[ident]} else _UNDATED


def lineage(catalog: Catalog) -> Lineage:
    """The whole graph."""
    nodes: dict[str, Base] = {}
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for paper, base in _edges(catalog):
        upper = resolve(catalog, paper.id)
        for node in (upper, base):
            nodes.setdefault(node.id, node)
            above.setdefault(node.id, [])
            below.setdefault(node.id, [])
        if upper.id != base.id and base.id not in above[upper.id]:
            above[upper.id].append(base.id)
            below[base.id].append(upper.id)

    def age(ident: str) -> tuple[str, str]:
        paper = nodes[ident].paper
        return (paper.date if paper else "9", ident)

    return Lineage(
        {ident: nodes[ident] for ident in sorted(nodes, key=age)},
        {ident: tuple(ids) for ident, ids in above.items()},
        {ident: tuple(sorted(ids, key=age)) for ident, ids in below.items()},
    )


@dataclass(frozen=True)
class Wanted:
    """A method that others build on and that nothing here implements."""

    base: Base
    papers: tuple[Paper, ...]
    """Those that build on it."""


def wanted(catalog: Catalog, limit: int = 10) -> list[Wanted]:
    """The methods that most papers build on and that do not run here, most wanted first.

    Where as many papers build on two, the one of the family in which less runs goes first.
    """
    missing: dict[str, tuple[Base, list[Paper]]] = {}
    for paper, base in _edges(catalog):
        if base.implementation is None and base.makes_forget:
            missing.setdefault(base.id, (base, []))[1].append(paper)
    candidates = [Wanted(base, tuple(papers)) for base, papers in missing.values()]
    running = Counter(method.family for method in catalog.methods)

    def rank(candidate: Wanted) -> tuple[int, float, str]:
        family = candidate.base.paper.family[0] if candidate.base.paper and candidate.base.paper.family else None
        return -len(candidate.papers), running[family] if family else math.inf, candidate.base.id

    candidates.sort(key=rank)
    return candidates[:limit]


def _edges(catalog: Catalog) -> Iterable[tuple[Paper, Base]]:
    for paper in catalog.papers:
        bases = {resolve(catalog, ident).id: resolve(catalog, ident) for ident in _named(paper)}
        yield from ((paper, base) for base in bases.values())


def _named(paper: Paper) -> tuple[str, ...]:
    return paper.method.builds_on if paper.method else ()
