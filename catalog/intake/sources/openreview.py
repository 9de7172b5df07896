"""OpenReview, through its JSON interface: the newer one, and the one that holds conferences until 2023."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from catalog.base.web import Web, WebError
from catalog.intake.sources.cleaning import artefacts, plain
from catalog.intake.sources.found import Found
from catalog.intake.sources.venues import recognize

APIS = ("https://api2.openreview.net", "https://api.openreview.net")
TYPES = ("application/json",)


def look_up(web: Web, forum: str) -> Found:
    """What OpenReview says about a paper.

    Raises:
        WebError: there is no such forum, it is not public, or the answer cannot be used.
    """
    problem: WebError | None = None
    for api in APIS:
        url = f"{api}/notes?id={forum}"
        try:
            answer = web.get(url, accept=TYPES[0], types=TYPES, check=lambda body, url=url: _refuse_none(body, url))  # type: ignore[misc]
        except WebError as error:
            # The newer interface answers 403 or 404 for what only the older one holds.
            if error.status not in (400, 403, 404):
                raise
            problem = error
            continue
        if found := parse(answer.body, url):
            return found[0]
    raise problem or WebError("content", f"https://openreview.net/forum?id={forum}", "there is no such public forum")


def parse(body: bytes, where: str = "OpenReview") -> list[Found]:
    """The papers of a saved answer; reviews and comments among the notes are left out.

    Raises:
        WebError: it is no answer of OpenReview's.
    """
    try:
        notes = json.loads(body)["notes"]
        if not isinstance(notes, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WebError("content", where, "gives no list of notes", "Try again later.") from None
    return [found for note in notes if isinstance(note, dict) and (found := _found(note))]


def _refuse_none(body: bytes, where: str) -> None:
    parse(body, where)


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
    people = value("authors")
    authors = (
        tuple(name for one in people if isinstance(one, str) and len(name := plain(one)) >= 2)
        if isinstance(people, list)
        else ()
    )
    if not title or not isinstance(forum, str) or not authors or authors == ("Anonymous",):
        return None
    moments = [
        one for key in ("cdate", "odate", "pdate", "tcdate") if isinstance(one := note.get(key), int) and one > 0
    ]
    published = note.get("pdate") if isinstance(note.get("pdate"), int) else None
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
        updated=_day(note["mdate"]) if isinstance(note.get("mdate"), int) and note["mdate"] > 0 else "",
        withdrawn=venue_text or "Withdrawn" if "withdrawn" in said.lower() else "",
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(min(milliseconds, 4_000_000_000_000) / 1000, UTC)


def _month(milliseconds: int) -> str:
    return f"{_moment(milliseconds):%Y-%m}"


def _day(milliseconds: int) -> str:
    return f"{_moment(milliseconds):%Y-%m-%d}"
