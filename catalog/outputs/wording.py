"""How a paper is put in words, in the README, the lists, the terminal and the site: one way of saying it for all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from catalog.model.catalog import Catalog
from catalog.model.implementations import Implementation, Kind
from catalog.model.marks import BASE, CLOSEST_FIRST, OWN
from catalog.model.paper import Paper, Relation
from catalog.model.vocabulary import MetricTerm

OVERVIEWS = ("survey", "position", "blog")
"""Types of papers that tell of others' methods."""
OWN_SIGN = "▶"
"""Stands before the names of what is a paper's own, and before nothing else."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~$&#@])")
_ADDRESS = re.compile(r"(?i)\b(https?|ftp)://|\bwww\.")


@lru_cache(maxsize=1 << 16)
def escape(text: str) -> str:
    """Plain text as Markdown: nothing in it is markup, a mention or an address."""
    text = _MARKUP.sub(r"\\\1", text)
    return _ADDRESS.sub(lambda match: match[0].replace(":", r"\:").replace(".", r"\."), text)


def escape_url(address: str) -> str:
    """An address as the target of a Markdown link."""
    return re.sub(r"[()<>*\[\]\s|]", lambda match: f"%{ord(match[0]):02X}", address)


def byline(authors: Sequence[str], most: int = 3) -> str:
    """The authors of a paper, shortened where there are more than ``most``.

    >>> byline(["A", "B", "C", "D"])
    'A, B and 2 others'
    """
    named, others = shortened(authors, most)
    return ", ".join(named) + (f" and {others} others" if others else "")


def shortened(authors: Sequence[str], most: int) -> tuple[Sequence[str], int]:
    """The authors of a paper that are named, ``most`` where they are no more, and how many others there are."""
    return (authors, 0) if len(authors) <= most else (authors[: most - 1], len(authors) - most + 1)


def published(paper: Paper) -> str:
    """The venue, or the year of the preprint or page."""
    if paper.appeared:
        return paper.appeared.label
    return f"preprint, {paper.year}" if paper.links.arxiv or paper.links.openreview else str(paper.year)


def links(paper: Paper) -> list[tuple[str, str]]:
    """(label, address) of what comes with the paper."""
    kinds = {"code": paper.links.code, "data": paper.links.data, "project": paper.links.project}
    return [(kind, address) for kind, address in kinds.items() if address]


@dataclass(frozen=True)
class Running:
    """What runs behind a paper, in one relation."""

    relation: Relation
    words: str
    """The relation, as a label."""
    implementations: tuple[Implementation, ...]

    @property
    def own(self) -> bool:
        """Whether it is the paper's own method, task or attack."""
        return self.relation == "introduces"


_WORDS: dict[Relation, str] = {
    "introduces": OWN.label,
    "extends": BASE.label,
    "evaluates": "Evaluates what runs here",
    "uses": "Uses what runs here",
    "related": "The nearest that runs here",
}


def running(catalog: Catalog, paper: Paper) -> list[Running]:
    """What runs behind a paper, the closest relation first."""
    groups: dict[tuple[Relation, str], list[Implementation]] = {}
    for relation in CLOSEST_FIRST:
        for link in paper.implementations:
            if link.relation == relation:
                implementation = catalog.implementation_by_id[link.id]
                words = _relation_words(relation, implementation.kind, paper)
                groups.setdefault((relation, words), []).append(implementation)
    return [Running(*kind, tuple(implementations)) for kind, implementations in groups.items()]


def is_attack(relation: Relation, kind: Kind, paper: Paper) -> bool:
    """Whether the paper attacks what it is linked to: what an attack evaluates is a method that it was tried on."""
    return relation == "evaluates" and kind == "method" and "attack" in paper.contributions


def _relation_words(relation: Relation, kind: Kind, paper: Paper) -> str:
    if is_attack(relation, kind, paper):
        return "Attacks what runs here"
    if relation == "extends" and kind == "task":
        return "A small counterpart runs here"
    if relation == "uses" and paper.type in OVERVIEWS:
        return "Covers what runs here"
    return _WORDS[relation]


@dataclass(frozen=True)
class ReportedLine:
    """One number that a paper reports, in words."""

    benchmark: str
    metric: str
    better: str
    """Where a model should end: ``higher``, ``lower`` or ``nearer to zero``."""
    definition: str
    """Of the metric."""
    model: str
    value: str
    source: str
    note: str = ""


def reported(catalog: Catalog, paper: Paper) -> list[ReportedLine]:
    """What a paper reports of its own method, as pages put it."""
    benchmarks, metrics = catalog.vocabularies["benchmark"], catalog.vocabularies["metric"]
    lines = []
    for number in paper.reported:
        metric = metrics[number.metric]
        assert isinstance(metric, MetricTerm)
        better = "nearer to zero" if metric.better == "zero" else metric.better
        value = f"{number.value:.12g}"
        lines.append(
            ReportedLine(
                benchmarks[number.benchmark].label,
                metric.label,
                better,
                metric.definition,
                number.model,
                value,
                number.source,
                number.note or "",
            )
        )
    return lines
