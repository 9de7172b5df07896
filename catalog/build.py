"""Everything that is made from the records, but the site: the README, the database and the exports."""

from __future__ import annotations

import difflib
from pathlib import Path

from catalog.catalog import Catalog
from catalog.database import serialize
from catalog.export import FORMATS
from catalog.files import write_whole
from catalog.project import Project
from catalog.readme import render_readme


def build(project: Project, catalog: Catalog) -> list[Path]:
    """Write all outputs, each file whole.

    Returns:
        The files, those that were up to date included.

    Raises:
        OSError: a file cannot be written.
        jinja2.TemplateError: the README's template is wrong.
    """
    made: dict[Path, str | bytes] = {
        project.readme: render_readme(project, catalog),
        project.build / "catalog.sqlite": serialize(catalog),
    }
    for form in FORMATS.values():
        if form.name != "sqlite":
            made[project.build / "exports" / form.file] = form.render(catalog)
    # Nothing is written before everything is made: an error leaves the outputs of one and the same build.
    for path, content in made.items():
        write_whole(path, content)
    return list(made)


def drift(project: Project, catalog: Catalog) -> str | None:
    """How the committed README differs from what the records give, as a short diff; None if it does not."""
    wanted = render_readme(project, catalog)
    found = project.readme.read_text(encoding="utf-8", errors="replace") if project.readme.is_file() else ""
    if found == wanted:
        return None
    lines = list(
        difflib.unified_diff(found.splitlines(), wanted.splitlines(), "committed", "from the records", lineterm="", n=1)
    )
    more = f"\n... and {len(lines) - 30} more lines" if len(lines) > 30 else ""
    return "\n".join(lines[:30]) + more
