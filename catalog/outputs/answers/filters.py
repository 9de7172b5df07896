"""What papers can be filtered by: one rule for a paper in hand and for those in the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.model.paper import Paper

Fact = tuple[str, str]
"""What a paper has: the name of a filter and a term."""

FACETS = ("type", "family", "target", "dataset", "venue", "year")
"""The filters that take a term."""


@dataclass(frozen=True)
class Filters:
    """What papers must have; None and False ask for nothing. Terms are ids of the vocabularies."""

    type: str | None = None
    """As primary or further contribution."""
    family: str | None = None
    target: str | None = None
    dataset: str | None = None
    venue: str | None = None
    year: int | None = None
    has_code: bool = False
    runnable: bool = False
    """The paper's own method, task or attack runs here."""

    @property
    def asked(self) -> list[Fact]:
        """All that a paper must have."""
        terms = [(name, str(term)) for name in FACETS if (term := getattr(self, name)) is not None]
        return [*terms, *[("code", "yes")] * self.has_code, *[("runs", "yes")] * self.runnable]

    def __call__(self, paper: Paper) -> bool:
        """Whether a paper passes."""
        return set(self.asked) <= set(facts_of(paper))


ALL = Filters()
"""Passes every paper."""


def facts_of(paper: Paper) -> list[Fact]:
    """All by which a paper passes filters."""
    from catalog.model.facets import terms_of
    from catalog.model.marks import OWN, mark_of

    terms = [(name, term) for name in FACETS for term in terms_of(paper, name)]
    return [*terms, *[("code", "yes")] * bool(paper.links.code), *[("runs", "yes")] * (mark_of(paper) is OWN)]
