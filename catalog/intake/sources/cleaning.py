"""Text of other programs as the plain text that records hold."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING

from catalog.model.paper import plain_text

if TYPE_CHECKING:
    from pylatexenc.latex2text import LatexNodes2Text

_TAG = re.compile(r"</?[A-Za-z][^>]*>")
_INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\xad\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_LATEX = re.compile(r"[\\{}]|\$[^$]+\$")
_ADDRESS = re.compile(r"(?:https?://|(?<![\w./-])(?:www\.)?github\.com/)[^\s,;<>\"'{}|\\^`)\]]+")
_FORGES = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")


def plain(text: str) -> str:
    r"""The text without HTML, LaTeX, invisible characters and surplus spaces.

    >>> plain(r"M{\"u}ller's  <i>na{\"\i}ve</i> $\beta$-test &amp; more")
    "Müller's naïve β-test & more"

    What remains that a record would refuse is dropped, so that the outcome is always plain text, perhaps none.
    """
    text = _TAG.sub("", html.unescape(_TAG.sub("", text[:50_000])))
    if _LATEX.search(text):
        text = _from_latex(text)
    text = " ".join(_INVISIBLE.sub("", text).split())
    try:
        return plain_text(text)
    except ValueError:
        text = re.sub(r"[{}\\`$*]|^[#>]+ ", "", text)
        text = " ".join(re.sub(r"!?\[([^\]]*)\]\([^)]*\)|&#?\w+;|<", r"\1", text).split())
    try:
        return plain_text(text)
    except ValueError:
        return ""


def artefacts(text: str) -> dict[str, str]:
    """The first address of code, data and project page that a text names, by the keys of a record's ``links``."""
    found: dict[str, str] = {}
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(".:!?*_'’”")
        if not address.startswith("http"):
            address = f"https://{address}"
        host, _, path = re.sub(r"^https?://(www\.)?", "", address).partition("/")
        if host in _FORGES and path.count("/") >= 1:
            found.setdefault("code", re.sub(r"\.git$", "", address))
        elif host == "huggingface.co" and path.startswith("datasets/"):
            found.setdefault("data", address)
        elif host.endswith((".github.io", ".gitlab.io")):
            found.setdefault("project", address)
    return found


def _from_latex(text: str) -> str:
    # A bare percent sign is a sign to people, and a comment to LaTeX.
    escaped = re.sub(r"(?<!\\)([%#&])", r"\\\1", text)
    try:
        return str(_decoder().latex_to_text(escaped)).replace("\u2009", " ")
    except Exception:
        # The library raises whatever its parser stumbles over; then the signs are dropped by the caller.
        return text


@cache
def _decoder() -> LatexNodes2Text:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(math_mode="text", strict_latex_spaces=False)
