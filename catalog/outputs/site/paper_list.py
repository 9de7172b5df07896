"""What the paper list shows, filters, sorts and exports in the browser, in files that are loaded when they are needed.

::

    search/facets.js      what every paper has of each facet: filtering and counting need no more
    search/papers-<n>.js  a paper as it stands in the list
    search/shelf-<n>.js   many such papers, loaded ahead in idle time
    search/titles.js      the papers by title, for sorting
    search/bibtex-<n>.js  entries for export, and likewise ris, csv and json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from textwrap import indent

from catalog.base.text import to_json, words
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.model.selection import FILTERS, values
from catalog.outputs.export import records, ris, table
from catalog.outputs.export.citation import citable
from catalog.outputs.site.packing import digits, script, width

__all__ = ["list_files", "values"]

BLOCK = 1
"""Papers of the list in one file: those that fit lie all over, and every other one in a file is loaded for nothing."""
SHELF = 64
"""Papers in one file that is loaded ahead, when nobody waits for it: few files, none so large that it would be felt."""
EXPORTED = 64
"""Papers in one file for export."""


def list_files(catalog: Catalog, item: Callable[[Paper], str], bibtex: Callable[[Paper], str | None]) -> dict[str, str]:
    """Name and text of every file. What is joined of them for export is what ``catalog export`` writes of the papers.

    Args:
        catalog: whose papers are listed.
        item: a paper as it stands in the list, as HTML.
        bibtex: its entry, if it may be cited.
    """
    papers = catalog.papers
    files = {"facets.js": _facets(papers), "titles.js": _titles(papers)}
    items = [item(paper) for paper in papers]
    for kind, size in (("papers", BLOCK), ("shelf", SHELF)):
        for number, start in enumerate(range(0, len(items), size)):
            name = f"{kind}-{number}"
            files[f"{name}.js"] = script(name, items[start : start + size])
    for number, start in enumerate(range(0, len(papers), EXPORTED)):
        for kind, entry in (("bibtex", bibtex), ("ris", _ris), ("csv", table.row), ("json", _json)):
            name = f"{kind}-{number}"
            files[f"{name}.js"] = script(name, [entry(paper) for paper in papers[start : start + EXPORTED]])
    return files


def _ris(paper: Paper) -> str | None:
    return ris.entry(paper) if citable([paper]) else None


def _json(paper: Paper) -> str:
    """A record as it stands in a list of them."""
    return indent(to_json(records.record(paper)).rstrip("\n"), "  ")


def _facets(papers: Sequence[Paper]) -> str:
    return script(
        "facets",
        {
            "block": BLOCK,
            "shelf": SHELF,
            "exported": EXPORTED,
            "papers": len(papers),
            "csv": table.render(()),
            "columns": {facet: _column([values(paper, facet) for paper in papers]) for facet in FILTERS},
        },
    )


def _column(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """The sets of values that occur, and for each paper which of them it has."""
    often = Counter(cells)
    sets = sorted(often, key=lambda cell: (-often[cell], cell))
    place = {cell: number for number, cell in enumerate(sets)}
    return [",".join(" ".join(cell) for cell in sets), digits((place[cell] for cell in cells), width(len(sets)))]


def _titles(papers: Sequence[Paper]) -> str:
    order = sorted(range(len(papers)), key=lambda number: (words(papers[number].title), number))
    return script("titles", digits(order, width(len(papers))))
