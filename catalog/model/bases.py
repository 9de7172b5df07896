"""What ``builds_on`` names: the one rule, for what is checked and for what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catalog.base.text import slug
from catalog.model.implementations import Implementation
from catalog.model.paper import Paper, newest_first


class Bases:
    """The methods that papers can build on: those that run here, and those that records propose."""

    def __init__(self, papers: Iterable[Paper], implementations: Iterable[Implementation]) -> None:
        """Take papers in any order, among them such as are not checked yet."""
        ordered = newest_first(papers)
        self._by_id = {paper.id: paper for paper in ordered}
        self._running = {
            implementation.id: implementation for implementation in implementations if implementation.kind == "method"
        }
        named: dict[str, list[Paper]] = {}
        for paper in reversed(ordered):
            if paper.method and paper.method.name:
                named.setdefault(slug(paper.method.name), []).append(paper)
        self.by_name: Mapping[str, tuple[Paper, ...]] = {name: tuple(papers) for name, papers in named.items()}
        """Papers by the slug of their method's name, oldest first: names are not unique."""

    @property
    def ids(self) -> set[str]:
        """What ``builds_on`` may name, but ids of records and terms of the techniques."""
        return {*self._running, *self.by_name}

    def paper(self, ident: str) -> Paper | None:
        """The record of that id, or the oldest one whose method has that name."""
        return self._by_id.get(ident) or next(iter(self.by_name.get(ident, ())), None)

    def method(self, ident: str) -> Implementation | None:
        """The method that runs under that id, or that the record introduces which the id names."""
        if ident in self._running:
            return self._running[ident]
        paper = self.paper(ident)
        links = paper.implementations if paper else ()
        introduced = [
            self._running[link.id] for link in links if link.relation == "introduces" and link.id in self._running
        ]
        # A paper that is linked to several as their source is that of the file that follows it.
        return min(introduced, key=lambda method: method.paper != (paper and paper.id), default=None)

    def rivals(self, ident: str) -> tuple[Paper, ...]:
        """The records that propose a method of that name, where the name alone does not tell which is meant."""
        papers = () if ident in self._running else self.by_name.get(ident, ())
        return papers if len(papers) > 1 else ()
