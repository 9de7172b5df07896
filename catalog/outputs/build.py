"""Everything that is made from the records, but the site: the README, the database, the exports, the JSON Schema."""

from __future__ import annotations

import difflib
from pathlib import Path

from catalog.base.files import write_whole
from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.database import serialize
from catalog.outputs.export import FORMATS
from catalog.outputs.readme import render_readme
from catalog.reading import json_schema


def build(project: Project, catalog: Catalog) -> list[Path]:
    """Write all outputs, each file whole.

    Returns:
        The files, those that were up to date included.

    Raises:
        OSError: a file cannot be written.
        jinja2.TemplateError: the README's template is wrong.
    """
    made: dict[Path, str | bytes] = {
        **committed(project, catalog),
        project.build / "catalog.sqlite": serialize(catalog),
    }
    for form in FORMATS.values():
        if form.name != "sqlite":
            made[project.build / "exports" / form.file] = form.render(catalog)
    # Nothing is written before everything is made: an error leaves the outputs of one and the same build.
    for path, content in made.items():
        write_whole(path, content)
    return list(made)


def committed(project: Project, catalog: Catalog) -> dict[Path, str]:
    """What is made and committed, so that it is there without building: checked for drift."""
    return {
        project.readme: render_readme(project, catalog),
        project.root / json_schema.FILE: json_schema.render(catalog.vocabularies),
    }


def drift(project: Project, catalog: Catalog) -> dict[str, str]:
    """How committed files differ from what the records give: for each that does, its name and a short diff."""
    found: dict[str, str] = {}
    for path, wanted in committed(project, catalog).items():
        there = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if there != wanted:
            old, new = there.splitlines(), wanted.splitlines()
            lines = list(difflib.unified_diff(old, new, "committed", "from the records", lineterm="", n=1))
            more = f"\n... and {len(lines) - 30} more lines" if len(lines) > 30 else ""
            found[path.relative_to(project.root).as_posix()] = "\n".join(lines[:30]) + more
    return found
