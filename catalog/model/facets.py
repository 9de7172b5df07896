"""What a paper has of a facet: the terms by which papers are checked, filtered, counted and listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from catalog.model.paper import Paper
from catalog.model.vocabulary import Vocabularies
from catalog.parsing.tree import Place

Placed = Iterable[tuple[Place, str]]


@dataclass(frozen=True)
class Facet:
    """One way to sort papers, with the vocabulary of its terms."""

    name: str
    """Of the vocabulary, in commands and addresses: ``family``."""
    fields: tuple[str, ...]
    """The keys of a record that hold terms: ``family``; none where they are deeper inside."""
    placed: Callable[[Paper], Placed]
    """Each term of a paper with its place in the record."""

    def terms(self, paper: Paper) -> tuple[str, ...]:
        """The terms of a paper, each once, in the record's order."""
        return tuple(dict.fromkeys([term for _, term in self.placed(paper) if term]))


def _listed(name: str, field: str) -> Facet:
    return Facet(name, (field,), lambda paper: [((field, i), term) for i, term in enumerate(getattr(paper, field))])


def _type(paper: Paper) -> Placed:
    return [(("type",), paper.type), *((("also", i), term) for i, term in enumerate(paper.also))]


def _venue(paper: Paper) -> Placed:
    return [(("venue", "id"), paper.venue.id)] if paper.venue else []


def _track(paper: Paper) -> Placed:
    return [(("venue", "track"), paper.venue.track)] if paper.venue and paper.venue.track else []


FACETS: dict[str, Facet] = {
    facet.name: facet
    for facet in (
        Facet("type", ("type", "also"), _type),
        _listed("family", "family"),
        _listed("target", "targets"),
        _listed("setting", "settings"),
        _listed("modality", "modalities"),
        _listed("dataset", "datasets"),
        Facet("venue", (), _venue),
        Facet("track", (), _track),
    )
}
"""In the order of records."""


def terms_of(paper: Paper, facet: str) -> tuple[str, ...]:
    """The terms of a paper in a facet; its year, or the edition of the venue in which it appeared."""
    if facet == "year":
        return (str(paper.year),)
    if facet == "edition":
        return (paper.edition.id,) if paper.edition else ()
    return FACETS[facet].terms(paper)


def labels_of(paper: Paper, facet: str, vocabularies: Vocabularies) -> list[str]:
    """What people call the terms of a paper in a facet."""
    return [vocabularies[facet][term].label for term in FACETS[facet].terms(paper)]


FIELDS = {field: facet.name for facet in FACETS.values() for field in facet.fields}
"""The facet to which each field of a record belongs that holds terms."""
