"""What people are told when something cannot be done: one message, never a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from catalog.base.terminal import UsageError
from catalog.base.text import as_typed

__all__ = ["DivergedError", "SharedNameError", "UnknownNameError", "UnsupportedModelError", "UsageError"]


class UnsupportedModelError(UsageError, ValueError):
    """A model is not built in a way that is known here; the message says what is missing."""


class DivergedError(UsageError):
    """Training went so far off that the model gives no numbers any more."""

    def __init__(self) -> None:
        super().__init__("The model gives no numbers any more: training has diverged. Lower --learning-rate.")


class UnknownNameError(UsageError):
    """Nothing of that name; the message offers all that begins so, else the nearest."""

    def __init__(self, kind: str, name: str, known: Iterable[str], begun: Collection[str] | None = None) -> None:
        """Take what there is.

        Args:
            kind: of what.
            name: as it was typed.
            known: all names that would have been right.
            begun: those of what the name begins, where more than these names tell.
        """
        names, typed = sorted(known), as_typed(name)
        if begun is None:
            begun = [one for one in names if typed and as_typed(one).startswith(typed)]
        near = sorted(begun) or difflib.get_close_matches(typed, names, n=1, cutoff=0.5)
        hint = f"Did you mean {either(near)}?" if near else f"There is: {', '.join(names) or 'none'}."
        super().__init__(f"There is no {kind} {name!r}. {hint}")


class SharedNameError(UsageError):
    """Several have that name; the message says which."""

    def __init__(self, kind: str, name: str, ids: Iterable[str]) -> None:
        super().__init__(f"More than one {kind} is called {name!r}. Say which by its id: {either(sorted(ids))}.")


def either(names: Iterable[str]) -> str:
    """Names in a sentence: ``'a', 'b' or 'c'``."""
    *before, last = map(repr, names)
    return f"{', '.join(before)} or {last}" if before else last
