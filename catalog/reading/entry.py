"""A record as far as it could be read, with the places of its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from catalog.model.paper import Paper
from catalog.parsing.tree import Place, Tree


@dataclass(frozen=True)
class Entry:
    """A record as far as it could be read, with the positions of its parts.

    Parts that were wrong are missing, or blank where the schema requires them.
    """

    paper: Paper
    source: Tree | Callable[[], Tree]
    """The file's tree, or what reads it: of most records nobody asks for a position."""

    @cached_property
    def tree(self) -> Tree:
        """The positions of the record's parts."""
        return self.source if isinstance(self.source, Tree) else self.source()

    def line(self, place: Place) -> str:
        """The place as messages name it: ``papers/2024/zhang2024negative.yaml:8``."""
        return f"{self.paper.file}:{self.tree.mark(place).line}"
