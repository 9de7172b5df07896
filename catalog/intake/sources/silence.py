"""What a source passes over: it is asked again, and what it is silent about then is not said to be absent.

Services answer emptily for a moment, or leave out a part of a list, and a paper that was announced this morning is not
everywhere yet. That there is no such paper is a fact only where the source says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from catalog.base.web import WebError
from catalog.model.registries import Registry

T = TypeVar("T")

TRIES = 5
"""At most so often; after the second time only for as long as each answer says something about what was open."""


def until_answered(
    registry: Registry, wanted: Iterable[str], ask: Callable[[list[str]], Mapping[str, T | WebError]]
) -> dict[str, T | WebError]:
    """What a source says about papers: for each id an answer, or why there is none.

    Args:
        registry: the source.
        wanted: ids.
        ask: what the source says about some ids; those that it passes over are absent. It may be asked about the same
            ids again, and must not take absence from a cache.
    """
    said: dict[str, T | WebError] = {}
    left = list(dict.fromkeys(wanted))
    for number in range(TRIES):
        if not left:
            break
        said |= ask(left)
        before, left = left, [ident for ident in left if ident not in said]
        if number and left == before:
            break
    return said | {ident: silent(registry, ident) for ident in left}


def answered_again(ask: Callable[[], T], lacking: Callable[[T], int]) -> T:
    """The fullest of some answers to one question, which is asked again while something is lacking.

    Args:
        ask: asks, past any cache.
        lacking: how much is missing from an answer.
    """
    best = ask()
    for _ in range(1, TRIES):
        before = lacking(best)
        if before <= 0:
            break
        best = min(best, ask(), key=lacking)
        if lacking(best) == before:
            break
    return best


def silent(registry: Registry, ident: str) -> WebError:
    """The error for a paper about which a source said nothing: no fact about the paper."""
    return WebError(
        "silent",
        registry.address(ident),
        f"{registry.name} gives no answer about it this time",
        "Run this again later; if that does not help, look the id up.",
    )
