"""What a pass of ``catalog update`` came to: changes by kind, and what was not reached, for an issue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from catalog.base.text import fitting, inert, sentence
from catalog.reading.entry import Entry
from catalog.upkeep.update import Change, Compared

_KINDS = {
    "venue": "Published",
    "title": "Titles and authors",
    "former_titles": "Titles and authors",
    "authors": "Titles and authors",
    "links": "Ids and links",
    "state": "Withdrawn or retracted",
    "provenance": "Newer versions",
}
"""What changes are called, by the field."""


@dataclass
class Outcome:
    """A pass over records, as far as it came."""

    left_out: int = 0
    """Records that were compared not long ago."""
    without_source: list[str] = field(default_factory=list)
    """Files of records that name nobody who could be asked, or that people keep by hand."""
    compared: int = 0
    changes: list[Change] = field(default_factory=list)
    failures: dict[str, list[str]] = field(default_factory=dict)
    """What was not reached and why, with the files of the records that it concerns."""

    def add(self, one: Compared) -> None:
        """Take in one record."""
        self.compared += 1
        self.changes += one.update.changes if one.update else ()
        for failure in one.failures:
            self.failures.setdefault(str(failure), []).append(one.entry.paper.file)

    @property
    def not_reached(self) -> Sequence[str]:
        """A line for each thing that was not reached, with how many records, or which, it concerns."""
        return [
            f"{failure} ({files[0] if len(files) == 1 else f'{len(files)} records'})"
            for failure, files in self.failures.items()
        ]


def can_be_asked(entry: Entry) -> bool:
    """Whether a record names somebody who can be asked about it."""
    return bool(entry.paper.links.ids) and entry.paper.provenance.source != "hand"


def as_markdown(outcome: Outcome, today: str) -> str:
    """The pass as a page; long lists are cut where the code host would cut them."""
    lines = [f"# Records and their sources, {today}", "", f"{outcome.compared} records compared.", ""]
    if outcome.left_out:
        lines += [f"{outcome.left_out} were left out: they were compared not long ago.", ""]
    if outcome.without_source:
        lines += [f"{len(outcome.without_source)} name no source that can be asked, or are kept by hand.", ""]
    if outcome.failures:
        lines += ["## Not reached", ""]
        for failure, files in outcome.failures.items():
            lines.append(f"* {inert(sentence(failure))}")
            lines += [f"  {', '.join(files[:20])}{f' and {len(files) - 20} more' if len(files) > 20 else ''}"]
        lines.append("")
    for kind in dict.fromkeys(_KINDS.values()):
        entries = _said(change for change in outcome.changes if _KINDS.get(str(change.place[0])) == kind)
        if entries:
            lines += [f"## {kind}", "", *entries, ""]
    return fitting(lines).rstrip("\n") + "\n"


def _said(changes: Iterable[Change]) -> list[str]:
    """A line for each record and reason; the day of a check says nothing by itself."""
    told = (change for change in changes if change.place != ("provenance", "checked") or "version" in change.reason)
    return [
        f"* {paper}: {inert(reason)}"
        for paper, reason in dict.fromkeys((change.paper, change.reason) for change in told)
    ]
