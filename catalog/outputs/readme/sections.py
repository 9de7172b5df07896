"""The sections of the README, with the papers of each: by type, and methods by family."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from catalog.model.catalog import Catalog
from catalog.model.implementations import Implementation, Kind
from catalog.model.paper import Paper
from catalog.outputs.wording import OVERVIEWS

FOLDER = "lists"
"""Where the pages with authors and summaries are."""
_MEASURES = ("benchmark", "evaluation")
_KINDS: dict[str, Kind] = {"benchmark": "task", "attack": "attack"}
"""What runs that belongs to papers of a type."""


@dataclass(frozen=True)
class Section:
    """A heading with its papers; it is there without papers, too, so that the first one changes nothing else."""

    title: str
    text: str
    """What its papers are, in a sentence or two."""
    page: str = ""
    """Where the list with authors and summaries is, relative to the checkout; ``""`` for a heading above others."""
    papers: tuple[Paper, ...] = ()
    """Newest first."""
    guests: frozenset[str] = frozenset()
    """Ids of those that belong to another section, and also propose a method of this family."""
    implementations: tuple[Implementation, ...] = ()
    """What runs that belongs to the whole section: a family's methods, tasks to benchmarks, attacks to attacks."""
    level: int = 2

    @property
    def anchor(self) -> str:
        """The fragment that code hosts give to the heading."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")


def sections(catalog: Catalog) -> Iterator[Section]:
    """Every paper once in its main section; one that also proposes a method is a guest in the method's family."""
    yield _of_types(catalog, "Surveys and introductions", "Where to start reading.", OVERVIEWS)
    text = "What to forget, and how to tell whether it was forgotten."
    yield _of_types(catalog, "Benchmarks and evaluation", text, _MEASURES)
    yield Section("Methods", "Sorted by mechanism: how a method makes the model forget.")
    yield from _families(catalog)
    for term in catalog.vocabularies["type"].terms:
        if term.id not in (*OVERVIEWS, *_MEASURES, "method"):
            yield _of_types(catalog, term.plural or term.label, term.definition, (term.id,))


def _of_types(catalog: Catalog, title: str, text: str, types: tuple[str, ...]) -> Section:
    kind = _KINDS.get(types[0])
    return Section(
        title,
        text,
        f"{FOLDER}/type/{types[0]}.md",
        tuple(paper for paper in catalog.papers if paper.type in types),
        implementations=tuple(runs for runs in catalog.implementations if runs.kind == kind),
    )


def _families(catalog: Catalog) -> Iterator[Section]:
    proposing = [paper for paper in catalog.papers if "method" in paper.contributions]
    for family in catalog.vocabularies["family"].terms:
        papers = tuple(paper for paper in proposing if paper.family[:1] == (family.id,))
        yield Section(
            family.label,
            family.definition,
            f"{FOLDER}/family/{family.id}.md",
            papers,
            frozenset(paper.id for paper in papers if paper.type != "method"),
            tuple(method for method in catalog.methods if method.family == family.id),
            level=3,
        )
    rest = tuple(paper for paper in proposing if paper.type == "method" and not paper.family)
    text = "Methods of no family above, or not sorted yet."
    yield Section("Other methods", text, f"{FOLDER}/type/method.md", rest, level=3)
