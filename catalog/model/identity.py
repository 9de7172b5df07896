"""When two records are of one paper: the one rule, for what is there and for what is about to be added.

They share an id of a registry, or a title; two papers may have one title if they have no author in common and different
ids of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.base.text import title_as_seen
from catalog.model.paper import Paper
from catalog.model.registries import REGISTRIES


@dataclass(frozen=True)
class Identity:
    """What tells a paper from others."""

    ids: Mapping[str, str]
    """By registry, in the form in which they can be compared."""
    titles: tuple[str, ...]
    """As :func:`~catalog.base.text.title_as_seen` folds them: the present one, then former ones."""
    authors: frozenset[str]

    @classmethod
    def of(cls, paper: Paper) -> Identity:
        """That of a record."""
        return cls.said(paper.title, paper.authors, paper.links.ids, paper.former_titles)

    @classmethod
    def said(cls, title: str, authors: Iterable[str], links: Mapping[str, str], former: Iterable[str] = ()) -> Identity:
        """That of a paper of which a source tells."""
        return cls(
            {key: registry.comparable(links[key]) for key, registry in REGISTRIES.items() if links.get(key)},
            tuple(key for name in (title, *former) if (key := title_as_seen(name))),
            frozenset(title_as_seen(name) for name in authors),
        )

    def shared(self, other: Identity) -> str:
        """What makes the two one paper: a registry, ``title``, or ``""`` where they are two."""
        if key := next((key for key, ident in self.ids.items() if ident == other.ids.get(key)), ""):
            return key
        return "title" if not set(self.titles).isdisjoint(other.titles) and not self._differs(other) else ""

    def _differs(self, other: Identity) -> bool:
        """Whether two papers of one title are certainly two papers."""
        both = [key for key in self.ids if key in other.ids and REGISTRIES[key].one_each]
        return any(self.ids[key] != other.ids[key] for key in both) and self.authors.isdisjoint(other.authors)
