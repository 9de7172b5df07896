"""What checks look at, what they find, and how they are run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from catalog.base.text import did_you_mean
from catalog.model.bases import Bases
from catalog.model.claims import CLAIMS_FILE, Claim
from catalog.model.guide import Guide
from catalog.model.implementations import FamilyGuide, Implementation
from catalog.model.metrics import Metric
from catalog.model.paper import Reported
from catalog.model.results import Result
from catalog.model.trials import Trials
from catalog.model.vocabulary import Vocabularies, Vocabulary
from catalog.parsing.datafile import Entries
from catalog.parsing.problems import Problem, Severity
from catalog.parsing.tree import Mark, Place
from catalog.reading.entry import Entry

NO_ID = "xx0001"
"""Stands in for the id of a file whose name is none."""


@dataclass(frozen=True)
class Corpus:
    """All that checks look at. Of two records in conflict, the one that comes later is reported."""

    entries: tuple[Entry, ...]
    implementations: tuple[Implementation, ...] = ()
    results: Mapping[str, Result] = field(default_factory=dict)
    """By file."""
    vocabularies: Vocabularies = field(default_factory=dict)
    """Those that could be read."""
    claims: Entries[Claim] = field(default_factory=lambda: Entries(CLAIMS_FILE, {}))
    guide: Guide = field(default_factory=Guide)
    family_guides: Mapping[str, FamilyGuide] = field(default_factory=dict)
    trials: Trials = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    """What the numbers of results mean."""

    @cached_property
    def named(self) -> tuple[Entry, ...]:
        """The entries whose files are named as records are."""
        return tuple(entry for entry in self.entries if entry.paper.id != NO_ID)

    @cached_property
    def by_id(self) -> dict[str, Entry]:
        """Entries by the paper's id."""
        return {entry.paper.id: entry for entry in self.entries}

    @cached_property
    def implementation_ids(self) -> tuple[str, ...]:
        """The ids of everything that runs."""
        return tuple(implementation.id for implementation in self.implementations)

    @property
    def headlines(self) -> dict[str, str]:
        """The headline metric of every task."""
        return {runs.id: runs.headline for runs in self.implementations if runs.kind == "task"}

    @cached_property
    def built_on(self) -> tuple[tuple[Entry, Place, str], ...]:
        """All that records build on, with its place."""
        return tuple(
            (entry, ("method", "builds_on", index), base)
            for entry in self.entries
            if entry.paper.method
            for index, base in enumerate(entry.paper.method.builds_on)
        )

    @cached_property
    def reported(self) -> tuple[tuple[Entry, Place, Reported], ...]:
        """All numbers that records report, with their places."""
        return tuple(
            (entry, ("reported", index), number)
            for entry in self.entries
            for index, number in enumerate(entry.paper.reported)
        )

    @cached_property
    def bases(self) -> Bases:
        """What ``builds_on`` names."""
        return Bases((entry.paper for entry in self.entries), self.implementations)


@dataclass(frozen=True)
class TermPlace:
    """Where a term is defined."""

    file: str
    mark: Mark


@dataclass(frozen=True)
class Finding:
    """What a check found: where, what is wrong, what to do."""

    source: Entry | Implementation | TermPlace | str
    """A record, a file that runs, a term of a vocabulary, or another file by its path."""
    place: Place
    """The way to the part of a record; empty elsewhere."""
    message: str
    hint: str


@dataclass(frozen=True)
class Check:
    """One rule."""

    id: str
    severity: Severity
    doc: str
    """What it asks for and why, in a sentence or two: for the documentation."""
    run: Callable[[Corpus], Iterable[Finding]]
    alone: bool = False
    """Whether it looks at each record by itself, beside the vocabularies and what runs: of several records it finds
    what it finds of one after another."""


ALL_CHECKS: list[Check] = []


def run_checks(corpus: Corpus, known: Iterable[Problem] = (), *, alone: bool) -> list[Problem]:
    """Every problem that checks find, but none at or around a place where ``known`` already has one.

    Args:
        corpus: what is checked.
        known: what is known to be wrong before.
        alone: run the checks that look at each record by itself, or the others.
    """
    taken: dict[str, set[tuple[int, int]]] = {}
    for problem in known:
        taken.setdefault(problem.file, set()).add((problem.line, problem.column))
    problems = []
    for check in (candidate for candidate in ALL_CHECKS if candidate.alone == alone):
        for finding in check.run(corpus):
            file, mark = _where(finding)
            places = taken.get(file)
            if not places or not any((point.line, point.column) in places for point in (mark, *_inside(finding))):
                problems.append(
                    Problem(file, mark.line, mark.column, check.id, check.severity, finding.message, finding.hint)
                )
    return problems


def _inside(finding: Finding) -> Iterator[Mark]:
    """The marks of all parts of the finding's place."""
    if isinstance(finding.source, Entry) and finding.place:
        for marks in (finding.source.tree.keys, finding.source.tree.values):
            for place, mark in marks.items():
                if len(place) > len(finding.place) and place[: len(finding.place)] == finding.place:
                    yield mark


def _where(finding: Finding) -> tuple[str, Mark]:
    match finding.source:
        case Entry(paper=paper, tree=tree):
            return paper.file, tree.mark(finding.place)
        case Implementation(file=file, line=line):
            return file, Mark(line, 1)
        case TermPlace(file=file, mark=mark):
            return file, mark
        case file:
            return file, Mark(1, 1)


Run = Callable[[Corpus], Iterator[Finding]]


def check(code: str, severity: Severity = "error", *, alone: bool = False) -> Callable[[Run], Run]:
    """Registers a check; its docstring is its documentation. ``alone`` is explained at :class:`Check`."""

    def register(run: Run) -> Run:
        ALL_CHECKS.append(Check(code, severity, " ".join((run.__doc__ or "").split()), run, alone))
        return run

    return register


def places(key: str, terms: tuple[str, ...]) -> Iterable[tuple[Place, str]]:
    """The terms of a field that holds a list, each with its place."""
    return [((key, index), term) for index, term in enumerate(terms)]


def instead(term: str, vocabulary: Vocabulary) -> str:
    """What to write in place of a term that is none: the nearest one, or where the terms are."""
    place = f"catalog/vocabularies/{vocabulary.name}.yaml"
    if vocabulary.name in ("dataset", "venue", "track"):
        otherwise = f"If it is new, add it to {place}."
    else:
        otherwise = f"Known: {', '.join(vocabulary.ids)}." if len(vocabulary) <= 20 else f"The terms are in {place}."
    return did_you_mean(term, vocabulary.ids, vocabulary.by_alias) or otherwise


def known_bases(corpus: Corpus) -> set[str]:
    """What ``builds_on`` may name, but ids of records."""
    return corpus.bases.ids | set(corpus.vocabularies.get("technique", ()))


def unknown_bases(corpus: Corpus) -> Iterator[tuple[Entry, Place, str]]:
    """What records build on and nobody knows."""
    known = known_bases(corpus) | set(corpus.by_id)
    return ((entry, place, base) for entry, place, base in corpus.built_on if base not in known)
