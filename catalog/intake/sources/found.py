"""What a source says about one paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.intake.sources.venues import Venue
from catalog.model.paper import Source


@dataclass(frozen=True)
class Found:
    """Facts in the source's words, as plain text; empty or absent where the source says nothing."""

    source: Source
    title: str
    authors: tuple[str, ...]
    date: str
    """Of the first public version that the source knows: ``YYYY-MM``, or ``YYYY``; empty if unknown."""
    links: Mapping[str, str] = field(default_factory=dict)
    """By the keys of a record's ``links``."""
    venue: Venue | None = None
    abstract: str = ""
    version: int | None = None
    updated: str = ""
    """The day of the newest version, ``YYYY-MM-DD``."""
    withdrawn: str = ""
    """What the source says about a withdrawal or retraction."""
    incomplete: bool = False
    """The list of authors ends with "and others"."""
