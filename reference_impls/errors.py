"""What people are told when something cannot be done: one message, never a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from catalog.base.terminal import UsageError

__all__ = ["DivergedError", "UnknownNameError", "UnsupportedModelError", "UsageError"]


class UnsupportedModelError(UsageError, ValueError):
    """A model is not built in a way that is known here; the message says what is missing."""


class DivergedError(UsageError):
    """Training went so far off that the model gives no numbers any more."""

    def __init__(self) -> None:
        super().__init__("The model gives no numbers any more: training has diverged. Lower --learning-rate.")


class UnknownNameError(UsageError):
    """Nothing of that name; the message suggests the nearest."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name.lower().replace("_", "-"), names, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"There is: {', '.join(names) or 'none'}."
        super().__init__(f"There is no {kind} {name!r}. {hint}")
