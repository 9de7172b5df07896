"""Ids that are no more: where a renamed record went, and why a removed one is gone. Old addresses keep working.

``catalog/redirects.yaml`` holds them; ``catalog move`` and ``catalog remove`` write it together with the record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.base.files import locked, sweep_below, write_new, write_whole
from catalog.base.project import Project
from catalog.base.text import did_you_mean, shorten
from catalog.base.utf8 import read_text
from catalog.model.paper import plain_text
from catalog.model.registries import PAPER_ID
from catalog.parsing.problems import Problem
from catalog.parsing.tree import MAX_BYTES, Mark, Place, Tree, lost_letters, parse_tree, read_tree

FILE = "catalog/redirects.yaml"
_HEADER = """\
# Ids of records that are no more, so that old addresses lead on. Written by `catalog move` and `catalog remove`.
"""


class MoveError(Exception):
    """A record cannot be moved or removed; the message says why."""


@dataclass(frozen=True)
class Redirects:
    """Old ids."""

    moved: Mapping[str, str] = field(default_factory=dict)
    """Old id -> the id of a record."""
    removed: Mapping[str, str] = field(default_factory=dict)
    """Old id -> why there is no such record any more."""


def read_redirects(project: Project, ids: Collection[str] | None = None) -> tuple[Redirects, list[Problem]]:
    """The redirects of a checkout; none where it has no such file.

    Args:
        project: the checkout.
        ids: the records that exist; with them, redirects are checked against these.
    """
    path = project.root / FILE
    if not path.is_file():
        return Redirects(), []
    tree, problems = read_tree(path, FILE)
    if tree is None:
        return Redirects(), problems
    given = tree.value if isinstance(tree.value, dict) else {"": None}
    redirects: dict[str, dict[str, str]] = {"moved": {}, "removed": {}}
    for kind, entries in given.items():
        if kind not in redirects or not isinstance(entries, dict):
            problems.append(_problem(tree, (kind,), f"{shorten(kind)!r} is neither moved nor removed ids"))
            continue
        for old, value in entries.items():
            wrong = _wrong(kind, old, value, ids)
            if wrong:
                problems.append(_problem(tree, (kind, old), wrong))
            else:
                redirects[kind][old] = value
    return Redirects(redirects["moved"], redirects["removed"]), problems


def _wrong(kind: str, old: str, value: object, ids: Collection[str] | None) -> str:
    if not re.fullmatch(PAPER_ID, old) or not isinstance(value, str):
        needed = "an id" if kind == "moved" else "a reason"
        return f"{shorten(old)!r} needs {needed} after the colon, and to be an id itself"
    if ids is not None and old in ids:
        return f"{old!r} is a record, so it cannot lead elsewhere"
    if kind == "moved" and ids is not None and value not in ids:
        return f"{old!r} leads to {shorten(value)!r}, which is no record. {did_you_mean(value, ids)}".rstrip()
    wrong = _no_reason(value) if kind == "removed" else ""
    return f"the reason for {old!r}: {wrong}" if wrong else ""


def _problem(tree: Tree, place: tuple[str, ...], message: str) -> Problem:
    mark: Mark = tree.key_mark(place)
    return Problem(tree.file, mark.line, mark.column, "bad-redirect", "error", message, "See the comment at its top.")


def move(project: Project, old: str, new: str, ids: Mapping[str, str]) -> list[str]:
    """Rename a record, and leave a redirect. Called again after it was interrupted, it goes on.

    Args:
        project: the checkout.
        old: the id that a record has.
        new: the id that it is to have.
        ids: the file of every record, by its id.

    Returns:
        The files that changed, the new one first.

    Raises:
        MoveError: there is no such record, or the new id is none, or is taken.
        OSError: a file cannot be written.
    """
    year = re.search("[0-9]{4}", new)
    if not re.fullmatch(PAPER_ID, new) or not year:
        raise MoveError(f"{new!r} is no id. It is the first author's family name, the year and a word: liu2024machine")
    with locked(project.papers):
        sweep_below(project.papers)
        if old not in ids and new in ids and read_redirects(project)[0].moved.get(old) == new:
            left = _mentions(project, old, new)
            if left:
                return left
        redirects = _checked(project, old, ids)
        source, file = project.root / ids[old], f"papers/{year[0]}/{new}.yaml"
        text = read_text(source)
        begun = new in ids and new != old and read_text(project.root / ids[new]) == text
        if not begun and (new in ids or (project.root / file).exists()):
            raise MoveError(f"{new!r} is taken by {ids.get(new, file)}")
        own = _year_of(text, ids[old])
        if own and own != year[0]:
            right = new.replace(year[0], own, 1)
            raise MoveError(f"the record's date is of {own}, and {new!r} says {year[0]}. An id of it is {right!r}")
        # A chain of moves leads straight to its end; an id that comes back into use leads nowhere.
        moved = {key: new if value == old else value for key, value in redirects.moved.items() if key != new}
        removed = {key: reason for key, reason in redirects.removed.items() if key != new}
        written = _text(Redirects({**moved, old: new}, removed))
        if not begun:
            write_new(project.root / file, text)
        write_whole(project.root / FILE, written)
        source.unlink()
        return [file, FILE, *_mentions(project, old, new)]


def remove(project: Project, old: str, reason: str, ids: Mapping[str, str]) -> list[str]:
    """Take a record out, and leave the reason.

    Raises:
        MoveError: there is no such record, or the reason is no plain text.
        OSError: a file cannot be written.
    """
    with locked(project.papers):
        redirects = _checked(project, old, ids)
        if wrong := _no_reason(reason):
            raise MoveError(f"the reason {wrong}")
        moved = {key: value for key, value in redirects.moved.items() if value != old}
        followed = {key: reason for key, value in redirects.moved.items() if value == old}
        write_whole(project.root / FILE, _text(Redirects(moved, {**redirects.removed, **followed, old: reason})))
        (project.root / ids[old]).unlink()
        return [FILE]


def _no_reason(reason: str) -> str:
    """What is wrong with a reason, or ``""``."""
    if not reason:
        return "is empty; say why"
    try:
        plain_text(reason)
    except ValueError as error:
        return str(error)
    return ""


def _year_of(text: str, file: str) -> str:
    """The year of a record's date, or ``""`` where it has none that can be read."""
    tree, _ = parse_tree(text.encode(), file)
    date = tree.value.get("date") if tree and isinstance(tree.value, dict) else None
    return date[:4] if isinstance(date, str) and re.match("[0-9]{4}-", date) else ""


def _checked(project: Project, old: str, ids: Mapping[str, str]) -> Redirects:
    if old not in ids:
        raise MoveError(f"there is no record {old!r}. {did_you_mean(old, ids)}".rstrip())
    if not (project.root / ids[old]).is_file():
        raise MoveError(f"{ids[old]} is gone: somebody else moved or removed it just now")
    redirects, problems = read_redirects(project)
    if problems:
        raise MoveError(f"{FILE}:{problems[0].line}: {problems[0].message}")
    return redirects


_NAMING = ("by", "paper", "builds_on", "see")
"""Keys whose values name records."""


def _mentions(project: Project, old: str, new: str) -> list[str]:
    """Give the new id to what names the old one: records, reading paths, the glossary, files of methods and tasks."""
    changed = []
    data = [
        *project.papers.glob("*/*.yaml"),
        *project.site.glob("*.yaml"),
        *project.site.glob("docs/*.yaml"),
        *project.root.glob("catalog/vocabularies/dataset.yaml"),
        *project.reference_impls.glob("claims.yaml"),
    ]
    code = project.reference_impls.rglob("*.py")
    for path in sorted([*data, *code]):
        before = path.read_bytes() if path.is_file() else b""
        if old.encode() not in before:
            continue
        after = _renamed_in_yaml(before, old, new) if path.suffix == ".yaml" else _renamed_in_python(before, old, new)
        if after != before:
            write_whole(path, after)
            changed.append(path.relative_to(project.root).as_posix())
    return changed


def _renamed_in_python(data: bytes, old: str, new: str) -> bytes:
    pattern = rf"""(?m)^(\s+paper\s*=\s*(["'])){old}(?=\2)"""
    return re.sub(pattern.encode(), rb"\g<1>" + new.encode(), data)


def _renamed_in_yaml(data: bytes, old: str, new: str) -> bytes:
    """The same file with another id wherever a value is the old one, in whichever way YAML writes it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    tree, _ = parse_tree(data, "")
    if tree is None:
        return data
    starts = [0, *(match.end() for match in re.finditer("\r\n|\r|\n", text))]
    mark = len(text) - len(text.removeprefix("\ufeff"))  # no column counts it
    places = (place for place in tree.values if _names(tree.value, place, old))
    found = [(tree.values[place], starts[tree.values[place].line - 1]) for place in places]
    for (line, column), start in sorted(found, reverse=True):
        at = start + column - 1 + (mark if line == 1 else 0)
        # Quotes may stand before it, or the signs of a block and the space of its next line.
        if match := re.compile(rf"([>|][-+0-9]*|[\"'])?\s*{old}(?![a-z0-9-])").match(text, at):
            text = f"{text[: match.end() - len(old)]}{new}{text[match.end() :]}"
    return text.encode()


def _names(value: Any, place: Place, ident: str) -> bool:
    if next((step for step in reversed(place) if isinstance(step, str)), "") not in _NAMING:
        return False
    for step in place:
        value = value[step] if isinstance(value, dict) or isinstance(step, int) else None
    return isinstance(value, str) and value.strip() == ident


def _text(redirects: Redirects) -> str:
    """What the file is to hold.

    Raises:
        MoveError: its reader would refuse it.
    """
    lines = [_HEADER.rstrip()]
    for kind, entries in (("moved", redirects.moved), ("removed", redirects.removed)):
        if entries:
            lines.append(f"{kind}:")
            values = {
                key: value if kind == "moved" else json.dumps(value, ensure_ascii=False)
                for key, value in entries.items()
            }
            lines += [f"  {key}: {values[key]}" for key in sorted(values)]
    text = "\n".join(lines) + "\n"
    tree, problems = parse_tree(text.encode(), FILE)
    problems += lost_letters(tree) if tree else []
    if problems or len(text.encode()) > MAX_BYTES:
        said = problems[0].message if problems else "would be larger than what is read"
        raise MoveError(f"{FILE} {said}")
    return text
