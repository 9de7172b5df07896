"""Every field of every record, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from catalog.base.text import to_json
from catalog.model.paper import Paper


def render(papers: Iterable[Paper]) -> str:
    """A list of records."""
    return to_json([record(paper) for paper in papers])


def record(paper: Paper) -> dict[str, Any]:
    """One record: ``id`` and ``year`` first, then the fields of the file that are set, with the full addresses.

    ``appeared`` is the venue in words.
    """
    fields = paper.model_dump(mode="json", exclude_none=True)
    if paper.appeared:
        fields["appeared"] = paper.appeared.label
    fields["addresses"] = dict(paper.links.addresses)
    first = {"id": fields.pop("id"), "year": paper.year}
    return first | {key: value for key, value in fields.items() if value not in ([], {})}
