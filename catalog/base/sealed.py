"""SQLite files that serve as a memory between runs: written whole, sealed, and worth nothing unless they are intact.

A writer fills a file beside the old one and moves it into place, so that readers, other writers and a process that is
killed never see a part. The *seal* is a time that stands in the file and is also that of its last change: whatever
changes, cuts or damages the file later breaks it. Such a file, one of another version, and one that cannot be read are
the same as none; and where none can be written, there is none.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from catalog.base.files import part_of, sweep

_SECOND = 10**9
_CHUNK = 2**20


def open_sealed(path: Path, version: str) -> sqlite3.Connection | None:
    """The database, to be read only; None where there is none that is intact and of this version."""
    connection = None
    try:
        state = os.stat(path)
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ((stored_version, sealed),) = connection.execute("SELECT version, sealed FROM seal").fetchall()
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
        if stored_version == version and sealed == state.st_mtime_ns and pages * size == state.st_size:
            return connection
    except (OSError, sqlite3.Error, ValueError):
        pass
    if connection is not None:
        connection.close()
    return None


def write_sealed(path: Path, version: str, fill: Callable[[sqlite3.Connection], None], *, goes_on: bool) -> bool:
    """Put a database in place of the one that is there, if any.

    Args:
        path: the file; folders are made as needed, and git ignores what is in one that is made.
        version: of what it holds.
        fill: is given the database, inside a transaction.
        goes_on: begin with a copy of what is there, which must be intact; else with nothing.

    Returns:
        Whether it could be written. Where it could not, all is as before.
    """
    part = part_of(path)
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whatever else git ignores there: what is kept is nobody's to commit.
            (path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        sweep(path.parent)
        if goes_on:
            with open(path, "rb") as old, open(part, "wb") as new:
                while chunk := old.read(_CHUNK):
                    new.write(chunk)
        # Whole even seconds are kept by every file system, and a change falls on one by chance only.
        sealed = int(time.time()) // 2 * 2 * _SECOND
        with closing(sqlite3.connect(part, isolation_level=None)) as connection:
            # The file is nobody else's yet, and a part that was not finished is thrown away.
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            fill(connection)
            connection.execute("CREATE TABLE IF NOT EXISTS seal (version TEXT NOT NULL, sealed INTEGER NOT NULL)")
            connection.execute("DELETE FROM seal")
            connection.execute("INSERT INTO seal VALUES (?, ?)", (version, sealed))
            connection.execute("COMMIT")
        os.utime(part, ns=(sealed, sealed))
        os.replace(part, path)
    except (OSError, sqlite3.Error):
        return False
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return True
