"""OpenReview, through its JSON interface: the newer one, and the one that holds conferences until 2023."""

from __future__ import annotations

import datetime as dates
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from catalog.base.web import Web, WebError
from catalog.intake.sources.cleaning import artefacts, plain
from catalog.intake.sources.found import Found
from catalog.intake.sources.silence import until_answered
from catalog.intake.sources.venues import recognize
from catalog.model.registries import OPENREVIEW

APIS = ("https://api2.openreview.net", "https://api.openreview.net")
TYPES = ("application/json",)
PAGE = 200
"""Notes in one answer of a search, which gives a thousand at most."""
_ABSENT = (400, 404)
"""Statuses for a forum that an interface does not have; 403 is also what it answers where it shows one to some only."""


def look_up(web: Web, forum: str) -> Found:
    """What OpenReview says about a paper.

    Raises:
        WebError: it is not public, nobody knows it (``silent``: this time), or the answer cannot be used.
    """
    url, text = _ask(web, forum, keep=True)
    if papers := parse(text, url):
        return papers[0]
    raise WebError("content", url, "names no authors yet", "Wait until the submission is public, or add it by hand.")


def exists(web: Web, forum: str) -> bool:
    """Whether OpenReview shows a forum to everybody now, whatever can be read of it.

    Raises:
        WebError: OpenReview does not say, or not to programs.
    """
    try:
        _ask(web, forum, keep=False)
    except WebError as error:
        if error.status in _ABSENT:
            return False
        raise
    return True


def search(web: Web, phrase: str, since: dates.date, until: dates.date, limit: int) -> Iterator[list[Found]]:
    """Submissions that hold a phrase and were put there or changed in some days, newest first, page by page.

    Only the newer interface is asked, which holds what has come since 2023. Its search is what it lets programs use
    (``/notes/search``); what is anonymous still is left out until it has authors.

    Args:
        web: the client.
        phrase: words that all have to stand in a submission.
        since: the first day.
        until: the last day.
        limit: notes to look at, at most.

    Raises:
        WebError: it cannot be asked, its answer cannot be used, or (after the last page) there is more.
    """
    for start in range(0, limit, PAGE):
        count = min(PAGE, limit - start)
        asked = {"term": phrase, "type": "terms", "content": "all", "group": "all", "source": "forum"}
        asked |= {"sort": "tmdate:desc", "limit": str(count), "offset": str(start)}
        url = f"{APIS[0]}/notes/search?{urlencode(asked)}"
        notes = _notes(web.read(url, accept=TYPES[0], types=TYPES, keep=False), url)
        touched = [(_day(moment), note) for note in notes if (moment := _touched(note))]
        within = [note for day, note in touched if since.isoformat() <= day <= until.isoformat()]
        yield [paper for note in within if (paper := _found(note))]
        if len(notes) < count or any(day < since.isoformat() for day, _ in touched):
            return
    raise WebError("size", APIS[0], f"has more of these days than the {limit} that were looked at", "Raise the limit.")


def by_title(web: Web, title: str) -> list[Found]:
    """Submissions whose title holds all words of a title, the most alike first, a few at most.

    Raises:
        WebError: it cannot be asked, or its answer cannot be used.
    """
    asked = {"term": title, "type": "terms", "content": "title", "group": "all", "source": "forum", "limit": "10"}
    url = f"{APIS[0]}/notes/search?{urlencode(asked)}"
    return parse(web.read(url, accept=TYPES[0], types=TYPES, keep=False), url)


def parse(text: str, where: str = "OpenReview") -> list[Found]:
    """The papers of a saved answer; reviews and comments among the notes are left out.

    Raises:
        WebError: it is no answer of OpenReview's.
    """
    return [paper for note in _notes(text, where) if (paper := _found(note))]


def _notes(text: str, where: str) -> list[dict[str, Any]]:
    try:
        notes = json.loads(text)["notes"]
        if not isinstance(notes, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WebError("content", where, "gives no list of notes", "Try again later.") from None
    return [note for note in notes if isinstance(note, dict)]


def _ask(web: Web, forum: str, keep: bool) -> tuple[str, str]:
    """The address and text of the answer that holds a forum; without one the interfaces are asked again.

    Raises:
        WebError: no interface gives it; with a status of ``_ABSENT`` only where both say that there is none.
    """
    answer = until_answered(
        OPENREVIEW, [forum], lambda ids: {ident: said for ident in ids if (said := _once(web, ident, keep))}
    )
    if isinstance(said := answer[forum], WebError):
        raise said
    return said


def _once(web: Web, forum: str, keep: bool) -> tuple[str, str] | WebError | None:
    """What the interfaces say; None where one of them answers, but not about that forum."""
    refusals: list[WebError] = []
    silent = False
    for api in APIS:
        url = f"{api}/notes?id={forum}"

        def check(text: str, url: str = url) -> bool:
            return _holds(text, forum, url)

        try:
            text = web.read(url, accept=TYPES[0], types=TYPES, check=check, keep=keep)
        except WebError as error:
            # Each holds what the other does not, and the newer one answers 403 or 404 for what only the older one has.
            refusals.append(error)
            continue
        if check(text):
            return url, text
        silent = True
    # Where one is away or keeps a forum back, it may be the one that has it.
    doubtful = [error for error in refusals if error.status not in _ABSENT]
    if doubtful:
        return doubtful[0]
    return None if silent else refusals[0]


def _holds(text: str, forum: str, where: str) -> bool:
    """Whether an answer holds the note that begins a forum. Raises WebError for what is no answer of OpenReview's."""
    return any(forum in (note.get("id"), note.get("forum")) for note in _notes(text, where))


def _found(note: dict[str, Any]) -> Found | None:
    content = note.get("content")
    if not isinstance(content, dict):
        return None

    def value(key: str) -> Any:
        # The newer interface wraps every value: {"title": {"value": "..."}}.
        given = content.get(key)
        return given.get("value") if isinstance(given, dict) else given

    def text(key: str) -> str:
        given = value(key)
        return given if isinstance(given, str) else ""

    title, forum = plain(text("title")), note.get("forum") or note.get("id")
    authors = _authors(value("authors"))
    if not title or not isinstance(forum, str) or not authors:
        return None
    moments = [moment for key in ("cdate", "odate", "pdate", "tcdate") if (moment := _time(note, key))]
    published, changed = _time(note, "pdate"), _time(note, "mdate")
    venue_text = plain(text("venue"))
    links = {"openreview": forum, **artefacts(" ".join((text("code"), text("TL;DR"), text("abstract"))))}
    said = " ".join((venue_text, text("venueid")))
    return Found(
        source="openreview",
        title=title,
        authors=authors,
        date=_month(min(moments)) if moments else "",
        links=links,
        venue=recognize(venue_text, int(_month(published)[:4]) if published else None),
        abstract=plain(text("abstract")),
        updated=_day(changed) if changed else "",
        withdrawn=venue_text or "Withdrawn" if "withdrawn" in said.lower() else "",
    )


def _authors(people: Any) -> tuple[str, ...]:
    """Names, which the interface gives as texts or as objects; none of a submission that is still anonymous."""
    names = []
    for person in people if isinstance(people, list) else ():
        given = person.get("fullname") or person.get("name") if isinstance(person, dict) else person
        if isinstance(given, str) and len(name := plain(given)) >= 2:
            names.append(name)
    return () if {name.casefold() for name in names} <= {"anonymous", "anonymous authors"} else tuple(names)


def _time(note: dict[str, Any], key: str) -> int:
    """Milliseconds since 1970, as a whole number or not; 0 where the note does not say."""
    given = note.get(key)
    usable = isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < 1e15
    return int(given) if usable else 0  # type: ignore[arg-type]


def _touched(note: dict[str, Any]) -> int:
    """When a note was put there or changed last, in milliseconds since 1970; 0 where it does not say."""
    return max(_time(note, key) for key in ("tmdate", "mdate", "pdate", "tcdate", "cdate"))


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(min(milliseconds, 4_000_000_000_000) / 1000, UTC)


def _month(milliseconds: int) -> str:
    return f"{_moment(milliseconds):%Y-%m}"


def _day(milliseconds: int) -> str:
    return f"{_moment(milliseconds):%Y-%m-%d}"
