"""What can go wrong on the way to an address, in words for people."""

from __future__ import annotations

from typing import Literal

import requests

from catalog.base.text import shorten

Kind = Literal[
    "address", "private", "unknown", "unreachable", "tls", "timeout", "redirect", "status", "type", "size", "content",
    "refused", "silent",
]  # fmt: skip
"""Of the last two, ``refused`` is a fact: the service itself says that there is no such thing. ``silent`` is none: it
answered, but not about that."""


class WebError(Exception):
    """An address gave no usable answer; the message says which, why, and what to do."""

    def __init__(self, kind: Kind, url: str, message: str, hint: str = "", status: int | None = None) -> None:
        """Args: the kind of failure, the address, what happened, what to do, and the status if there was one."""
        # The parameters of an interface say nothing to people.
        shown = url if len(url) <= 100 else f"{url.partition('?')[0]}?…" if "?" in url else url
        super().__init__(f"{shorten(shown, 200)}: {message}" + (f". {hint}" if hint else ""))
        self.kind, self.url, self.message, self.hint, self.status = kind, url, message, hint, status


def in_words(url: str, error: Exception) -> WebError:
    """What went wrong, for people: the libraries below say it in many classes and nestings."""
    said = f"{error} {error.__cause__ or ''} {error.__context__ or ''}"
    if isinstance(error, requests.Timeout) or "timed out" in said:
        return WebError("timeout", url, "does not answer in time", "Try again later.")
    if isinstance(error, requests.exceptions.SSLError) or "CERTIFICATE" in said:
        return WebError("tls", url, "has no valid certificate")
    if "PrivateError(" in repr(error):
        return WebError("private", url, "is an address of this machine or its network")
    if "resol" in said or "getaddrinfo" in said:
        return WebError("unknown", url, "there is no such host, or no network", "Check the address and your connection")
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return WebError("address", url, "is not an address")
    return WebError("unreachable", url, "cannot be reached, or broke off", "Try again later.")


def advice(status: int) -> str:
    """What to do about a status."""
    match status:
        case 404 | 410:
            return "Is the id right?"
        case 401 | 403:
            return "It wants a login, or refuses programs; look in a browser."
        case 429 | 500 | 502 | 503 | 504:
            return "It is busy; run this again later."
        case _:
            return ""
