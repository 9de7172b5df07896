"""The collector of cyclic garbage, where there is none to collect."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_gc() -> Iterator[None]:
    """Do not look for cycles meanwhile: where many objects are made that stay, the search takes longer than they do.

    Nor are they looked through at once in the end, as all that is new would be: only after the next such time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        if was_on:
            gc.unfreeze()
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.enable()
