"""What a redirect means, as far as its two addresses tell: the same place, a login, or a page that is gone."""

from __future__ import annotations

import re
from itertools import zip_longest
from urllib.parse import parse_qsl, unquote, urlsplit

_INDEX = re.compile(r"(?:index|default|home|main|welcome)(?:\.(?:[sx]?html?|php\d?|aspx?|jsp|cgi|do))?", re.IGNORECASE)
_LANGUAGE = re.compile(
    r"(?:en|de|fr|es|it|pt|nl|sv|da|fi|no|pl|cs|ru|tr|zh|ja|ko|cn|jp)(?:[-_][a-z]{2,4})?", re.IGNORECASE
)
_DECORATION = re.compile(r"utm_\w+|lang|hl|locale|ref|from|src|error|err|msg|status|redirect(?:ed)?|not_?found|404")
"""Parameters that name no page."""

_EXTENSION = re.compile(r"\.\w{2,5}$")
_LOGIN = frozenset("login logon signin sso saml saml2 idp shibboleth oauth oauth2 openid authenticate wplogin".split())
"""Whole parts of a path, without hyphens and extension."""
_AFTER_AUTH = _LOGIN | {None, "realms", "authorize"}
"""What stands behind ``auth`` in the path of a login: the end, or one of these."""
_LOGIN_HOST = re.compile(r"(?:login|signin|sso|idp|auth|accounts?|cas|adfs|shibboleth|wayf)\.[^.]+\..+")
_BACK = frozenset("login returnurl returnto returnpath redirecturi redirecturl samlrequest relaystate".split())
"""Parameters, without hyphens and underscores, by which a login knows where to lead back."""


def is_login(address: str, instead_of: str) -> bool:
    """Whether an address asks who one is, in place of another that did not."""
    return bool(_marks_of_login(address) - _marks_of_login(instead_of))


def drops_to_front(address: str, led_to: str) -> bool:
    """Whether an address leads to the front page of its own site, which is what becomes of many a removed page.

    A front page has several addresses, none of which is a loss. The front page of another host is where projects go
    that get a domain of their own.
    """
    asked = address.partition("#")[0]
    is_root = not urlsplit(asked).path.strip("/")
    return _host(asked) == _host(led_to) and _is_front(led_to) and not is_root and not _is_front(asked)


def same_place(one: str, other: str) -> bool:
    """Whether two addresses differ in nothing that a reader would call a move."""
    return _plain(one) == _plain(other)


def _plain(address: str) -> tuple[str, str, str]:
    parts = urlsplit(address)
    path = "" if _is_front(address) and not parts.query else "/".join(_segments(address))
    return _host(address), path.casefold(), parts.query


def _host(address: str) -> str:
    return (urlsplit(address).hostname or "").removeprefix("www.").rstrip(".")


def _segments(address: str) -> list[str]:
    """The parts of a path, without the name of an index file at its end."""
    segments = [unquote(part) for part in urlsplit(address).path.split("/") if part]
    return segments[:-1] if segments and "." in segments[-1] and _INDEX.fullmatch(segments[-1]) else segments


def _is_front(address: str) -> bool:
    """Whether an address is that of a front page, in whatever spelling or language, and of no view within it."""
    parts = urlsplit(address)
    if parts.fragment or not all(_DECORATION.fullmatch(name) for name in _parameters(parts.query)):
        return False
    match _segments(address):
        case []:
            return True
        case [only]:
            return bool(_INDEX.fullmatch(only) or _LANGUAGE.fullmatch(only))
        case [language, last]:
            return bool(_LANGUAGE.fullmatch(language) and _INDEX.fullmatch(last))
        case _:
            return False


def _marks_of_login(address: str) -> set[str]:
    """What in an address says that it is a login."""
    parts = urlsplit(address)
    names = [_EXTENSION.sub("", unquote(part).partition(";")[0]) for part in parts.path.split("/") if part]
    names = [_joined(name) for name in names]
    marks = {name for name in names if name in _LOGIN}
    if any(name == "auth" and then in _AFTER_AUTH for name, then in zip_longest(names, names[1:])):
        marks.add("auth")
    if host := _LOGIN_HOST.fullmatch(parts.hostname or ""):
        marks.add(host[0])
    return marks | {name for parameter in _parameters(parts.query) if (name := _joined(parameter)) in _BACK}


def _parameters(query: str) -> list[str]:
    return [name.casefold() for name, _ in parse_qsl(query, keep_blank_values=True)]


def _joined(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")
