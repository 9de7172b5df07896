"""What a paper has of a facet: the terms by which papers are checked, filtered, counted and listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from catalog.model.paper import Paper, Venue
from catalog.model.vocabulary import Vocabularies
from catalog.parsing.tree import Place


@dataclass(frozen=True)
class Facet:
    """One way to sort papers, with the vocabulary of its terms."""

    name: str
    """Of the vocabulary, in commands and addresses: ``family``."""
    fields: tuple[str, ...]
    """The keys of a record that hold terms: ``family``; none where they are deeper inside."""
    held: Callable[[Paper], Sequence[str]]
    """The terms of a paper as its record has them."""
    place: Callable[[int], Place]
    """Where in the record the term with a number is."""

    def placed(self, paper: Paper) -> list[tuple[Place, str]]:
        """Each term of a paper with its place in the record."""
        return [(self.place(number), term) for number, term in enumerate(self.held(paper))]

    def terms(self, paper: Paper) -> tuple[str, ...]:
        """The terms of a paper, each once, in the record's order."""
        return tuple(dict.fromkeys([term for term in self.held(paper) if term]))


def _listed(name: str, field: str) -> Facet:
    return Facet(name, (field,), attrgetter(field), lambda number: (field, number))


def _of_venue(name: str, field: str, held: Callable[[Venue], str | None]) -> Facet:
    def terms(paper: Paper) -> tuple[str, ...]:
        term = held(paper.venue) if paper.venue else None
        return () if term is None else (term,)

    return Facet(name, (), terms, lambda number: ("venue", field))


def _type_place(number: int) -> Place:
    return ("also", number - 1) if number else ("type",)


FACETS: dict[str, Facet] = {
    facet.name: facet
    for facet in (
        Facet("type", ("type", "also"), lambda paper: (paper.type, *paper.also), _type_place),
        _listed("family", "family"),
        _listed("target", "targets"),
        _listed("setting", "settings"),
        _listed("modality", "modalities"),
        _listed("dataset", "datasets"),
        _of_venue("venue", "id", lambda venue: venue.id),
        _of_venue("track", "track", lambda venue: venue.track or None),
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
