"""What earlier runs read of a checkout, so that a run reads what changed and believes nothing that did.

One file, ``.cache/catalog/records.sqlite``: how every input was (:mod:`catalog.base.manifest`), the records as they
were read, with what is wrong in each, and what was wrong altogether. It may be deleted at any time; a run that cannot
read or write it does all the work itself.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

from catalog.base.garbage import without_gc
from catalog.base.manifest import as_text, digest_of, from_text, look, same_stamps
from catalog.base.project import Project
from catalog.base.sealed import open_sealed, write_sealed
from catalog.parsing.problems import Problem
from catalog.reading.inputs import PAPERS, File, context_files, environment, is_basis, record_files

VERSION = "1"
"""Of the tables' shape."""
FOLDER = ".cache/catalog"
"""Of a checkout: what runs keep."""
_FILE = "records.sqlite"

_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS record (name BLOB PRIMARY KEY, digest TEXT NOT NULL, paper TEXT NOT NULL,"
    " reading TEXT NOT NULL, alone TEXT NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True)
class Verdict:
    """What a whole run found."""

    records: int | None
    """How many papers the catalog has; None where errors keep it from being made."""
    problems: tuple[Problem, ...]

    @property
    def good(self) -> bool:
        """Whether there is no error."""
        return not any(problem.severity == "error" for problem in self.problems)


@dataclass(frozen=True)
class KeptRecord:
    """A file of ``papers/`` as it was read."""

    digest: str
    paper: str
    """The packed paper as JSON; empty where nothing could be read."""
    reading: tuple[Problem, ...]
    """What is wrong with its form."""
    alone: tuple[Problem, ...]
    """What the checks found that look at one record by itself."""


class Kept:
    """The memory of one checkout, and how its files are now."""

    def __init__(self, project: Project) -> None:
        """Look at every input: the state of each file, and the content of those that may have changed."""
        self._project = project
        self._path = project.root / FOLDER / _FILE
        self._environment = environment()
        with without_gc():
            self._meta = self._stored_meta()
            files = list(self._files())
            self.files = [(name, path) for name, path, _ in files if name.startswith(PAPERS)]
            """Name and path of everything in ``papers/``, sorted."""
            self.manifest = look(files, from_text(self._meta.get("manifest", "")), time.time_ns())

    @classmethod
    def there(cls, project: Project) -> Kept | None:
        """For those who only read records: None where nothing is kept, so that no file need be looked at twice."""
        return cls(project) if (project.root / FOLDER / _FILE).is_file() else None

    @cached_property
    def key(self) -> str:
        """Names the content of all inputs together."""
        return self._name("key", lambda name: True)

    @cached_property
    def basis(self) -> str:
        """Names all that a record by itself depends on, but the record."""
        return self._name("basis", is_basis)

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the last whole run found, if nothing has changed since."""
        if self._meta.get("key") != self.key:
            return None
        if self.manifest.new:
            # What may have been changed in the same instant was not: next time its content need not be looked at.
            self._write(self._meta | {"manifest": as_text(self.manifest)}, {}, (), goes_on=True)
        records, problems = json.loads(self._meta["verdict"])
        return Verdict(records, tuple(Problem(*fields) for fields in problems))

    @cached_property
    def records(self) -> Mapping[str, KeptRecord]:
        """By name, the records whose file and basis are as they were read."""
        if self._meta.get("basis") != self.basis:
            return {}
        seen = self.manifest.seen
        return {
            name: KeptRecord(digest, paper, _problems(reading), _problems(alone))
            for name, digest, paper, reading, alone in self._rows
            if name in seen and seen[name].digest == digest
        }

    def digest(self, name: str) -> str:
        """Of the content of a file of ``papers/`` as it is now."""
        seen = self.manifest.seen.get(name)
        return seen.digest if seen else ""

    def unchanged(self) -> bool:
        """Whether the inputs are still as they were when this began, so that what was made of them is of these."""
        return same_stamps(self._files(), self.manifest)

    def keep(self, records: Mapping[str, KeptRecord], verdict: Verdict) -> None:
        """Remember a run that read all records, unless an input changed meanwhile.

        Args:
            records: those that were read in this run, by name.
            verdict: what was found.
        """
        if not verdict.good and not self._meta:
            return  # nothing is put where there are errors; what is there goes on
        as_seen = all(record.digest == self.digest(name) for name, record in records.items())
        if not as_seen or not self.unchanged():
            return
        goes_on = bool(self.records)
        gone = [name for name, *_ in self._rows if name not in self.manifest.seen]
        meta = {
            "environment": self._environment,
            "manifest": as_text(self.manifest),
            "key": self.key,
            "basis": self.basis,
            "verdict": json.dumps([verdict.records, [astuple(problem) for problem in verdict.problems]]),
        }
        self._write(meta, records, gone, goes_on=goes_on)

    def _files(self) -> Iterator[File]:
        yield from record_files(self._project)
        yield from context_files(self._project)

    def _name(self, key: str, chosen: Callable[[str], bool]) -> str:
        if key in self._meta and not self.manifest.new and self._meta["environment"] == self._environment:
            return self._meta[key]
        lines = (f"{name}\0{seen.digest}\n" for name, seen in self.manifest.seen.items() if chosen(name))
        # Names that are no UTF-8 are told apart as well.
        return digest_of("".join([self._environment, "\n", *lines]).encode("utf-8", "surrogatepass"))

    def _stored_meta(self) -> dict[str, str]:
        return dict(self._select("SELECT key, value FROM meta"))

    @cached_property
    def _rows(self) -> list[tuple[str, ...]]:
        rows = self._select("SELECT name, digest, paper, reading, alone FROM record")
        return [(name.decode("utf-8", "surrogatepass"), *row) for name, *row in rows]

    def _select(self, query: str) -> list[Any]:
        connection = open_sealed(self._path, VERSION)
        if connection is None:
            return []
        with closing(connection):
            try:
                return connection.execute(query).fetchall()
            except sqlite3.Error:
                return []

    def _write(
        self, meta: Mapping[str, str], records: Mapping[str, KeptRecord], gone: Iterable[str], *, goes_on: bool
    ) -> None:
        rows = [
            (
                _key(name),
                record.digest,
                record.paper,
                _problems_as_json(record.reading),
                _problems_as_json(record.alone),
            )
            for name, record in records.items()
        ]

        def fill(connection: sqlite3.Connection) -> None:
            for statement in _TABLES:
                connection.execute(statement)
            for (basis,) in connection.execute("SELECT value FROM meta WHERE key = 'basis'").fetchall():
                if basis != meta["basis"]:
                    raise sqlite3.DataError("another program has written here meanwhile")
            connection.executemany("REPLACE INTO meta VALUES (?, ?)", meta.items())
            connection.executemany("DELETE FROM record WHERE name = ?", ((_key(name),) for name in gone))
            connection.executemany("REPLACE INTO record VALUES (?, ?, ?, ?, ?)", rows)

        write_sealed(self._path, VERSION, fill, goes_on=goes_on)


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _problems(stored: str) -> tuple[Problem, ...]:
    return tuple(Problem(*fields) for fields in json.loads(stored)) if stored else ()


def _problems_as_json(problems: Iterable[Problem]) -> str:
    rows = [astuple(problem) for problem in problems]
    return json.dumps(rows) if rows else ""
