"""The tables of answers, made from the catalog; where some are there already, only what changed is made anew."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple
from functools import lru_cache

from catalog.base.garbage import without_gc
from catalog.base.text import same_title, words
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.model.pasted import handles_of
from catalog.outputs.answers.filters import facts_of
from catalog.outputs.answers.shown import Shown
from catalog.outputs.answers.tables import COLUMNS, TABLES
from catalog.outputs.export import bibtex
from catalog.outputs.export.records import record
from catalog.outputs.searchable import Searchable
from catalog.outputs.spellings import Compounds, written_in_one
from catalog.outputs.titles import names_of


def answers_of(catalog: Catalog) -> sqlite3.Connection:
    """The tables in memory."""
    connection = sqlite3.connect(":memory:")
    fill(connection, catalog, {})
    return connection


def fill(connection: sqlite3.Connection, catalog: Catalog, digests: Mapping[str, str]) -> None:
    """Make the tables say what the catalog says.

    Args:
        connection: empty, or with tables that were filled from a catalog with the same vocabularies and the same that
            runs.
        catalog: what they are to say.
        digests: by paper's id, what names the content of its record; one that is as it was is left alone.
    """
    with without_gc():
        _fill(connection, catalog, digests)


def _fill(connection: sqlite3.Connection, catalog: Catalog, digests: Mapping[str, str]) -> None:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'paper'").fetchone():
        for statement in TABLES:
            connection.execute(statement)
    stored = {ident: (row, digest) for row, ident, digest in connection.execute("SELECT row, id, digest FROM paper")}
    new = [paper for paper in catalog.papers if stored.get(paper.id, ("", ""))[1] != digests.get(paper.id, "-")]
    gone = stored.keys() - catalog.by_id.keys() | {paper.id for paper in new if paper.id in stored}
    filling = _Filling(connection, catalog)
    for ident in sorted(gone):
        filling.remove(stored[ident][0])
    for paper in new:
        filling.add(paper, digests.get(paper.id, "-"))
    filling.finish()
    _fill_common(connection, catalog)


class _Filling:
    """One change of the tables: rows go and come, then what depends on all words is made right."""

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog) -> None:
        self._database, self._catalog = connection, catalog
        self._known: Counter[str] = Counter()
        self._words: Counter[str] = Counter()
        self._new: dict[int, Searchable] = {}

    def remove(self, row: int) -> None:
        """Take a paper out."""
        ((written,),) = self._database.execute("SELECT written FROM paper WHERE row = ?", (row,))
        self._known.subtract(_known_in(Searchable(*json.loads(written))))
        self._unindex(row)
        for table, column in (("fact", "paper"), ("handle", "paper"), ("name", "paper"), ("paper", "row")):
            self._database.execute(f"DELETE FROM {table} WHERE {column} = ?", (row,))

    def add(self, paper: Paper, digest: str) -> None:
        """Put a paper in; it is found once :meth:`finish` was called."""
        catalog = self._catalog
        written = Searchable.of(catalog, paper)
        self._known.update(_known_in(written))
        row = self._database.execute(
            "INSERT INTO paper VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(paper.id, digest, paper.date, same_title(paper.title), f" {' '.join(words(paper.title))} "),
                *(_json(Shown.of(catalog, paper)), _json(record(paper)), bibtex.render([paper])),
                *(_json(astuple(written)), _squeezed(written)),
            ),
        ).lastrowid
        assert row is not None
        self._new[row] = written
        self._insert("fact", ((name, term, row) for name, term in facts_of(paper)))
        self._insert("handle", ((handle, row) for handle in dict.fromkeys(handles_of(paper))))
        self._insert("name", ((name, row) for name in sorted(names_of(catalog, paper))))

    def finish(self) -> None:
        """Index the new papers, and anew those in which other words are one by now."""
        changed = self._count("known", self._known)
        compounds = Compounds.knowing({word for (word,) in self._database.execute("SELECT word FROM known")})
        again = {
            row: Searchable(*json.loads(written))
            for row, squeezed, written in self._database.execute("SELECT row, squeezed, written FROM paper")
            if row not in self._new and any(word in squeezed for word in changed)
        }
        for row in again:
            self._unindex(row)
        for row, written in sorted({**again, **self._new}.items()):
            self._index(row, written.folded(compounds))
        self._count("word", self._words)

    def _index(self, row: int, columns: tuple[str, ...]) -> None:
        self._insert(f"search (rowid, {COLUMNS})", [(row, *columns)])
        self._words.update(_words_of(columns))

    def _unindex(self, row: int) -> None:
        columns = self._database.execute(f"SELECT {COLUMNS} FROM search WHERE rowid = ?", (row,)).fetchone()
        self._words.subtract(_words_of(columns))
        self._database.execute("DELETE FROM search WHERE rowid = ?", (row,))

    def _count(self, table: str, change: Counter[str]) -> Collection[str]:
        """Add to how many papers have each word; the words that nobody had before, or nobody has now, are returned."""
        before: dict[str, int] = dict(self._database.execute(f"SELECT word, papers FROM {table}").fetchall())
        after = {word: before.get(word, 0) + more for word, more in sorted(change.items()) if more}
        self._insert(table, ((word, papers) for word, papers in after.items() if papers))
        none = [word for word, papers in after.items() if not papers]
        self._database.executemany(f"DELETE FROM {table} WHERE word = ?", ((word,) for word in none))
        return [*none, *(word for word in after if word not in before)]

    def _insert(self, table: str, rows: Iterable[tuple[str | int, ...]]) -> None:
        values = list(rows)
        if not values:
            return
        marks = ", ".join("?" * len(values[0]))
        self._database.executemany(f"REPLACE INTO {table} VALUES ({marks})", values)


def _fill_common(connection: sqlite3.Connection, catalog: Catalog) -> None:
    """What is not of one paper: the terms of filters, and ids that are no more."""
    terms = {
        name: [list(vocabulary.ids), dict(vocabulary.by_alias)] for name, vocabulary in catalog.vocabularies.items()
    }
    connection.execute("REPLACE INTO meta VALUES ('terms', ?)", (_json(terms),))
    connection.execute("DELETE FROM old")
    old = catalog.redirects
    connection.executemany("INSERT INTO old VALUES (?, 'moved', ?)", old.moved.items())
    connection.executemany("INSERT INTO old VALUES (?, 'removed', ?)", old.removed.items())


def _known_in(written: Searchable) -> set[str]:
    return written_in_one(line for text in written.texts for line in text.splitlines())


def _squeezed(written: Searchable) -> str:
    """The words of each line without spaces: what may hold a word that somebody writes in one."""
    return "\n".join(_without_spaces(line) for text in written.texts for line in text.splitlines())


@lru_cache(maxsize=1 << 14)  # terms come with every paper that has them
def _without_spaces(line: str) -> str:
    return "".join(words(line))


def _words_of(columns: Iterable[str]) -> set[str]:
    return {word for column in columns for word in column.split()}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
