"""What can become of a link, and what a status says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from catalog.base.web import BUSY, WebError

Status = Literal["fine", "moved", "insecure", "walled", "unreachable", "dead"]
ORDER: tuple[Status, ...] = ("dead", "unreachable", "moved", "insecure", "walled", "fine")
"""Worst first."""

_WALLED = frozenset((401, 402, 403, 407, 451, 999))


@dataclass(frozen=True)
class Verdict:
    """What became of an address."""

    address: str
    status: Status
    detail: str = ""
    to: str = ""
    """Where it leads instead, if it moved."""
    checked: str = ""
    """The moment of the check, in UTC."""
    since: str = ""
    """When it was first found so, while it is not fine."""


def by_status(address: str, status: int) -> Verdict:
    """What a status says of an address; one that may be gone at the next try says nothing."""
    match status:
        case _ if 200 <= status < 300:
            return Verdict(address, "fine")
        case 404 | 410:
            return Verdict(address, "dead", f"status {status}")
        case _ if status in _WALLED:
            return Verdict(address, "walled", f"status {status}: turns programs away, or wants a login")
        case _:
            return Verdict(address, "unreachable", f"status {status}" + (": busy" if status in BUSY else ""))


def by_error(address: str, error: WebError) -> Verdict:
    """What a failure to ask says of an address: that it was not reached, or only programs were turned away."""
    return Verdict(address, "walled" if error.status in _WALLED else "unreachable", error.message)
