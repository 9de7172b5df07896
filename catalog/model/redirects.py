"""Ids that are no more: where a renamed record went, and why a removed one is gone. Old addresses keep working.

``catalog/redirects.yaml`` holds them; ``catalog move`` and ``catalog remove`` write it together with the record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog.base.files import sweep_below, write_new, write_whole
from catalog.base.project import Project
from catalog.base.text import did_you_mean, shorten
from catalog.base.utf8 import read_text
from catalog.model.paper import plain_text
from catalog.model.registries import PAPER_ID
from catalog.parsing.problems import Problem
from catalog.parsing.tree import Mark, Tree, read_tree

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
    if kind == "removed":
        try:
            plain_text(value)
        except ValueError as error:
            return f"the reason for {old!r}: {error}"
    return ""


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
    sweep_below(project.papers)
    if old not in ids and new in ids and read_redirects(project)[0].moved.get(old) == new:
        left = _mentions(project, old, new)
        if left:
            return left
    redirects = _checked(project, old, ids)
    source, file = project.root / ids[old], f"papers/{year[0]}/{new}.yaml"
    text = read_text(source)
    begun = new in ids and new != old and read_text(project.root / ids[new]) == text
    if new in ids and not begun:
        raise MoveError(f"{new!r} is taken by {ids[new]}")
    # A chain of moves leads straight to its end; an id that comes back into use leads nowhere.
    moved = {key: new if value == old else value for key, value in redirects.moved.items() if key != new}
    removed = {key: reason for key, reason in redirects.removed.items() if key != new}
    if not begun:
        write_new(project.root / file, text)
    _write(project, Redirects({**moved, old: new}, removed))
    source.unlink()
    return [file, FILE, *_mentions(project, old, new)]


def remove(project: Project, old: str, reason: str, ids: Mapping[str, str]) -> list[str]:
    """Take a record out, and leave the reason.

    Raises:
        MoveError: there is no such record, or the reason is no plain text.
        OSError: a file cannot be written.
    """
    redirects = _checked(project, old, ids)
    try:
        plain_text(reason)
    except ValueError as error:
        raise MoveError(f"the reason {error}") from None
    moved = {key: value for key, value in redirects.moved.items() if value != old}
    followed = {key: reason for key, value in redirects.moved.items() if value == old}
    _write(project, Redirects(moved, {**redirects.removed, **followed, old: reason}))
    (project.root / ids[old]).unlink()
    return [FILE]


def _checked(project: Project, old: str, ids: Mapping[str, str]) -> Redirects:
    if old not in ids:
        raise MoveError(f"there is no record {old!r}. {did_you_mean(old, ids)}".rstrip())
    redirects, problems = read_redirects(project)
    if problems:
        raise MoveError(f"{FILE}:{problems[0].line}: {problems[0].message}")
    return redirects


def _mentions(project: Project, old: str, new: str) -> list[str]:
    """Give the new id to what names the old one: records, reading paths, the glossary, files of methods and tasks."""
    changed = []
    data = [
        *project.papers.glob("*/*.yaml"),
        *project.site.glob("*.yaml"),
        *project.root.glob("catalog/vocabularies/dataset.yaml"),
        *project.reference_impls.glob("claims.yaml"),
    ]
    code = project.reference_impls.rglob("*.py")
    for path in sorted([*data, *code]):
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        named = r"(?:^|[{,])\s*(?:- )?(?:by|paper): " if path.suffix == ".yaml" else r"^\s+paper = \""
        pattern = rf"(?m)({named}){old}\b"
        after = re.sub(pattern, rf"\g<1>{new}", text)
        if after != text:
            write_whole(path, after.encode("utf-8", "surrogateescape"))
            changed.append(path.relative_to(project.root).as_posix())
    return changed


def _write(project: Project, redirects: Redirects) -> None:
    lines = [_HEADER.rstrip()]
    for kind, entries in (("moved", redirects.moved), ("removed", redirects.removed)):
        if entries:
            lines.append(f"{kind}:")
            values = {
                key: value if kind == "moved" else json.dumps(value, ensure_ascii=False)
                for key, value in entries.items()
            }
            lines += [f"  {key}: {values[key]}" for key in sorted(values)]
    write_whole(Path(project.root / FILE), "\n".join(lines) + "\n")
