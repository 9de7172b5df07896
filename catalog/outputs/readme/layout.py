"""What stands on which page: everything where it fits.

Else the oldest years of long sections leave the README, and a list is split by year, and a year by month: code hosts
cut a file at half a megabyte, and are slow long before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from catalog.base.project import Project
from catalog.outputs.readme.sections import FOLDER

README_BYTES = 198_000
"""Of the whole README: some 1,000 papers in a line each, and what a reader still scrolls through."""
PAGE_BYTES = 270_000
"""Of the papers of one list, of 300,000 that a page may have; the rest is for its head, and for what is added before
the lists are next written."""
_SECTION_BYTES = (64_000, 48_000, 36_000, 27_000, 20_000, 15_000, 11_000, 8_000, 6_000, 4_000, 3_000, 2_000)
"""Where the README is too long, the largest of these to which its sections can be shortened. Steps, so that one
more paper hardly ever moves a line of another section."""

Dated = Sequence[tuple[str, int]]
"""For each line of a section, newest first: the paper's date, and the bytes of the line with its end."""
_CUT = "Papers before {} are on [its list]({})."
_CUT_LINE = re.compile(r"^Papers before (\d{4}(?:-\d\d)?) are on \[its list\]\(([^)\s]+)\)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Layout:
    """What stands on which page, by the sections' pages; a section that is named nowhere is whole on both."""

    since: Mapping[str, str] = field(default_factory=dict)
    """The year or month from which on a section's papers are in the README."""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The years and months that have pages of their own, newest first."""

    def shows(self, section: str, date: str) -> bool:
        """Whether the README shows a paper of this section and date."""
        return date >= self.since.get(section, "")

    def page(self, section: str, date: str) -> str | None:
        """The page of the lists for a paper of this section and date; None where the layout has none."""
        if section not in self.parts:
            return section
        part = next((part for part in self.parts[section] if date.startswith(part)), None)
        return part_page(section, part) if part else None


def part_page(section: str, part: str) -> str:
    """Where a part of a list is: ``lists/type/attack/2025.md``."""
    return f"{section.removesuffix('.md')}/{part}.md"


def cut_note(section: str, since: str) -> str:
    """What the README says where older papers are left out."""
    return _CUT.format(since, section)


def plan(briefs: Mapping[str, Dated], fulls: Mapping[str, Dated], room: int) -> Layout:
    """The layout in which all pages are as long as they may be.

    Args:
        briefs: by section, the lines of the README.
        fulls: by section, the lines of the lists.
        room: the bytes that the README has for its lists.
    """
    parts = {section: _parts(lines) for section, lines in fulls.items() if _size(lines) > PAGE_BYTES}
    since: dict[str, str] = {}
    for limit in (room, *_SECTION_BYTES):
        since = {section: _since(lines, limit) for section, lines in briefs.items() if lines and _size(lines) > limit}
        size = sum(_size(_shown(lines, since.get(section, ""))) for section, lines in briefs.items())
        if size + sum(len(cut_note(section, start)) + 2 for section, start in since.items()) <= room:
            break
    return Layout(since, parts)


def layout_there(project: Project) -> Layout:
    """The layout of what is committed: what the README says that it leaves out, and which pages there are."""
    path = project.readme
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    parts: dict[str, tuple[str, ...]] = {}
    for page in sorted((project.root / FOLDER).glob("*/*/*.md"), reverse=True):
        section = f"{page.parent.relative_to(project.root).as_posix()}.md"
        parts[section] = (*parts.get(section, ()), page.stem)
    return Layout({section: since for since, section in _CUT_LINE.findall(text)}, parts)


def _shown(lines: Dated, since: str) -> Dated:
    return [(date, size) for date, size in lines if date >= since]


def _size(lines: Dated) -> int:
    return sum(size for _, size in lines)


def _parts(lines: Dated) -> tuple[str, ...]:
    """The years, and the months of a year that is too long for a page."""
    parts: list[str] = []
    for year, group in groupby(lines, lambda line: line[0][:4]):
        of_year = list(group)
        fits = _size(of_year) <= PAGE_BYTES
        parts += [year] if fits else dict.fromkeys(date[:7] for date, _ in of_year)
    return tuple(parts)


def _since(lines: Dated, limit: int) -> str:
    """The earliest year from which on the lines fit, else the earliest such month, and the newest month in any case."""
    for digits in (4, 7):
        size, since = 0, ""
        for start, group in groupby(lines, lambda line, digits=digits: line[0][:digits]):  # type: ignore[misc]
            size += _size(list(group))
            if size > limit:
                break
            since = start
        if since:
            return since
    return lines[0][0][:7]
