"""DOIs, through content negotiation: Crossref and DataCite describe them in CSL-JSON, or else in BibTeX."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from catalog.base.web import Web, WebError
from catalog.intake.sources import bibtex
from catalog.intake.sources.cleaning import plain
from catalog.intake.sources.found import Found
from catalog.intake.sources.reference import parse_reference
from catalog.intake.sources.venues import Venue, recognize
from catalog.model.registries import DOI

CSL = "application/vnd.citationstyles.csl+json"
BIBTEX = "application/x-bibtex"
_KIND = r"(?P<{}>retracted|withdrawn)(?: article| paper| chapter)?"
_NOTICE = re.compile(
    rf"(?:[\[(]{_KIND.format('boxed')}[\])]\s*[:.–—-]?|{_KIND.format('plain')}\s*(?::|[.–—-]\s))\s*(?P<title>\S.*)",
    re.IGNORECASE,
)
"""What publishers put before the title of a paper that they took back; "Retracted Papers" is the beginning of one."""
API = "https://api.crossref.org/works"
PAGE = 100
"""Works in one answer of a search."""
_PAPERS = frozenset(
    ("journal-article", "proceedings-article", "book-chapter", "posted-content", "report", "dissertation")
)
"""Types of works that are papers; others are reviews, data, whole volumes and figures."""
_ASKED = "DOI,title,subtitle,author,type,container-title,event,abstract,issued,published,published-online,updated-by"
_JSON_TYPES = (CSL, "application/json", "application/vnd.crossref.unixref+json", "application/citeproc+json")
_BIBTEX_TYPES = (BIBTEX, "text/x-bibtex", "text/bibliography", "text/plain")


def look_up(web: Web, doi: str) -> Found:
    """What the registry of a DOI says about the paper.

    Raises:
        WebError: there is no such DOI, or its description cannot be used.
    """
    url = f"{DOI.site}/{quote(doi, safe='/.:;()-_')}"
    try:
        text = web.read(url, accept=CSL, types=_JSON_TYPES, check=lambda text: parse(text, url))
        paper = parse(text, url)[0]
        return replace(paper, links={"doi": doi, **paper.links}) if "arxiv" not in paper.links else paper
    except WebError as error:
        # Small registries know only BibTeX: they answer 406, or with a page.
        if error.status != 406 and error.kind != "type":
            raise
    text = web.read(url, accept=BIBTEX, types=_BIBTEX_TYPES, check=lambda text: bibtex.parse(text, url))
    paper = bibtex.parse(text, url)[0]
    return replace(paper, source="doi", links={**paper.links, "doi": doi})


def search(web: Web, phrase: str, since: datetime.date, until: datetime.date, limit: int) -> Iterator[list[Found]]:
    """Papers whose DOI was registered in some days, those that match a phrase best first, page by page.

    Crossref takes any of several words for a match, so that pages become useless at some point, and who asks stops.
    What has no title, author or year is left out. https://api.crossref.org describes the interface.

    Args:
        web: the client.
        phrase: one or several words.
        since: the first day.
        until: the last day.
        limit: papers to look at, at most.

    Raises:
        WebError: it cannot be asked, its answer cannot be used, or (after the last page) there is more.
    """
    for start in range(0, limit, PAGE):
        count = min(PAGE, limit - start)
        days = f"from-created-date:{since},until-created-date:{until}"
        asked = {"query.bibliographic": phrase, "filter": days, "select": _ASKED, "rows": count, "offset": start}
        url = f"{API}?{urlencode(asked)}"
        works = _works(web, url)
        yield _papers(works, url)
        if len(works) < count:
            return
    raise WebError("size", API, f"has more of these days than the {limit} that were looked at", "Raise the limit.")


def by_title(web: Web, title: str, author: str) -> list[Found]:
    """Papers whose title and authors are most like those given, best first, a few at most.

    Raises:
        WebError: it cannot be asked, or its answer cannot be used.
    """
    asked = {"query.bibliographic": f"{title} {author}", "select": _ASKED, "rows": 5}
    url = f"{API}?{urlencode(asked)}"
    return _papers(_works(web, url), url)


def _papers(works: list[Any], where: str) -> list[Found]:
    """The papers among the works of a list; what lacks a title, authors or a year is left out."""
    articles = [work for work in works if isinstance(work, dict) and work.get("type") in _PAPERS]
    return [paper for work in articles if isinstance(paper := _found(work, where), Found)]


def _works(web: Web, where: str) -> list[Any]:
    """The works of a list at an address.

    Raises:
        WebError: it cannot be had, or is no list.
    """
    text = web.read(where, accept="application/json", types=_JSON_TYPES, keep=False)
    try:
        works = json.loads(text)["message"]["items"]
        if not isinstance(works, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WebError("content", where, "gives no list of works", "Try again later.") from None
    return works


def parse(text: str, where: str = "the DOI") -> list[Found]:
    """The paper of a saved answer in CSL-JSON, or in the form of Crossref's own interface (``{"message": ...}``).

    Raises:
        WebError: it is neither, or lacks the title, the authors or the year.
    """
    try:
        work = json.loads(text)
    except (ValueError, RecursionError):
        raise WebError("content", where, "gives broken JSON", "Try again later.") from None
    if isinstance(work, dict) and isinstance(work.get("message"), dict):
        work = work["message"]
    if not isinstance(work, dict):
        raise WebError("content", where, "gives something else than a paper")
    paper = _found(work, where)
    if isinstance(paper, WebError):
        raise paper
    return [paper]


def _found(work: dict[str, Any], where: str) -> Found | WebError:
    """The paper that a work is, or what it lacks for that."""
    (title, notice), authors, date = _without_notice(_title(work)), _authors(work), _date(work)
    missing = [name for name, value in (("title", title), ("author", authors), ("year", date)) if not value]
    if missing:
        return WebError("content", where, f"gives a paper with no {' and no '.join(missing)}")
    return Found(
        source="doi",
        title=title,
        authors=authors,
        date=date,
        links=_links(work),
        venue=_venue(work, int(date[:4])),
        abstract=plain(_text(work.get("abstract"))).removeprefix("Abstract").strip(),
        withdrawn=notice or _taken_back(work),
    )


def _text(value: Any) -> str:
    """CSL-JSON holds text where Crossref's own form holds a list of texts."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return value if isinstance(value, str) else ""


def _title(work: dict[str, Any]) -> str:
    title, subtitle = plain(_text(work.get("title"))), plain(_text(work.get("subtitle")))
    return f"{title}: {subtitle}" if title and subtitle and subtitle.lower() not in title.lower() else title


def _authors(work: dict[str, Any]) -> tuple[str, ...]:
    people = work.get("author")
    names = []
    for person in people if isinstance(people, list) else ():
        if isinstance(person, dict):
            parts = [
                _text(person.get(key))
                for key in ("given", "dropping-particle", "non-dropping-particle", "family", "suffix")
            ]
            name = plain(
                " ".join(part for part in parts if part) or _text(person.get("literal")) or _text(person.get("name"))
            )
            if 2 <= len(name) <= 120:
                names.append(name)
    return tuple(names)


def _date(work: dict[str, Any]) -> str:
    """The earliest date of publication, with its month where one is known."""
    dates = []
    for key in ("published-online", "published-print", "published", "issued"):
        parts = work.get(key)
        parts = parts.get("date-parts") if isinstance(parts, dict) else None
        first = parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], list) else []
        numbers = [int(part) for part in first if str(part).isdigit()]
        if numbers and 1900 <= numbers[0] <= 2100:
            month = numbers[1] if len(numbers) > 1 and 1 <= numbers[1] <= 12 else None
            dates.append(f"{numbers[0]}-{month:02}" if month else str(numbers[0]))
    # "2025" says less than "2025-03", and sorts before it.
    return min(dates, key=lambda date: (date[:4], len(date) == 4, date)) if dates else ""


def _links(work: dict[str, Any]) -> dict[str, str]:
    doi = _text(work.get("DOI"))
    links = {"doi": doi} if parse_reference(doi) else {}
    reference = parse_reference(doi) if doi else None
    if reference and reference.kind in ("arxiv", "acl"):
        links[reference.kind] = reference.id
        if reference.kind == "arxiv":
            del links["doi"]
    return links


def _venue(work: dict[str, Any], year: int) -> Venue | None:
    name = plain(_text(work.get("container-title")))
    event = work.get("event")
    said = plain(_text(event.get("name") if isinstance(event, dict) else event))
    if not name or work.get("type") == "posted-content":
        return None
    return recognize(name, year) or recognize(said, year) or Venue(name[:200], year)


def _without_notice(title: str) -> tuple[str, str]:
    """The title, and the notice before it: ``RETRACTED: X``, ``[Retracted] X`` or ``WITHDRAWN: X``."""
    match = _NOTICE.match(title)
    return (match["title"], _notice(match["boxed"] or match["plain"])) if match else (title, "")


def _notice(kind: str) -> str:
    return f"{'Retracted' if kind.lower().startswith('retract') else 'Withdrawn'} by the publisher"


def _taken_back(work: dict[str, Any]) -> str:
    # "update-to" stands in the notice, "updated-by" in the paper that is taken back.
    updates = work.get("updated-by")
    kinds = (
        {_text(update.get("type")) for update in updates if isinstance(update, dict)}
        if isinstance(updates, list)
        else set()
    )
    kind = next((kind for kind in ("retraction", "withdrawal", "removal") if kind in kinds), "")
    return _notice(kind) if kind else ""
