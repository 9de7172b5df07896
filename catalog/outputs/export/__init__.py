"""The catalog for other programs: reference managers, spreadsheets, scripts, databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from catalog.model.catalog import Catalog


@dataclass(frozen=True)
class Format:
    """One way to write the catalog down."""

    name: str
    file: str
    """The name of the file that ``catalog build`` writes."""
    meaning: str
    render: Callable[[Catalog], str | bytes]


def _bibtex(catalog: Catalog) -> str:
    from catalog.outputs.export import bibtex

    return bibtex.render(catalog.papers)


def _csl(catalog: Catalog) -> str:
    from catalog.outputs.export import csl

    return csl.render(catalog.papers)


def _ris(catalog: Catalog) -> str:
    from catalog.outputs.export import ris

    return ris.render(catalog.papers)


def _csv(catalog: Catalog) -> str:
    from catalog.outputs.export import table

    return table.render(catalog.papers)


def _json(catalog: Catalog) -> str:
    from catalog.outputs.export import records

    return records.render(catalog.papers)


def _sqlite(catalog: Catalog) -> bytes:
    from catalog.outputs.database import serialize

    return serialize(catalog)


# Each imports its module when it is used: LaTeX tables and SQLite need not be there for the others.
FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("bibtex", "papers.bib", "BibTeX, for LaTeX", _bibtex),
        Format("csl", "papers.csl.json", "CSL-JSON, for Zotero, Pandoc and citation processors", _csl),
        Format("ris", "papers.ris", "RIS, for EndNote, Mendeley and others", _ris),
        Format("csv", "papers.csv", "CSV, one row per paper, for spreadsheets (UTF-8 with a byte order mark)", _csv),
        Format("json", "papers.json", "JSON, every field of every record, for scripts", _json),
        Format("sqlite", "catalog.sqlite", "SQLite with full-text search", _sqlite),
    )
}
