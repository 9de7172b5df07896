"""A selection of papers as the paper list writes it into its address: ``setting=black-box&setting=retain-free``.

``site/assets/js/papers.js`` reads and writes the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from catalog.model.facets import FACETS, terms_of
from catalog.model.marks import MARKS, mark_of
from catalog.model.paper import Paper
from catalog.model.vocabulary import Vocabularies

TERMS = tuple(name for name in FACETS if name != "track")
"""Facets whose values are terms of a vocabulary."""
FILTERS = (*TERMS, "edition", "year", "code", "runs")
"""What filters the list, in its order of columns."""
ALL_WANTED = ("setting",)
"""Facets of which several values are all wanted, unless the address says otherwise: who names two has both."""
_OTHERS = ("q", "any", "all")


def values(paper: Paper, name: str) -> tuple[str, ...]:
    """What a paper has of a filter: ids of terms, an edition, a year, its mark, or ``1`` where there is code."""
    if name == "code":
        return ("1",) if paper.links.code else ()
    if name == "runs":
        mark = mark_of(paper)
        return (mark.id,) if mark else ()
    return terms_of(paper, name)


@dataclass(frozen=True)
class Selection:
    """What is wanted."""

    query: str
    """Words, for the search."""
    filters: Mapping[str, tuple[str, ...]]
    """The values of each filter."""
    all_of: frozenset[str]
    """Filters of which a paper must have all values; of the others it must have one."""

    @classmethod
    def parsed(cls, address: str) -> Selection:
        """That of an address's part behind the question mark.

        Raises:
            ValueError: it holds what the list does not know, for people.
        """
        given: dict[str, list[str]] = {}
        for key, value in parse_qsl(address.removeprefix("?"), keep_blank_values=True):
            if key not in (*FILTERS, *_OTHERS):
                raise ValueError(f"bad-value: the paper list has no filter {key!r}; one of {', '.join(FILTERS)}, or q")
            given.setdefault(key, []).append(value)
        if not any(value for key in (*FILTERS, "q") for value in given.get(key, ())):
            raise ValueError("bad-value: selects nothing; copy what stands behind the ? in the paper list's address")
        every = {*ALL_WANTED, *given.get("all", ())} - {*given.get("any", ())}
        filters = {name: tuple(given[name]) for name in FILTERS if name in given}
        return cls(" ".join(given.get("q", ())), filters, frozenset(every))

    def fits(self, paper: Paper) -> bool:
        """Whether a paper passes the filters; the words are the search's."""
        return all(
            (all if name in self.all_of else any)(value in values(paper, name) for value in wanted)
            for name, wanted in self.filters.items()
        )

    def unknown(self, vocabularies: Vocabularies) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """(filter, value, known values) of what no paper can have."""
        known = {name: vocabularies[name].ids for name in TERMS if name in vocabularies}
        known |= {"code": ("1",), "runs": tuple(mark.id for mark in MARKS.values())}
        for name, wanted in self.filters.items():
            yield from ((name, value, known[name]) for value in wanted if name in known and value not in known[name])
