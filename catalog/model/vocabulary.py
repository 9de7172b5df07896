"""Controlled vocabularies: the terms that records may use, each with a label and a definition.

A vocabulary is a YAML file of ``catalog/vocabularies/``: a list of terms. A contributor adds a benchmark
there, without touching Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo

from catalog.base.project import PACKAGE
from catalog.model.paper import Known, Model, Number, Prose, Slug, Text, Url
from catalog.parsing.problems import Problem, render
from catalog.parsing.tree import Mark, Tree, read_tree
from catalog.parsing.validation import validate

FOLDER = PACKAGE / "vocabularies"
NAMES = (
    "type",
    "family",
    "target",
    "setting",
    "modality",
    "dataset",
    "venue",
    "track",
    "technique",
    "benchmark",
    "metric",
)

_MAY_BE_ABSENT = ("benchmark", "metric")
"""Whoever reports no numbers of papers needs no terms for them."""


class Term(Model):
    """One term: what it is called, what it means, and what else people call it."""

    id: Slug
    label: Text
    definition: Prose
    link: Url | None = None
    aliases: tuple[Text, ...] = ()
    plural: Text | None = None
    """The heading of a list of such papers, where the label will not do (``Surveys``)."""
    kept: Text | None = None
    """Why the term stays although no record uses it."""


class DatasetTerm(Term):
    """A benchmark or another data set."""

    paper: Known | None = None
    """The record that introduces it, where there is one."""


class VenueTerm(Term):
    """A conference, a workshop with proceedings of its own, a journal or a web site."""

    name: Text | None = None
    """The full name, for citations, where the label is short for it."""
    kind: Literal["conference", "journal", "web"] = "conference"
    anthology: tuple[Slug, ...] = ()
    """What the ACL Anthology's ids call it, where that is not the term's id (``ijcnlp``)."""


class TrackTerm(Term):
    """A part of a venue: findings, an industry track, a workshop."""

    name: Text | None = None
    """The full name, for citations."""
    named_at: tuple[Slug, ...] = ()
    """The venues where it has that name; at others the name is made of the venue's. None: it has it everywhere."""
    before: Text | None = None
    """What stands before the venue (``Findings of``); without it, ``after`` or the label stands behind."""
    after: Text | None = None
    anthology: tuple[Slug, ...] = ()
    """What the ACL Anthology's ids call it, where that is not the term's id (``srw``)."""

    @property
    def is_workshop(self) -> bool:
        """Whether it is a workshop, or a volume of them, as it calls itself."""
        return any("workshop" in (name or "").casefold() for name in (self.label, self.name, self.after))


class TechniqueTerm(Term):
    """Something that methods build on and that no record proposes."""

    kind: Literal["method", "technique"] = "technique"
    """``method``: it is itself a way to make a model forget."""


class BenchmarkTerm(Term):
    """A data set in one of the forms in which papers report numbers on it."""

    dataset: Known
    """Its term among the data sets."""


def _above_low(high: float | None, given: ValidationInfo) -> float | None:
    low = given.data.get("low")
    if low is not None and high is not None and not low < high:
        raise ValueError("bad-number: not above low; correct one of the two")
    return high


class MetricTerm(Term):
    """What papers report, with its scale."""

    benchmarks: tuple[Known, ...]
    """The benchmarks that define it."""
    low: Number
    """The lower end of its scale."""
    high: Annotated[Number | None, AfterValidator(_above_low)] = None
    """The upper end, where there is one."""
    better: Literal["higher", "lower", "zero"]
    """Where a model should end."""

    def holds(self, value: float) -> bool:
        """Whether a value lies on its scale."""
        return self.low <= value and (self.high is None or value <= self.high)


_MODELS: dict[str, type[Term]] = {
    "dataset": DatasetTerm,
    "venue": VenueTerm,
    "track": TrackTerm,
    "technique": TechniqueTerm,
    "benchmark": BenchmarkTerm,
    "metric": MetricTerm,
}


@dataclass(frozen=True)
class Vocabulary(Mapping[str, Term]):
    """The terms of one field, in the file's order, by id."""

    name: str
    terms: tuple[Term, ...]
    file: str = ""
    """Where they are defined; ``""`` where that is outside the checkout."""
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """The place of each term in that file."""

    @cached_property
    def _by_id(self) -> dict[str, Term]:
        return {term.id: term for term in self.terms}

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, in the file's order."""
        return tuple(term.id for term in self.terms)

    @cached_property
    def by_alias(self) -> dict[str, str]:
        """Lower-case label or alias -> id, for suggestions."""
        names = {term.label.casefold(): term.id for term in self.terms}
        return names | {alias.casefold(): term.id for term in self.terms for alias in term.aliases}

    def __getitem__(self, key: str) -> Term:
        return self._by_id[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self.terms)


Vocabularies = Mapping[str, Vocabulary]


def read_vocabularies(folder: Path, root: Path) -> tuple[dict[str, Vocabulary], list[Problem]]:
    """All vocabularies that can be read, by field name (``type``, ``family``, ...), with problems.

    Args:
        folder: where the YAML files are.
        root: what problems name files relative to, if the folder is inside.
    """
    read: dict[str, Vocabulary] = {}
    problems: list[Problem] = []
    for name in NAMES:
        path = folder / f"{name}.yaml"
        if name in _MAY_BE_ABSENT and not path.exists():
            read[name] = Vocabulary(name, ())
            continue
        file = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
        tree, faults = read_tree(path, file)
        terms, wrong = _terms(tree, _MODELS.get(name, Term)) if tree else ((), [])
        problems += faults + wrong
        if not faults and not wrong:
            marks = {term.id: tree.mark((index, "id")) for index, term in enumerate(terms)} if tree else {}
            read[name] = Vocabulary(name, terms, file if path.is_relative_to(root) else "", marks)
    return read, problems


def _terms(tree: Tree, model: type[Term]) -> tuple[tuple[Term, ...], list[Problem]]:
    if not isinstance(tree.value, tuple):
        message = "a vocabulary is a list of terms"
        return (), [Problem(tree.file, 1, 1, "wrong-type", "error", message, "Start each term with '- id: ...'.")]
    terms: dict[str, Term] = {}
    problems: list[Problem] = []
    for index in range(len(tree.value)):
        term, wrong = validate(model, tree, (index,))
        problems += wrong
        if term and term.id in terms:
            mark = tree.mark((index, "id"))
            message = f"the term {term.id!r} is already defined"
            hint = "Keep one of the two; other names of a term go into its aliases."
            problems.append(Problem(tree.file, mark.line, mark.column, "duplicate-term", "error", message, hint))
        elif term:
            terms[term.id] = term
    return tuple(terms.values()), problems


def load_vocabularies(folder: Path = FOLDER) -> dict[str, Vocabulary]:
    """All vocabularies, by field name.

    Raises:
        ValueError: a file is wrong; the message is the list of problems.
    """
    read, problems = read_vocabularies(folder, folder.parent.parent)
    if problems:
        raise ValueError(render(problems))
    return read
