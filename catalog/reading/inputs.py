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


def record_files(project: Project) -> Iterator[File]:
    """Everything in ``papers/``, records or not; links are not followed, so that nothing outside is read."""
    for path, state in files_below(str(project.papers)):
        if os.path.basename(path) != "README.md":
            yield PAPERS + _inside(path, project.papers), path, state


def context_files(project: Project) -> Iterator[File]:
    """What records are read and checked by: the program, vocabularies, what runs and is measured, the site's data."""
    for path, state in files_below(str(PACKAGE), ".py", links=True):
        yield CODE + _inside(path, PACKAGE), path, state
    for path, state in files_below(str(project.vocabularies), links=True):
        yield f"catalog/vocabularies/{_inside(path, project.vocabularies)}", path, state
    for path, state in files_below(str(project.reference_impls), ".py", ".yaml", ".json", links=True):
        yield f"reference_impls/{_inside(path, project.reference_impls)}", path, state
    for folder in (project.root / "catalog", project.site):
        for path in sorted(folder.glob("*.yaml")):
            if path.is_file():
                yield f"{folder.name}/{path.name}", str(path), path.stat()


def is_basis(name: str) -> bool:
    """Whether what a record by itself amounts to depends on a file: the program, vocabularies, the code that runs."""
    return name.startswith((CODE, "catalog/vocabularies/")) or (
        name.startswith("reference_impls/") and name[-3:] == ".py"
    )


def environment() -> str:
    """What else results depend on: Python, SQLite, and what is installed beside us (packages change their folder)."""
    found = find_spec("pydantic")
    installed = Path(found.origin).parents[1].stat().st_mtime_ns if found and found.origin else 0
    return f"{sys.version} {sqlite3.sqlite_version} {installed}"


def _inside(path: str, folder: Path) -> str:
    return path[len(str(folder)) + 1 :].replace(os.sep, "/")
