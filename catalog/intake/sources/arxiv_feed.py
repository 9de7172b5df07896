"""arXiv's answers, in Atom: its entries as the ``arxiv`` package has them, and its own words where it refuses.

The form is described at https://info.arxiv.org/help/api/user-manual.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from catalog.base.web import WebError
from catalog.intake.sources.cleaning import plain
from catalog.model.registries import ARXIV

if TYPE_CHECKING:
    import arxiv

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_PAPER = re.compile(r"https?://(?:\w+\.)?arxiv\.org/abs/\S+")


@dataclass(frozen=True)
class Refusal:
    """An entry in which arXiv says that something is wrong with the question."""

    words: str
    """arXiv's own, for people."""
    about: str = ""
    """The address of the error, which may tell what it is about."""

    def names(self, paper: str) -> bool:
        """Whether it is about a paper, in whichever spelling of its id."""
        spellings = "|".join(map(re.escape, (paper, ARXIV.comparable(paper))))
        alone = rf"(?<![a-z0-9./-])(?:{spellings})(?:v\d+)?(?![a-z0-9/-]|\.[a-z0-9])"
        return re.search(alone, f"{self.about} {self.words}", re.IGNORECASE) is not None


@dataclass(frozen=True)
class Feed:
    """One answer."""

    results: tuple[arxiv.Result, ...] = ()
    """The entries that are about a paper; an id of it and a title are the least that they say."""
    refusals: tuple[Refusal, ...] = ()
    entries: int = 0
    """How many there are, of whatever use."""
    total: int = 0
    """How many papers a search found, on all pages."""


def read(body: bytes, where: str) -> Feed:
    """What an answer holds.

    Raises:
        WebError: it is no feed, or hides a bomb.
    """
    try:
        root = ElementTree.fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise WebError("content", where, "gives XML with entities, which is not read") from None
    except (ElementTree.ParseError, ValueError, LookupError):
        raise WebError("content", where, "gives broken XML", "Try again later.") from None
    if root.tag != f"{_ATOM}feed":
        raise WebError("content", where, "gives something else than a feed of papers")
    entries = root.findall(f"{_ATOM}entry")
    said = (root.findtext(_TOTAL) or "").strip()
    return Feed(
        tuple(_results(entries)),
        tuple(_refusals(entries)),
        len(entries),
        int(said) if said.isascii() and said.isdigit() and len(said) < 16 else len(entries),
    )


def id_and_version(result: arxiv.Result) -> tuple[str, int]:
    """The id of an entry's paper, and the version, 0 where the entry does not tell it."""
    match = re.fullmatch(r"(.+?)(?:v([0-9]+))?", result.get_short_id())
    return (match[1], int(match[2] or 0)) if match else ("", 0)


def _refusals(entries: list[Element]) -> Iterator[Refusal]:
    for entry in entries:
        about = _text(entry, f"{_ATOM}id")
        if "api/errors" in about:
            words = plain(_text(entry, f"{_ATOM}summary")) or "there is an error"
            # The address has the words again, with lines for spaces: ".../errors#incorrect_id_format_for_9".
            yield Refusal(words, unquote(about.partition("#")[2]).replace("_", " "))


def _results(entries: list[Element]) -> Iterator[arxiv.Result]:
    import arxiv

    for entry in entries:
        address, title = _text(entry, f"{_ATOM}id"), _text(entry, f"{_ATOM}title")
        # arXiv gives entries that are almost empty for ids that it has trouble with.
        if _PAPER.fullmatch(address) and title:
            names = [_text(author, f"{_ATOM}name") for author in entry.findall(f"{_ATOM}author")]
            moments = {
                key: moment for key in ("updated", "published") if (moment := _moment(_text(entry, f"{_ATOM}{key}")))
            }
            yield arxiv.Result(
                address,
                title=title,
                authors=[arxiv.Result.Author(name) for name in names if name],
                summary=_text(entry, f"{_ATOM}summary"),
                comment=_text(entry, f"{_ARXIV}comment"),
                journal_ref=_text(entry, f"{_ARXIV}journal_ref"),
                doi=_text(entry, f"{_ARXIV}doi"),
                **moments,
            )


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
