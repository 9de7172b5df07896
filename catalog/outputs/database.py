"""The catalog as SQLite: one table per kind of thing, and full-text search.

The same records give the same bytes: rows are inserted in the catalog's order, and nothing depends on the clock.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

from catalog.model.catalog import Catalog
from catalog.model.facets import FACETS
from catalog.model.paper import Paper
from catalog.outputs.export.claims import claim_rows
from catalog.outputs.searchable import searchable

VERSION = 2
"""Of the tables' shape, as ``PRAGMA user_version``."""

_TABLES = """
CREATE TABLE paper (
  id TEXT PRIMARY KEY, position INTEGER NOT NULL, title TEXT NOT NULL, date TEXT NOT NULL, year INTEGER NOT NULL,
  venue TEXT, type TEXT NOT NULL, summary TEXT, arxiv TEXT, acl TEXT, openreview TEXT, doi TEXT, url TEXT, code TEXT,
  project TEXT, data TEXT, method TEXT, mechanism TEXT, state TEXT, state_date TEXT, state_note TEXT,
  superseded_by TEXT, source TEXT NOT NULL, checked TEXT NOT NULL, file TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE author (paper TEXT REFERENCES paper, position INTEGER, name TEXT NOT NULL, PRIMARY KEY (paper, position));
CREATE TABLE former_title (paper TEXT REFERENCES paper, position INTEGER, title TEXT NOT NULL,
  PRIMARY KEY (paper, position));
CREATE TABLE term (vocabulary TEXT, id TEXT, position INTEGER NOT NULL, label TEXT NOT NULL, definition TEXT NOT NULL,
  link TEXT, PRIMARY KEY (vocabulary, id));
CREATE TABLE paper_term (paper TEXT REFERENCES paper, vocabulary TEXT, position INTEGER, term TEXT NOT NULL,
  PRIMARY KEY (paper, vocabulary, position), FOREIGN KEY (vocabulary, term) REFERENCES term (vocabulary, id));
CREATE TABLE builds_on (paper TEXT REFERENCES paper, position INTEGER, method TEXT NOT NULL,
  PRIMARY KEY (paper, position));
CREATE TABLE implementation (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,
  summary TEXT NOT NULL, paper TEXT REFERENCES paper, family TEXT, acts_on TEXT, file TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE paper_implementation (paper TEXT REFERENCES paper, implementation TEXT REFERENCES implementation,
  relation TEXT NOT NULL, PRIMARY KEY (paper, implementation));
CREATE TABLE result (id INTEGER PRIMARY KEY, method TEXT NOT NULL, task TEXT REFERENCES implementation,
  model TEXT NOT NULL, seed INTEGER NOT NULL, hyperparameters TEXT NOT NULL, seconds REAL NOT NULL,
  peak_memory_bytes INTEGER NOT NULL, command TEXT NOT NULL, recipe TEXT NOT NULL, forget_share REAL NOT NULL,
  requests INTEGER NOT NULL, plain INTEGER NOT NULL);
CREATE TABLE measurement (result INTEGER REFERENCES result, kind TEXT, name TEXT, value REAL,
  PRIMARY KEY (result, kind, name));
CREATE TABLE claim (id TEXT PRIMARY KEY, position INTEGER NOT NULL, method TEXT REFERENCES implementation,
  claim TEXT NOT NULL, paper TEXT REFERENCES paper, place TEXT NOT NULL, verdict TEXT NOT NULL, why TEXT NOT NULL,
  held INTEGER NOT NULL, undecided INTEGER NOT NULL, comparisons INTEGER NOT NULL,
  elsewhere TEXT NOT NULL, commands TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX paper_term_by_term ON paper_term (vocabulary, term);
CREATE INDEX author_by_name ON author (name);
CREATE VIRTUAL TABLE search USING fts5 (
  id UNINDEXED, method, title, authors, terms, ids, summary, joined, tokenize = 'porter unicode61 remove_diacritics 2'
);
"""


def connect(catalog: Catalog) -> sqlite3.Connection:
    """A database in memory, filled."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(f"PRAGMA user_version = {VERSION}; {_TABLES}")
    with connection:
        for table, rows in _rows(catalog):
            width = len(connection.execute(f"SELECT * FROM {table} LIMIT 0").description)
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", rows)
        connection.execute("INSERT INTO search (search) VALUES ('optimize')")
    connection.execute("VACUUM")
    return connection


def serialize(catalog: Catalog) -> bytes:
    """The database as the bytes of a file."""
    connection = connect(catalog)
    try:
        return connection.serialize()
    finally:
        connection.close()


def _terms(paper: Paper) -> Iterator[tuple[str, str]]:
    return ((name, term) for name, facet in FACETS.items() for term in facet.terms(paper))


Row = tuple[str | int | float | None, ...]


def _rows(catalog: Catalog) -> Iterator[tuple[str, Iterable[Row]]]:
    papers = catalog.papers
    yield "paper", (_paper(position, paper) for position, paper in enumerate(papers))
    yield "author", ((paper.id, i, name) for paper in papers for i, name in enumerate(paper.authors))
    yield "former_title", ((paper.id, i, title) for paper in papers for i, title in enumerate(paper.former_titles))
    yield (
        "term",
        (
            (name, term.id, i, term.label, term.definition, term.link)
            for name, vocabulary in sorted(catalog.vocabularies.items())
            for i, term in enumerate(vocabulary.terms)
        ),
    )
    yield "paper_term", ((paper.id, name, i, term) for paper in papers for i, (name, term) in enumerate(_terms(paper)))
    yield (
        "builds_on",
        (
            (paper.id, i, method)
            for paper in papers
            if paper.method
            for i, method in enumerate(dict.fromkeys(paper.method.builds_on))
        ),
    )
    yield (
        "implementation",
        (
            (runs.id, runs.kind, runs.name, runs.title, runs.summary, runs.paper, runs.family, runs.acts_on, runs.file)
            for runs in catalog.implementations
        ),
    )
    yield (
        "paper_implementation",
        ((paper.id, link.id, link.relation) for paper in papers for link in paper.implementations),
    )
    yield from _results(catalog)
    yield (
        "claim",
        (
            (
                *(row.id, position, row.method, row.claim, row.paper, row.where, row.verdict, row.why),
                *(row.held, row.undecided, row.comparisons, row.elsewhere, "\n".join(row.commands)),
            )
            for position, row in enumerate(claim_rows(catalog))
        ),
    )
    yield "search", ((ident, *columns) for ident, columns in searchable(catalog))


def _paper(position: int, paper: Paper) -> Row:
    links, method, state = paper.links, paper.method, paper.state
    where = paper.appeared.label if paper.appeared else None
    return (
        *(paper.id, position, paper.title, paper.date, paper.year, where, paper.type, paper.summary),
        *(links.arxiv, links.acl, links.openreview, links.doi, links.url, links.code, links.project, links.data),
        *((method.name, method.mechanism) if method else (None, None)),
        *((state.kind, state.date, state.note, state.by) if state else (None, None, None, None)),
        *(paper.provenance.source, paper.provenance.checked, paper.file),
    )


def _results(catalog: Catalog) -> Iterator[tuple[str, Iterable[Row]]]:
    results = list(enumerate(catalog.results, start=1))
    yield (
        "result",
        (
            (
                *(number, result.method, result.task, result.model, result.seed),
                json.dumps(result.hyperparameters, ensure_ascii=False, sort_keys=True),
                *(result.seconds, result.peak_memory_bytes, result.command),
                json.dumps(result.recipe, ensure_ascii=False, sort_keys=True),
                *(result.forget_share, result.requests, int(result.plain)),
            )
            for number, result in results
        ),
    )
    yield (
        "measurement",
        (
            (number, kind, name, value)
            for number, result in results
            for kind, values in (("metric", result.metrics), ("attack", result.attacks))
            for name, value in sorted(values.items())
        ),
    )
