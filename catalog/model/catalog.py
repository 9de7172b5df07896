"""The whole catalog in memory: the only thing that consumers (database, README, site, exports, search) see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from catalog.model.architectures import Architectures
from catalog.model.bases import Bases
from catalog.model.claims import Judged
from catalog.model.facets import FACETS
from catalog.model.guide import Guide
from catalog.model.implementations import FamilyGuide, Implementation
from catalog.model.metrics import Metric
from catalog.model.paper import Paper, Relation
from catalog.model.pools import Pools
from catalog.model.redirects import Redirects
from catalog.model.results import Result
from catalog.model.trials import Trials
from catalog.model.vocabulary import Vocabularies


@dataclass(frozen=True)
class Catalog:
    """Immutable and ordered: papers newest first, then by id; everything else by id.

    Made by :func:`catalog.reading.load.load_catalog`, which checks before it builds, so look-ups never meet an
    unknown term, a duplicate id or a dangling link.
    """

    papers: tuple[Paper, ...]
    implementations: tuple[Implementation, ...]
    results: tuple[Result, ...]
    vocabularies: Vocabularies
    claims: tuple[Judged, ...] = ()
    """What papers say that their methods do, with what was found."""
    guide: Guide = field(default_factory=Guide)
    """Reading paths and the glossary."""
    metrics: tuple[Metric, ...] = ()
    """What the numbers of results mean, in the order of tables."""
    redirects: Redirects = field(default_factory=Redirects)
    """Ids that are no more."""
    family_guides: Mapping[str, FamilyGuide] = field(default_factory=dict)
    """How the methods of a family relate, by family."""
    trials: Trials = field(default_factory=dict)
    """What the searches for recipes have tried."""
    pools: Mapping[str, Pools] = field(default_factory=dict)
    """What meta-evaluations measured, by task."""
    architectures: Architectures | None = None
    """Which method runs on which architecture; None if that was not tried."""

    @cached_property
    def by_id(self) -> dict[str, Paper]:
        """Papers by id."""
        return {paper.id: paper for paper in self.papers}

    @cached_property
    def methods(self) -> tuple[Implementation, ...]:
        """The methods that run."""
        return tuple(implementation for implementation in self.implementations if implementation.kind == "method")

    @cached_property
    def tasks(self) -> tuple[Implementation, ...]:
        """The tasks that ship models."""
        return tuple(implementation for implementation in self.implementations if implementation.kind == "task")

    @cached_property
    def benchmarks(self) -> tuple[Implementation, ...]:
        """The published benchmarks, which run on models that one brings."""
        return tuple(implementation for implementation in self.implementations if implementation.kind == "benchmark")

    @cached_property
    def attacks(self) -> tuple[Implementation, ...]:
        """The attacks on unlearned models."""
        return tuple(implementation for implementation in self.implementations if implementation.kind == "attack")

    @cached_property
    def implementation_by_id(self) -> dict[str, Implementation]:
        """Methods, tasks, benchmarks and attacks by id."""
        return {implementation.id: implementation for implementation in self.implementations}

    @cached_property
    def by_family(self) -> dict[str, tuple[Paper, ...]]:
        """Papers by family id, families in the vocabulary's order."""
        return self._by_facet("family")

    @cached_property
    def by_type(self) -> dict[str, tuple[Paper, ...]]:
        """Papers by contribution (``type`` and ``also``), in the vocabulary's order."""
        return self._by_facet("type")

    @cached_property
    def by_dataset(self) -> dict[str, tuple[Paper, ...]]:
        """Papers by dataset id."""
        return self._by_facet("dataset")

    @cached_property
    def by_target(self) -> dict[str, tuple[Paper, ...]]:
        """Papers by target id."""
        return self._by_facet("target")

    @cached_property
    def by_year(self) -> dict[int, tuple[Paper, ...]]:
        """Papers by year, newest first."""
        years = sorted({paper.year for paper in self.papers}, reverse=True)
        return {year: tuple(paper for paper in self.papers if paper.year == year) for year in years}

    @cached_property
    def by_author(self) -> dict[str, tuple[Paper, ...]]:
        """Papers by author's name, names sorted."""
        names = sorted({name for paper in self.papers for name in paper.authors})
        return self._grouped(names, lambda paper: paper.authors)

    @cached_property
    def bases(self) -> Bases:
        """What ``builds_on`` names."""
        return Bases(self.papers, self.implementations)

    @cached_property
    def papers_of(self) -> dict[str, tuple[tuple[Relation, Paper], ...]]:
        """For each implementation id, the papers linked to it, with their relation."""
        papers: dict[str, list[tuple[Relation, Paper]]] = {
            implementation.id: [] for implementation in self.implementations
        }
        for paper in self.papers:
            for link in paper.implementations:
                papers[link.id].append((link.relation, paper))
        return {key: tuple(value) for key, value in papers.items()}

    def results_of(self, implementation: str) -> tuple[Result, ...]:
        """The committed results of a method (or of the references ``target`` and ``retrained``), or on a task."""
        return tuple(result for result in self.results if implementation in (result.method, result.task))

    def _by_facet(self, name: str) -> dict[str, tuple[Paper, ...]]:
        return self._grouped(self.vocabularies[name].ids, FACETS[name].terms)

    def _grouped(self, keys: Iterable[str], terms: Callable[[Paper], tuple[str, ...]]) -> dict[str, tuple[Paper, ...]]:
        groups: dict[str, list[Paper]] = {key: [] for key in keys}
        for paper in self.papers:
            for term in dict.fromkeys(terms(paper)):
                groups[term].append(paper)
        return {key: tuple(papers) for key, papers in groups.items()}
