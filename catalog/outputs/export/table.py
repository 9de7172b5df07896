"""One row per paper, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from catalog.model.paper import Paper
from catalog.outputs.export.citation import address, doi

COLUMNS = (
    "id title authors date venue type also family targets settings modalities datasets method mechanism builds_on"
    " implementations summary address arxiv acl openreview doi code project data state file reported"
).split()

BYTE_ORDER_MARK = "\ufeff"


def render(papers: Iterable[Paper]) -> str:
    """A table with a header; lists are joined by ``; ``.

    It begins with a byte order mark: without one, Excel takes UTF-8 for another encoding, and shows ``MÃ¼ller``.
    """
    return BYTE_ORDER_MARK + line(COLUMNS) + "".join(map(row, papers))


def row(paper: Paper) -> str:
    """One paper's line, with its end."""
    cells = _cells(paper)
    return line([cells[column] for column in COLUMNS])


def line(cells: Sequence[str]) -> str:
    """A row of any table, with its end; nothing in it is a formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([_inert(cell) for cell in cells])
    return out.getvalue()


def _cells(paper: Paper) -> dict[str, str]:
    fields = {key: value for key, value in paper.model_dump().items() if isinstance(value, str)}
    lists = ("authors", "also", "family", "targets", "settings", "modalities", "datasets")
    cells = dict.fromkeys(COLUMNS, "") | fields
    cells |= {name: "; ".join(getattr(paper, name)) for name in lists}
    cells |= {key: value for key, value in paper.links.model_dump(exclude_none=True).items() if key in COLUMNS}
    if paper.method:
        cells |= {"method": paper.method.name or "", "mechanism": paper.method.mechanism or ""}
        cells["builds_on"] = "; ".join(paper.method.builds_on)
    cells["implementations"] = "; ".join(f"{link.id} ({link.relation})" for link in paper.implementations)
    cells["reported"] = "; ".join(
        f"{reported.benchmark} {reported.metric} {reported.value:.12g} ({reported.model}, {reported.source})"
        for reported in paper.reported
    )
    cells["address"], cells["doi"] = address(paper), doi(paper) or ""
    cells["venue"] = paper.appeared.label if paper.appeared else ""
    cells["state"] = paper.state.kind if paper.state else ""
    return cells


def _inert(cell: str) -> str:
    """Spreadsheets run what starts like a formula; a leading apostrophe makes it text."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell
