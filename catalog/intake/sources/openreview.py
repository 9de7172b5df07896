"""OpenReview, through its JSON interface: the newer one, and the one that holds conferences until 2023."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from catalog.base.web import Web, WebError
from catalog.intake.sources.cleaning import artefacts, plain
from catalog.intake.sources.found import Found
from catalog.intake.sources.venues import recognize
from catalog.model.registries import OPENREVIEW

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
            text = _ask(web, url)
        except WebError as error:
            # The newer interface answers 403 or 404 for what only the older one holds.
            if error.status not in (400, 403, 404):
                raise
            problem = error
            continue
        if found := parse(text, url):
            return found[0]
        if is_paper(text, forum):
            raise WebError(
                "content", url, "names no authors yet", "Wait until the submission is public, or add it by hand."
            )
    raise problem or WebError("content", OPENREVIEW.address(forum), "there is no such public forum")


def parse(text: str, where: str = "OpenReview") -> list[Found]:
    """The papers of a saved answer; reviews and comments among the notes are left out.

    Raises:
        WebError: it is no answer of OpenReview's.
    """
    try:
        notes = json.loads(text)["notes"]
        if not isinstance(notes, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WebError("content", where, "gives no list of notes", "Try again later.") from None
    return [found for note in notes if isinstance(note, dict) and (found := _found(note))]


def exists(web: Web, forum: str) -> bool:
    """Whether OpenReview shows a forum to everybody, whatever can be read of it.

    Raises:
        WebError: OpenReview does not say, or not now.
    """
    for api in APIS:
        url = f"{api}/notes?id={forum}"
        try:
            text = _ask(web, url)
        except WebError as error:
            if error.status not in (400, 403, 404):
                raise
            continue
        if is_paper(text, forum):
            return True
    return False


def is_paper(text: str, forum: str) -> bool:
    """Whether an answer holds the note that begins a forum."""
    notes = json.loads(text)["notes"]
    return any(isinstance(note, dict) and forum in (note.get("id"), note.get("forum")) for note in notes)


def _ask(web: Web, url: str) -> str:
    return web.read(url, accept=TYPES[0], types=TYPES, check=lambda text: parse(text, url))


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


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(min(milliseconds, 4_000_000_000_000) / 1000, UTC)


def _month(milliseconds: int) -> str:
    return f"{_moment(milliseconds):%Y-%m}"


def _day(milliseconds: int) -> str:
    return f"{_moment(milliseconds):%Y-%m-%d}"
