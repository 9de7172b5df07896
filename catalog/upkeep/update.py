"""``catalog update``: what the sources say by now, against what the records say.

A change is proposed where a source is certain: a venue was found, a title changed, a paper was withdrawn, a code link
or an id appeared, there is a newer version. What people know better stays: records whose source is ``hand`` are left
alone, and so is every value with a comment ``# by hand`` beside or above it. A venue or a state that was recognized in
what people wrote is marked as suggested, here as in a draft.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.base.project import Project
from catalog.base.text import same_title
from catalog.base.utf8 import read_text
from catalog.base.web import Web, WebError
from catalog.intake.draft import read_from_words, state_value, venue_field
from catalog.intake.sources import Found
from catalog.model.registries import REGISTRIES
from catalog.model.vocabulary import Vocabularies
from catalog.parsing.comments import SUGGESTED
from catalog.parsing.problems import Problem
from catalog.parsing.tree import NotText, Place
from catalog.reading.entry import Entry
from catalog.reading.fmt import is_by_hand, rewrite
from catalog.upkeep.asking import ask

_APPEARS = {
    "code": "a code link",
    "acl": "an ACL Anthology id",
    "openreview": "an OpenReview id",
    "doi": "a DOI",
}


@dataclass(frozen=True)
class Change:
    """One value that a source knows otherwise."""

    paper: str
    place: Place
    old: Any
    new: Any
    reason: str
    suggested: str = ""
    """Why it is no more than a suggestion, for a person to confirm; empty for what the source has as a fact."""

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        new = self.new
        if isinstance(new, dict):
            new = {key: int(value.text) if isinstance(value, NotText) else value for key, value in new.items()}
        place = ".".join(str(step) for step in self.place)
        return {"paper": self.paper, "place": place, "old": self.old, "new": new, "reason": self.reason} | (
            {"suggested": self.suggested} if self.suggested else {}
        )


@dataclass(frozen=True)
class Update:
    """All changes to one record."""

    file: str
    changes: tuple[Change, ...]
    text: str
    """The record with the changes."""
    diff: str


@dataclass(frozen=True)
class Compared:
    """What the comparison of one record came to."""

    entry: Entry
    update: Update | None
    """What would change; None where nothing does."""
    failures: tuple[WebError, ...]
    """What the sources did not tell."""
    problems: tuple[Problem, ...]
    """Why a program cannot change the record."""
    whole: bool
    """Whether it was held against all its sources."""


def compare(
    project: Project, entries: Iterable[Entry], web: Web, vocabularies: Vocabularies, today: str, thorough: bool = False
) -> Iterator[Compared]:
    """Ask the sources about records, and say of each what differs, as soon as that is known.

    Records that people keep by hand are left out.

    Args:
        project: the checkout.
        entries: the records.
        web: the client.
        vocabularies: the terms that venues are written with.
        today: the day, YYYY-MM-DD, to which a changed record's ``checked`` is set.
        thorough: see :func:`~catalog.upkeep.asking.ask`.
    """
    for told in ask(web, entries, thorough):
        entry = told.entry
        path = project.root / entry.paper.file
        changes = [change for description in told.named for change in propose(entry, description, vocabularies)]
        changes += [change for hit in told.published for change in _published(entry, hit, vocabularies)]
        wanted = _wanted(path, entry, changes, today)
        update, problems = _apply(path, entry.paper.file, wanted) if wanted else (None, [])
        yield Compared(entry, update, told.failures, tuple(problems), told.whole and not problems)


def to_write(project: Project, compared: Compared, today: str) -> tuple[str | None, tuple[Problem, ...]]:
    """The text of a record with its changes and, where all its sources answered, the day; None if it stays as it is."""
    entry = compared.entry
    path = project.root / entry.paper.file
    changes = compared.update.changes if compared.update else ()
    values = {change.place: change.new for change in changes}
    if compared.whole:
        values["provenance", "compared"] = max(entry.paper.provenance.compared or "", today)
    if not values:
        return None, ()
    text, problems = rewrite(path, entry.paper.file, values, _remarks(changes))
    return (None if text == read_text(path) else text), tuple(problems)


def since(entries: Iterable[Entry], day: str) -> list[Entry]:
    """The records that were not compared on some day or later."""
    return [entry for entry in entries if (entry.paper.provenance.compared or "") < day]


def propose(entry: Entry, found: Found, vocabularies: Vocabularies) -> list[Change]:
    """What one source knows otherwise about one record."""
    paper = entry.paper
    changes: list[Change] = []

    def change(place: Place, old: Any, new: Any, reason: str) -> None:
        suggested = read_from_words(found, str(place[0])) if place[0] in ("state", "venue") else ""
        said = f"{found.source}: {reason}" + (f" (suggested, to be confirmed: {suggested})" if suggested else "")
        changes.append(Change(paper.id, place, old, new, said, suggested))

    if found.withdrawn and not (paper.state and paper.state.kind in ("withdrawn", "retracted")):
        old, new = paper.state.model_dump(exclude_none=True) if paper.state else None, state_value(found.withdrawn)
        change(("state",), old, new, f"the paper was {new['kind']}")
    # Titles and authors are compared with the source that the record follows; others have their own spelling.
    if found.source == paper.provenance.source:
        known = {same_title(title) for title in (paper.title, *paper.former_titles)}
        if same_title(found.title) not in known:
            change(("title",), paper.title, found.title, "the title changed")
            former = (*paper.former_titles, paper.title)
            change(("former_titles",), list(paper.former_titles), former, "the title changed")
        if not found.incomplete and (authors := _other_authors(paper.authors, found.authors)):
            subject = "the order of the authors" if sorted(authors) == sorted(paper.authors) else "the authors"
            change(("authors",), list(paper.authors), authors, f"{subject} changed")
        if found.updated > paper.provenance.checked:
            version = f"version {found.version}" if found.version else "a newer version"
            reason = f"there is {version} of {found.updated}, after the last check"
            change(("provenance", "checked"), paper.provenance.checked, "", reason)
    if paper.venue is None:
        for key, value in venue_field(found, vocabularies).items():
            change((key,), None, value, "the paper was published")
    for key, subject in _APPEARS.items():
        if key in found.links and getattr(paper.links, key) is None:
            change(("links", key), None, found.links[key], f"{subject} appeared")
    return changes


def _published(entry: Entry, hit: Found, vocabularies: Vocabularies) -> list[Change]:
    """Where a preprint was published, as a search for its title tells: the venue and the ids there, to be confirmed."""
    venue = venue_field(hit, vocabularies)
    if not venue:
        return []
    paper, where = entry.paper, REGISTRIES[hit.source].name if hit.source in REGISTRIES else hit.source
    remark = f"{where} has a paper of this title by an author of this name"
    changes = [Change(paper.id, ("venue",), None, venue["venue"], f"{remark}, which was published", remark)]
    changes += [
        Change(paper.id, ("links", key), None, hit.links[key], f"{remark}: {_APPEARS[key]} appeared", remark)
        for key in ("acl", "openreview", "doi")
        if key in hit.links and getattr(paper.links, key) is None
    ]
    return changes


def _other_authors(ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, ...] | None:
    """The source's authors in its order, those that we have as we spell them; None if they are ours in our order."""
    spelled: dict[str, list[str]] = {}
    for name in ours:
        spelled.setdefault(same_title(name), []).append(name)
    names = [(same_title(name), name) for name in theirs]
    if [key for key, _ in names] == [same_title(name) for name in ours]:
        return None
    return tuple(spelled[key].pop(0) if spelled.get(key) else name for key, name in names)


def _wanted(path: Path, entry: Entry, changes: Iterable[Change], today: str) -> list[Change]:
    """The changes without those to what was written by hand, one for each place, with the day of the check."""
    kept: dict[Place, Change] = {}
    for change in changes:
        if not is_by_hand(path, entry, change.place):
            kept.setdefault(change.place, change)
    if ("title",) not in kept:
        kept.pop(("former_titles",), None)
    if not kept:
        return []
    checked = ("provenance", "checked")
    old = entry.paper.provenance.checked
    newer = kept.pop(checked, Change(entry.paper.id, checked, old, "", "the record was compared with its source"))
    # A check never goes back in time, whatever the clock of this machine says.
    return [*kept.values(), Change(newer.paper, checked, old, max(old, today), newer.reason)]


def _apply(path: Path, file: str, changes: list[Change]) -> tuple[Update | None, list[Problem]]:
    text, problems = rewrite(path, file, {change.place: change.new for change in changes}, _remarks(changes))
    if text is None:
        return None, problems
    before = read_text(path).splitlines()
    lines = difflib.unified_diff(before, text.splitlines(), f"a/{file}", f"b/{file}", lineterm="", n=2)
    return Update(file, tuple(changes), text, "\n".join(lines)), []


def _remarks(changes: Iterable[Change]) -> dict[Place, str]:
    return {change.place: f"{SUGGESTED}{change.suggested}" for change in changes if change.suggested}
