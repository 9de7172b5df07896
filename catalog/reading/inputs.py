"""The files that the catalog is made from: all that must be as it was for what was made to be still right.

More is named than is read, whole folders rather than patterns, so that a reader that looks for another file is not
forgotten here.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from catalog.base.manifest import files_below
from catalog.base.project import PACKAGE, Project

File = tuple[str, str, os.stat_result]
"""Name, path and state. Names begin with the path from the checkout's root; those of code with ``CODE``."""

CODE = "code:"
PAPERS = "papers/"
VOCABULARIES = "catalog/vocabularies/"
RUNS = "reference_impls/"


def record_files(project: Project) -> Iterator[File]:
    """Everything in ``papers/``, records or not; links are not followed, so that nothing outside is read."""
    for name, path, state in _named(PAPERS, project.papers):
        if not name.endswith("/README.md"):
            yield name, path, state


def context_files(project: Project) -> Iterator[File]:
    """What records are read and checked by: the program, vocabularies, what runs and is measured, the site's data."""
    yield from _named(CODE, PACKAGE, ".py", links=True)
    yield from _named(VOCABULARIES, project.vocabularies, ".yaml", links=True)
    yield from _named(RUNS, project.reference_impls, ".py", ".yaml", ".json", links=True)
    for folder in (project.root / "catalog", project.site):
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            if file.is_file():
                yield f"{folder.name}/{file.name}", str(file), file.stat()


def is_basis(name: str) -> bool:
    """Whether what a record by itself amounts to depends on a file: the program, vocabularies, the code that runs."""
    return name.startswith((CODE, VOCABULARIES)) or (name.startswith(RUNS) and name.endswith(".py"))


def environment() -> str:
    """What else results depend on: Python, SQLite, and what is installed beside us (packages change their folder)."""
    spec = find_spec("pydantic")
    installed = Path(spec.origin).parents[1].stat().st_mtime_ns if spec and spec.origin else 0
    return f"{sys.version} {sqlite3.sqlite_version} {installed}"


def _named(prefix: str, folder: Path, *endings: str, links: bool = False) -> Iterator[File]:
    where = str(folder)
    begin = len(where) + 1
    for path, state in files_below(where, *endings, links=links):
        inside = path[begin:]
        yield prefix + (inside if os.sep == "/" else inside.replace(os.sep, "/")), path, state
