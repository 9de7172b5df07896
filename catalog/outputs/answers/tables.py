"""The tables of answers."""

from __future__ import annotations

VERSION = "1"
"""Of the tables' shape."""

COLUMNS = "method, title, authors, terms, ids, summary, joined"
"""Of the table ``search``: what :class:`catalog.outputs.searchable.Searchable` gives."""
WEIGHTS = (8.0, 10.0, 4.0, 3.0, 6.0, 1.0, 3.0)
"""Of these columns, for bm25."""

TABLES = (
    # What holds for all: which inputs it was made from, the terms of filters.
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # `digest` names what was made into a paper's rows; `shown`, `record` and `bibtex` are what commands print of it;
    # `written` is what search looks through as it is written (JSON), `squeezed` its words without spaces.
    "CREATE TABLE paper (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, date TEXT NOT NULL,"
    " called TEXT NOT NULL, title TEXT NOT NULL, shown TEXT NOT NULL, record TEXT NOT NULL, bibtex TEXT NOT NULL,"
    " written TEXT NOT NULL, squeezed TEXT NOT NULL)",
    "CREATE INDEX paper_newest_first ON paper (date DESC, id)",
    "CREATE INDEX paper_by_title ON paper (called)",
    "CREATE TABLE fact (name TEXT, term TEXT, paper INTEGER, PRIMARY KEY (name, term, paper)) WITHOUT ROWID",
    "CREATE TABLE handle (handle TEXT, paper INTEGER, PRIMARY KEY (handle, paper)) WITHOUT ROWID",
    "CREATE TABLE name (name TEXT, paper INTEGER, PRIMARY KEY (name, paper)) WITHOUT ROWID",
    "CREATE INDEX fact_by_paper ON fact (paper)",
    "CREATE INDEX handle_by_paper ON handle (paper)",
    "CREATE INDEX name_by_paper ON name (paper)",
    # Every word as it was written, with how many papers have it in the index; and how many write it in one.
    "CREATE TABLE word (word TEXT PRIMARY KEY, papers INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE known (word TEXT PRIMARY KEY, papers INTEGER NOT NULL) WITHOUT ROWID",
    f"CREATE VIRTUAL TABLE search USING fts5 ({COLUMNS}, tokenize = 'porter unicode61 remove_diacritics 2')",
    # Ids that are no more: where they went, or why they are gone.
    "CREATE TABLE old (id TEXT, kind TEXT, value TEXT NOT NULL, PRIMARY KEY (id, kind)) WITHOUT ROWID",
)
