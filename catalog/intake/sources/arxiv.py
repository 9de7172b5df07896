"""arXiv, through its Atom interface and the ``arxiv`` package."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from catalog.base.web import Web, WebError
from catalog.intake.sources.cleaning import artefacts, plain
from catalog.intake.sources.comments import venue_in_comment, withdrawal
from catalog.intake.sources.found import Found
from catalog.intake.sources.venues import recognize
from catalog.model.registries import DOI

API = "https://export.arxiv.org/api/query"
TYPES = ("application/atom+xml", "application/xml", "text/xml")
BATCH = 100
"""Papers in one request."""
_ATOM = "{http://www.w3.org/2005/Atom}"


def look_up(web: Web, ids: Iterable[str]) -> dict[str, Found]:
    """What arXiv says about papers, by id; those that it does not know are absent.

    Raises:
        WebError: arXiv cannot be reached, or its answer cannot be used.
    """
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Found] = {}
    for start in range(0, len(wanted), BATCH):
        some = wanted[start : start + BATCH]
        for one in _read(_Asking(web), id_list=some, max_results=len(some)):
            found[one.links["arxiv"]] = one
    return found


def search(web: Web, query: str, limit: int) -> list[Found]:
    """The newest papers that a query of arXiv's own language finds.

    Raises:
        WebError: arXiv cannot be reached, or its answer cannot be used.
    """
    import arxiv

    newest = {"sort_by": arxiv.SortCriterion.SubmittedDate, "sort_order": arxiv.SortOrder.Descending}
    return list(_read(_Asking(web, keep=False), query=query, max_results=limit, **newest))


def parse(body: bytes, where: str = API) -> list[Found]:
    """The papers of a saved answer.

    Raises:
        WebError: it is no answer of arXiv's.
    """
    count = _check(body, where)
    return list(_read(_Saved(body), max_results=count)) if count else []


def _read(session: _Asking | _Saved, **query: Any) -> Iterator[Found]:
    import arxiv

    # Waiting and trying again are the web client's; the package only repeats a page that came out empty.
    client = arxiv.Client(page_size=BATCH, delay_seconds=0, num_retries=2)
    client._session = session
    try:
        for result in client.results(arxiv.Search(**query)):
            if one := _found(result):
                yield one
    except (arxiv.ArxivError, ValueError) as error:
        raise WebError("content", API, "arXiv's answer cannot be read", "Try again later.") from error


@dataclass
class _Asking:
    """The session of the package: it asks through the one client of the project."""

    web: Web
    keep: bool = True

    def get(self, url: str, headers: object = None) -> _Page:
        def check(body: bytes) -> None:
            _check(body, url)

        return _Page(self.web.get(url, accept=TYPES[0], types=TYPES, check=check, keep=self.keep).body)


@dataclass
class _Saved:
    """The session of the package, for an answer that is there already."""

    body: bytes

    def get(self, url: str, headers: object = None) -> _Page:
        return _Page(self.body)


@dataclass
class _Page:
    content: bytes
    status_code: int = 200


def _check(body: bytes, where: str) -> int:
    """The number of entries. Raises WebError for what is no feed, hides a bomb, or reports an error."""
    try:
        root = ElementTree.fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise WebError("content", where, "gives XML with entities, which is not read") from None
    except (ElementTree.ParseError, ValueError, LookupError):
        raise WebError("content", where, "gives broken XML", "Try again later.") from None
    if root.tag != f"{_ATOM}feed":
        raise WebError("content", where, "gives something else than a feed of papers")
    entries = root.findall(f"{_ATOM}entry")
    for entry in entries:
        if "api/errors" in (entry.findtext(f"{_ATOM}id") or ""):
            said = plain(entry.findtext(f"{_ATOM}summary") or "") or "there is an error"
            raise WebError("content", where, f"arXiv says: {said[:200]}", "Is the id right?")
    return len(entries)


def _found(result: Any) -> Found | None:
    match = re.search(r"arxiv\.org/abs/(.+?)(?:v(\d+))?$", result.entry_id)
    title = plain(result.title)
    authors = tuple(name for one in result.authors if len(name := plain(one.name)) >= 2)
    if not match or not title or not authors:
        return None
    comment, journal = plain(result.comment or ""), plain(result.journal_ref or "")
    abstract = plain(result.summary)
    links = {"arxiv": match[1], **artefacts(f"{result.comment or ''} {result.summary}")}
    if result.doi and re.fullmatch(DOI.pattern, result.doi):
        links["doi"] = result.doi
    return Found(
        source="arxiv",
        title=title,
        authors=authors,
        # arXiv is of 1991; what is said to be older has no date.
        date=f"{result.published:%Y-%m}" if result.published.year >= 1991 else "",
        links=links,
        venue=recognize(journal) or venue_in_comment(comment),
        abstract=abstract,
        version=int(match[2]) if match[2] else None,
        updated=f"{result.updated:%Y-%m-%d}",
        withdrawn=withdrawal(comment, abstract),
    )
