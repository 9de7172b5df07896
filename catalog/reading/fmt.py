"""One layout for all records, so that a change shows what changed: keys in the schema's order, comments kept.

A record is written anew from its values, and each comment goes with the key or entry that it stands at. What comes
out is compared with what went in, so that nothing is ever lost.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog.base.utf8 import read_text
from catalog.model.paper import Record
from catalog.parsing.comments import BY_HAND, comments
from catalog.parsing.problems import Problem
from catalog.parsing.tree import NotText, Place, Tree, lost_letters, parse_tree
from catalog.parsing.validation import known_keys, validate
from catalog.reading.entry import Entry
from catalog.reading.load import read_record

WIDTH = 120

_IN_BRACES = ("provenance", "venue")
_ONE_PER_LINE = ("former_titles", "implementations", "reported")
_FOLDED = ("summary",)
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9 -]*[A-Za-z0-9]")
_NOT_TEXT = frozenset(("yes", "no", "on", "off", "true", "false", "null"))


def format_record(path: Path, file: str) -> tuple[str | None, list[Problem]]:
    """The canonical text of a record.

    Args:
        path: the record; it is read, never written.
        file: how problems name it.

    Returns:
        The text, or None together with the errors because of which the file is left alone.
    """
    entry, problems = read_record(path, file)
    errors = [problem for problem in problems if problem.severity == "error"]
    if entry is None or errors:
        return None, errors
    text = _lines(path)
    done = layout(entry.tree.value, _notes(text, entry.tree))
    if _same(text, done):
        return done, []
    message = "cannot be brought into the canonical layout without loss"
    hint = "Move comments to lines of their own, above a key, and run it again."
    return None, [Problem(file, 1, 1, "unformattable", "error", message, hint)]


def rewrite(
    path: Path, file: str, changes: Mapping[Place, Any], remarks: Mapping[Place, str] | None = None
) -> tuple[str | None, list[Problem]]:
    """The text of a record with some values set anew, and every comment kept.

    Args:
        path: the record; it is read, never written.
        file: how problems name it.
        changes: new values by their place, at most two keys deep: ``{("links", "code"): "https://..."}``.
        remarks: comments, with their ``#``, to be put above some of them.

    Returns:
        The text in the canonical layout, or None together with the errors because of which there is none.
    """
    entry, problems = read_record(path, file)
    errors = [problem for problem in problems if problem.severity == "error"]
    if entry is None or errors:
        return None, errors
    text = _lines(path)
    values = {key: dict(value) if isinstance(value, dict) else value for key, value in entry.tree.value.items()}
    for place, value in changes.items():
        inner = values if len(place) == 1 else values.setdefault(place[0], {})
        inner[place[-1]] = value
    notes = _notes(text, entry.tree)
    for place, remark in (remarks or {}).items():
        notes.above.setdefault(place, []).append(remark)
    done = layout(values, notes)
    tree, wrong = parse_tree(done.encode(), file)
    if tree is not None and not wrong:
        wrong = [*lost_letters(tree), *validate(Record, tree)[1]]
    if tree is None or wrong:
        return None, wrong
    if _said("\n".join((text, *(remarks or {}).values()))) != _said(done):
        message = "a comment would be lost by the change"
        hint = "Move comments to lines of their own, above a key, and run it again."
        return None, [Problem(file, 1, 1, "unformattable", "error", message, hint)]
    return done, []


def is_by_hand(path: Path, entry: Entry, place: Place) -> bool:
    """Whether a comment at a value or around it says ``by hand``: then no program changes it."""
    notes = _notes(_lines(path), entry.tree)
    places = [place[:length] for length in range(1, len(place) + 1)]
    said = [
        *(note for prefix in places for note in notes.above.get(prefix, ())),
        *(notes.beside.get(prefix, "") for prefix in places),
    ]
    return any(BY_HAND in note.lower() for note in said)


def _lines(path: Path) -> str:
    """The text of a record that could be read, with line ends that are all alike."""
    return re.sub("\r\n?", "\n", read_text(path))


@dataclass
class Notes:
    """The comments of a record, by the place they stand at."""

    header: list[str] = field(default_factory=list)
    above: dict[Place, list[str]] = field(default_factory=dict)
    beside: dict[Place, str] = field(default_factory=dict)
    below: dict[Place, list[str]] = field(default_factory=dict)
    footer: list[str] = field(default_factory=list)

    def inside(self, place: Place) -> bool:
        """Whether a comment stands at a part of what is at ``place``, which then needs lines of its own."""
        places = (*self.above, *self.beside, *self.below)
        return any(len(commented) > len(place) and commented[: len(place)] == place for commented in places)


def layout(values: Mapping[str, Any], notes: Notes | None = None) -> str:
    """Values of a record as text in the canonical layout.

    Args:
        values: as a :class:`~catalog.parsing.tree.Tree` holds them: mappings, tuples and text.
        notes: comments to be kept.
    """
    notes = notes or Notes()
    lines = [*notes.header, *_mapping((), values, 0, notes), *notes.footer]
    return "\n".join(lines) + "\n"


def _mapping(place: Place, values: Mapping[str, Any], indent: int, notes: Notes) -> list[str]:
    order = known_keys(Record, place)
    keys = sorted(values, key=order.index)
    return [line for key in keys for line in _entry((*place, key), f"{key}:", values[key], indent, notes)]


def _entry(place: Place, label: str, value: Any, indent: int, notes: Notes) -> list[str]:
    """A key or a list's entry with its value and the comments at it."""
    head, body = _value(place, value, indent + 2, notes)
    margin = " " * indent
    first = " ".join(part for part in (label, head) if part)
    beside = f"  {notes.beside[place]}" if place in notes.beside else ""
    return [
        *(margin + note for note in notes.above.get(place, ())),
        margin + first + beside,
        *body,
        *(margin + note for note in notes.below.get(place, ())),
    ]


def _value(place: Place, value: Any, indent: int, notes: Notes) -> tuple[str, list[str]]:
    """What follows the label on its line, and the lines after it."""
    key = str(next(step for step in reversed(place) if isinstance(step, str)))
    if isinstance(value, str):
        return _text(key, value, indent)
    if isinstance(value, NotText):
        return value.text, []
    if isinstance(value, tuple):
        if key in _ONE_PER_LINE or notes.inside(place):
            entries = (_entry((*place, i), "-", part, indent, notes) for i, part in enumerate(value))
            return ("", [line for lines in entries for line in lines]) if value else ("[]", [])
        return _flow(place, value), []
    if value and (notes.inside(place) or not (key in _IN_BRACES or isinstance(place[-1], int))):
        return "", _mapping(place, value, indent, notes)
    return _flow(place, value), []


def _text(key: str, value: str, indent: int) -> tuple[str, list[str]]:
    if key in _FOLDED and len(key) + len(": ") + len(value) > WIDTH:
        lines = textwrap.wrap(value, WIDTH - indent, break_long_words=False, break_on_hyphens=False)
        return ">-", [" " * indent + line for line in lines]
    return _scalar(value, "key: {}\n"), []


def _flow(place: Place, value: Any) -> str:
    """A value on one line."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_flow((*place, i), part) for i, part in enumerate(value)) + "]"
    if isinstance(value, dict):
        order = known_keys(Record, place)
        parts = (f"{key}: {_flow((*place, key), value[key])}" for key in sorted(value, key=order.index))
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, NotText):
        return value.text
    return _scalar(value, "key: [{}]\n")


def _scalar(value: str, around: str) -> str:
    """The text without quotes if it means itself at that place."""
    if _SAFE.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    bare, _ = parse_tree(around.format(value).encode(), "")
    quoted = json.dumps(value, ensure_ascii=False)
    meant, _ = parse_tree(around.format(quoted).encode(), "")
    return value if bare and meant and bare.value == meant.value else quoted


# Comments -----------------------------------------------------------------------------------------


def _notes(text: str, tree: Tree) -> Notes:
    """Every comment of a text, at its place."""
    starts = [
        (mark.line, mark.column, place) for place, mark in tree.values.items() if place not in tree.keys and place
    ]
    starts += [(mark.line, mark.column, place) for place, mark in tree.keys.items()]
    starts.sort()
    notes = Notes()
    for comment in comments(text):
        before = [place for line, column, place in starts if (line, column) < (comment.line, comment.column)]
        after = [(column, place) for line, column, place in starts if line > comment.line]
        if not comment.alone and before:
            here = [place for line, _, place in starts if line == comment.line]
            if not here and comment.after_dash and after:
                here = [after[0][1]]  # an entry of a list whose value begins on the next line
            place = here[0] if here else before[-1]
            notes.beside[place] = f"{notes.beside[place]} {comment.text}" if place in notes.beside else comment.text
        elif not before:
            notes.header.append(comment.text)
        elif after and comment.column <= after[0][0]:
            notes.above.setdefault(after[0][1], []).append(comment.text)
        elif comment.column > 1:
            notes.below.setdefault(before[-1], []).append(comment.text)
        else:
            notes.footer.append(comment.text)
    return notes


def _same(before: str, after: str) -> bool:
    """Whether two texts hold the same values and the same comments."""
    old, _ = parse_tree(before.encode(), "")
    new, wrong = parse_tree(after.encode(), "")
    if old is None or new is None or wrong:
        return False
    return bool(old.value == new.value) and _said(before) == _said(after)


def _said(text: str) -> list[str]:
    """The words of all comments."""
    return sorted(" ".join(comment.text for comment in comments(text)).split())
