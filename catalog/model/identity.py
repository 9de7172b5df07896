"""When two records are of one paper: the one rule, for what is there and for what is about to be added.

They share an id of a registry, or a title; two papers may have one title if they have no author in common and different
ids of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.base.text import same_title
from catalog.model.paper import Paper

REGISTRIES = {"arxiv": "arXiv id", "doi": "DOI", "acl": "ACL Anthology id", "openreview": "OpenReview id"}
"""The registries that give papers ids, and what those are called."""
_TELL_CASE = ("openreview",)
"""Registries whose ids tell upper from lower case."""


def registered(kind: str, given: str) -> str:
    """An id in the form in which two can be compared: DOIs, arXiv and Anthology ids are blind to case."""
    return given if kind in _TELL_CASE else given.casefold()


@dataclass(frozen=True)
class Identity:
    """What tells a paper from others."""

    ids: Mapping[str, str]
    """By registry, as :func:`registered` writes them."""
    titles: tuple[str, ...]
    """As :func:`~catalog.base.text.same_title` folds them: the present one, then former ones."""
    authors: frozenset[str]

    @classmethod
    def of(cls, paper: Paper) -> Identity:
        """That of a record."""
        links = {kind: getattr(paper.links, kind) for kind in REGISTRIES}
        return cls.said(paper.title, paper.authors, links, paper.former_titles)

    @classmethod
    def said(
        cls, title: str, authors: Iterable[str], links: Mapping[str, str | None], former: Iterable[str] = ()
    ) -> Identity:
        """That of a paper of which a source tells."""
        return cls(
            {kind: registered(kind, links[kind] or "") for kind in REGISTRIES if links.get(kind)},
            tuple(key for one in (title, *former) if (key := same_title(one))),
            frozenset(same_title(name) for name in authors),
        )

    def shared(self, other: Identity) -> str:
        """What makes the two one paper: a registry, ``title``, or ``""`` where they are two."""
        kind = next((kind for kind in REGISTRIES if kind in self.ids and self.ids[kind] == other.ids.get(kind)), "")
        if kind:
            return kind
        return "title" if not set(self.titles).isdisjoint(other.titles) and not self._differs(other) else ""

    def _differs(self, other: Identity) -> bool:
        """Whether two papers of one title are certainly two papers."""
        ids = ((self.ids.get(kind), other.ids.get(kind)) for kind in ("arxiv", "doi", "acl"))
        return any(one and two and one != two for one, two in ids) and self.authors.isdisjoint(other.authors)
