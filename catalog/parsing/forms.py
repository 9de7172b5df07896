"""Annotations of fields: how a text is written, for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """How a text is written, for people: an annotation beside the pattern of a field."""

    what: str
    """``an arXiv id without version``."""
    example: str
    code: str = "bad-id"
    """Of the problem with a text that is written otherwise."""

    def inside(self, text: str) -> str | None:
        """What is right within a wrong text, to be written instead."""
        return None

    def fault(self, text: str) -> str:
        """Why a text is wrong that looks right, or ``""`` where its looks say it."""
        return ""


@dataclass(frozen=True)
class FreeText:
    """An annotation: words of people, in which any sign may stand."""
