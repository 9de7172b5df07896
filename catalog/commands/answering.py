"""Where commands get answers from: the tables that an earlier run filled, where nothing has changed since."""

from __future__ import annotations

import sqlite3

from catalog.base.project import Project
from catalog.base.sealed import open_sealed, write_sealed
from catalog.commands.shared import load_or_stop
from catalog.outputs.answers.finding import Finder
from catalog.outputs.answers.tables import VERSION
from catalog.reading.kept import FOLDER, Kept


def finder(project: Project) -> Finder:
    """Answers about the records as they are now; with errors in them, they are printed and the command ends."""
    kept = Kept(project)
    path = project.root / FOLDER / "answers.sqlite"
    stored = open_sealed(path, VERSION)
    if stored is not None and _made_from(stored) == (kept.key, kept.basis):
        return Finder(stored)
    goes_on = stored is not None and _made_from(stored)[1] == kept.basis
    if stored is not None:
        stored.close()
    from catalog.outputs.answers.filling import answers_of, fill

    catalog = load_or_stop(project, kept)
    made_from = (kept.key, kept.basis)
    if kept.unchanged():
        digests = {paper.id: kept.digest(paper.file) for paper in catalog.papers}

        def make(database: sqlite3.Connection) -> None:
            fill(database, catalog, digests)
            database.executemany("REPLACE INTO meta VALUES (?, ?)", zip(("key", "basis"), made_from, strict=True))

        write_sealed(path, VERSION, make, goes_on=goes_on)
        made = open_sealed(path, VERSION)
        if made is not None and _made_from(made) == made_from:
            return Finder(made)
    return Finder(answers_of(catalog))


def _made_from(database: sqlite3.Connection) -> tuple[str, str]:
    """The names of the inputs from which answers were made: all of them, and what a record by itself depends on."""
    try:
        meta = dict(database.execute("SELECT key, value FROM meta WHERE key IN ('key', 'basis')").fetchall())
    except sqlite3.Error:
        return "", ""
    return meta.get("key", ""), meta.get("basis", "")
