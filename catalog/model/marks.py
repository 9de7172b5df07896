"""What a paper may be marked with wherever papers are listed, filtered or counted: how near it is to what runs here.

A relative says nothing about a paper's own method, and so is no mark: it stands on the paper's own page alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalog.model.paper import Paper, Relation

CLOSEST_FIRST: tuple[Relation, ...] = ("introduces", "extends", "evaluates", "uses", "related")
"""Who examines something that runs here is nearer to it than a relative is."""


@dataclass(frozen=True)
class Mark:
    """One of the marks."""

    id: str
    """In addresses: ``own``."""
    label: str
    """As people read it."""


OWN = Mark("own", "Runs here")
"""The paper's own method, task or attack runs here."""
BASE = Mark("base", "What it builds on runs here")
MARKS: dict[Relation, Mark] = {"introduces": OWN, "extends": BASE}
"""The marks by the relation that earns them, the closest first."""


def closest_relation(paper: Paper) -> Relation | None:
    """The closest relation of a paper to anything that runs."""
    relations = {link.relation for link in paper.implementations}
    return next((relation for relation in CLOSEST_FIRST if relation in relations), None)


def mark_of(paper: Paper) -> Mark | None:
    """The mark of a paper: the one rule for lists, filters and counts."""
    relation = closest_relation(paper)
    return MARKS.get(relation) if relation else None
