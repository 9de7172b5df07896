"""What was found, as lists for people: to shorten and add from, for an issue, and for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from catalog.base.text import fitting, inert, shorten
from catalog.model.registries import REGISTRIES
from catalog.outputs.wording import byline

MOST = 100
"""Candidates in a list for the code host, whose issues hold only so much."""


@dataclass(frozen=True)
class Candidate:
    """A paper that may belong into the catalog."""

    paper: str
    """What ``catalog add`` takes: an arXiv id, or an address."""
    title: str
    authors: tuple[str, ...]
    date: str
    sources: tuple[str, ...]
    """Who told of it: ``arXiv``."""
    links: Mapping[str, str]
    score: int
    likely: bool
    reasons: tuple[str, ...]
    similar: str = ""
    """The record that it may be."""

    @property
    def address(self) -> str:
        """Where it can be read."""
        key = next(key for key in REGISTRIES if key in self.links)
        return REGISTRIES[key].address(self.links[key])


@dataclass(frozen=True)
class Discovery:
    """What a look at all sources came to."""

    candidates: tuple[Candidate, ...]
    """Best first."""
    looked_at: Mapping[str, int]
    """How many papers each source that answered told of."""
    not_reached: tuple[str, ...]
    """What could not be asked, or answered for a part only; a sentence each."""


def as_batch(found: Discovery) -> str:
    """The candidates as a file for ``catalog add --batch``, to be shortened by a person."""
    lines = [
        "# Candidates, best first. Delete the lines that do not belong here (and note their ids in",
        "# catalog/discovery.yaml, so that they do not come back), then: catalog add --batch THIS-FILE",
        *(f"# Not reached: {failure}" for failure in found.not_reached),
    ]
    for heading, group in _groups(found.candidates):
        lines += [
            f"# {heading}",
            *(f"{candidate.paper}  # {candidate.score}: {shorten(candidate.title, 140)}" for candidate in group),
        ]
    return "\n".join(lines) + "\n"


def as_text(found: Discovery) -> Iterator[str]:
    """The candidates for a terminal, line by line."""
    for heading, group in _groups(found.candidates):
        yield f"{heading}:"
        for candidate in group:
            yield f"{candidate.score:3}  {candidate.paper}  {candidate.title}"
            yield f"     {'; '.join(candidate.reasons)} · {', '.join(candidate.sources)}"
            if candidate.similar:
                yield f"     similar: {candidate.similar}"


def as_markdown(found: Discovery) -> str:
    """The candidates as a list for an issue."""
    candidates = found.candidates
    asked = ", ".join(f"{name} ({count} papers)" for name, count in found.looked_at.items()) or "none"
    lines = [
        "# Candidates",
        "",
        f"{len(candidates)} papers that the catalog may lack. Sources that answered: {asked}.",
        "",
    ]
    if found.not_reached:
        lines += ["## Not reached", "", *(f"* {inert(failure)}" for failure in found.not_reached), ""]
    for heading, group in _groups(candidates[:MOST]):
        lines += [f"## {heading}", ""]
        for candidate in group:
            where = f"{inert(byline(candidate.authors))} · {candidate.date} · {', '.join(candidate.sources)}"
            lines.append(f"- [ ] **{candidate.score}** [{inert(candidate.title)}]({candidate.address}) · {where}")
            lines.append(f"  <br>{inert('; '.join(candidate.reasons[:6]))}")
            if candidate.similar:
                lines.append(f"  <br>Similar: {inert(candidate.similar)}")
        lines.append("")
    if len(candidates) > MOST:
        lines += [f"... and {len(candidates) - MOST} more: `catalog discover`"]
    return fitting(lines).rstrip("\n") + "\n"


def _groups(candidates: Iterable[Candidate]) -> Iterator[tuple[str, list[Candidate]]]:
    pool = list(candidates)
    for heading, likely in (("Likely", True), ("Worth a second look", False)):
        if group := [candidate for candidate in pool if candidate.likely == likely]:
            yield heading, group
