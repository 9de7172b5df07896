"""Whether what was built last still stands: made from the same inputs and templates, and not touched since."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from catalog.base.manifest import NONE, Manifest, as_text, digest_of, files_below, from_text, look
from catalog.base.project import Project
from catalog.base.sealed import open_sealed, write_sealed
from catalog.reading.kept import FOLDER, Kept

VERSION = "1"
_FILE = "built.sqlite"


def standing(project: Project, kept: Kept) -> list[Path] | None:
    """The files that a build would write, where each of them is there as it would write it, and no other; or None."""
    made_from, before = _noted(project)
    if made_from != _inputs(project, kept):
        return None
    now = look(_files(project, before.seen), before, time.time_ns())
    if {name: seen.digest for name, seen in now.seen.items()} != {
        name: seen.digest for name, seen in before.seen.items()
    }:
        return None
    if _others(project) != {name for name in before.seen if _is_list(project, name)}:
        return None
    if now.new:
        _write(project, made_from, now)
    return [project.root / name for name in now.seen]


def note(project: Project, kept: Kept, made: Iterable[Path]) -> None:
    """Remember what was built, unless an input changed meanwhile."""
    if kept.unchanged():
        names = [path.relative_to(project.root).as_posix() for path in made]
        _write(project, _inputs(project, kept), look(_files(project, names), NONE, time.time_ns()))


def _inputs(project: Project, kept: Kept) -> str:
    """Names everything that a build depends on."""
    parts = [kept.key]
    for path, _ in files_below(str(project.templates), links=True):
        try:
            parts += [path, digest_of(Path(path).read_bytes())]
        except OSError:
            parts += [path, ""]
    return digest_of("\n".join(parts).encode("utf-8", "surrogatepass"))


def _files(project: Project, names: Iterable[str]) -> Iterator[tuple[str, str, os.stat_result]]:
    for name in names:
        path = str(project.root / name)
        try:
            yield name, path, os.stat(path)
        except OSError:
            continue


def _others(project: Project) -> set[str]:
    """The lists that are there: a build deletes those that it makes no more."""
    return {path.relative_to(project.root).as_posix() for path in project.lists.rglob("*") if path.is_file()}


def _is_list(project: Project, name: str) -> bool:
    return (project.root / name).is_relative_to(project.lists)


def _noted(project: Project) -> tuple[str, Manifest]:
    noted = open_sealed(project.root / FOLDER / _FILE, VERSION)
    if noted is None:
        return "", NONE
    with closing(noted):
        ((made_from, made),) = noted.execute("SELECT made_from, made FROM built").fetchall()
    return made_from, from_text(made)


def _write(project: Project, made_from: str, made: Manifest) -> None:
    def fill(database: sqlite3.Connection) -> None:
        database.execute("CREATE TABLE built (made_from TEXT NOT NULL, made TEXT NOT NULL)")
        database.execute("INSERT INTO built VALUES (?, ?)", (made_from, as_text(made)))

    write_sealed(project.root / FOLDER / _FILE, VERSION, fill, goes_on=False)
