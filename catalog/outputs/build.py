"""Everything that is made from the records, but the site: README and lists, database, exports, JSON Schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from catalog.base.files import sweep, write_whole
from catalog.base.garbage import without_gc
from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.database import serialize
from catalog.outputs.export import FORMATS
from catalog.outputs.readme import documents
from catalog.outputs.readme.drift import GENERATED, Comparison, Drift, compare_pages, difference, pages_there
from catalog.reading import json_schema


def build(project: Project, catalog: Catalog) -> list[Path]:
    """Write all outputs, each file whole, and delete lists that are made no more.

    Returns:
        The files, those that were up to date included.

    Raises:
        OSError: a file cannot be written.
        jinja2.TemplateError: the template of a page is wrong.
    """
    with without_gc():
        made = _made(project, catalog)
    # Nothing is written before everything is made: an error leaves the outputs of one and the same build.
    for folder in {path.parent for path in made}:
        sweep(folder)
    for path, content in made.items():
        write_whole(path, content)
    for name, text in pages_there(project).items():
        if project.root / name not in made and text.startswith(GENERATED):
            (project.root / name).unlink()
    return list(made)


def _made(project: Project, catalog: Catalog) -> dict[Path, str | bytes]:
    made: dict[Path, str | bytes] = {
        **committed(project, catalog),
        project.build / "catalog.sqlite": serialize(catalog),
    }
    for form in FORMATS.values():
        if form.name != "sqlite":
            made[project.build / "exports" / form.file] = form.render(catalog)
    return made


def committed(project: Project, catalog: Catalog) -> dict[Path, str]:
    """What is made and committed, so that it is there without building: checked for drift."""
    pages = {project.root / page.path: page.text for page in documents(project, catalog)}
    return pages | {project.root / json_schema.FILE: json_schema.render(catalog.vocabularies)}


def compare(project: Project, catalog: Catalog, *, strict: bool = False) -> Comparison:
    """How committed files differ from what the records give.

    Args:
        project: the checkout.
        catalog: what its records give.
        strict: take papers' own lines, which may be behind until CI writes them, for drift as well.
    """
    if strict:
        return Comparison(drift=tuple(_differing(project, committed(project, catalog))))
    pages = compare_pages(project, catalog)
    schema = {project.root / json_schema.FILE: json_schema.render(catalog.vocabularies)}
    return replace(pages, drift=(*pages.drift, *_differing(project, schema)))


def _differing(project: Project, wanted: dict[Path, str]) -> list[Drift]:
    """The files that are not, letter for letter, what is wanted."""
    drifts = []
    for path, text in wanted.items():
        file = path.relative_to(project.root).as_posix()
        present = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
        if present is None:
            drifts.append(Drift(file, 0, "is missing."))
        elif present != text:
            drifts.append(difference(file, present, text))
    return drifts
