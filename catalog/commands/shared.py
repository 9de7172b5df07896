"""What several commands have in common: options, the checkout, the network, and how they speak."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.base.terminal import UsageError, print_json, say

__all__ = ["UsageError", "print_json", "say"]

if TYPE_CHECKING:
    from catalog.base.project import Project
    from catalog.base.web import Web
    from catalog.model.catalog import Catalog
    from catalog.reading.kept import Kept


Root = Annotated[
    Path | None, typer.Option("--root", metavar="DIR", help="The checkout to work on; by default the one around here.")
]


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


BibTeX = Annotated[bool, typer.Option("--bibtex", help="Print BibTeX.")]


def find_project(root: Path | None) -> Project:
    """The checkout that ``--root`` names, or the one around here.

    Raises:
        NoProjectError: there is none.
    """
    from catalog.base.project import Project

    if root is not None and not root.is_dir():
        raise UsageError(f"--root {root} is not a folder.")
    return Project.find(root)


def load_or_stop(project: Project, kept: Kept | None = None) -> Catalog:
    """The catalog; with errors in it, they are printed and the command ends.

    Args:
        project: the checkout.
        kept: what earlier runs read of it, where the caller has looked already.
    """
    from catalog.parsing.problems import render
    from catalog.reading.kept import Kept
    from catalog.reading.load import load_catalog

    catalog, problems = load_catalog(project, kept=kept or Kept(project))
    if catalog is None:
        say(render(problem for problem in problems if problem.severity == "error"))
        raise typer.Exit(1)
    return catalog


def checked_path(project: Project, path: Path) -> Path:
    """A path that the user named, as an absolute one among the files that are checked."""
    place = path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()
    if not os.path.lexists(place):
        raise UsageError(f"{path} does not exist.")
    areas = (project.papers, project.reference_impls, project.vocabularies)
    if not any(place.is_relative_to(area) or area.is_relative_to(place) for area in areas):
        raise UsageError(f"{path} is not among the files that are checked: {', '.join(area.name for area in areas)}.")
    return place


def records_in(project: Project, paths: list[Path]) -> list[Path]:
    """The records among and below some paths."""
    inside = (project.papers if project.papers.is_relative_to(path) else path for path in paths)
    files = {file for path in inside for file in (path.rglob("*.yaml") if path.is_dir() else [path])}
    plain = (file for file in files if file.is_file() and not file.is_symlink())
    return sorted(record for record in plain if record.is_relative_to(project.papers))


def choice(what: str, given: str, known: tuple[str, ...]) -> str:
    """What was given, if it is one of what is known."""
    from catalog.base.text import did_you_mean

    if given not in known:
        hint = did_you_mean(given, known) or f"One of: {', '.join(known)}."
        raise UsageError(f"unknown {what} {given!r}. {hint}")
    return given


def web_client(project: Project, told: Callable[[str], None] | None = None, **settings: Any) -> Web:
    """The client for the network, with the checkout's cache; people hear of long waits, unless others are told."""
    from catalog.base.web import Settings, Web

    try:
        made = Settings.from_environment(**{"cache": project.root / ".cache" / "web", **settings})
    except ValueError as error:
        raise UsageError(str(error)) from None
    return Web(made, told=told or say)


def text_of(path: Path) -> str:
    """The text of a file that the user named; a sentence says what keeps it from being read."""
    from catalog.base.utf8 import EncodingError, read_text

    try:
        return read_text(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.") from None
    except EncodingError as error:
        raise UsageError(f"{path} {error}.") from None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Says in words what keeps a file, or something below a folder, from being written."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or path}: {error.strerror or error}.") from None
