"""CSL-JSON, the format of citation processors (https://docs.citationstyles.org)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from catalog.base.names import name_parts
from catalog.base.text import to_json
from catalog.model.paper import Paper
from catalog.outputs.export.citation import address, citable, doi, publication

_TYPES = {"article": "article-journal", "conference": "paper-conference", "preprint": "article", "web": "post-weblog"}


def render(papers: Iterable[Paper]) -> str:
    """A list of all that may be cited."""
    return to_json([item(paper) for paper in citable(papers)])


def item(paper: Paper) -> dict[str, Any]:
    """One item."""
    place = publication(paper)
    issued = [place.year] if place.year != paper.year else [int(part) for part in paper.date.split("-")]
    facts = {
        "id": paper.id,
        "type": _TYPES[place.kind],
        "title": paper.title,
        "author": [_name(name) for name in paper.authors],
        "issued": {"date-parts": [issued]},
        "container-title": place.container,
        "publisher": "arXiv" if place.kind == "preprint" and paper.links.arxiv else "",
        "number": f"arXiv:{paper.links.arxiv}" if place.kind == "preprint" and paper.links.arxiv else "",
        "DOI": doi(paper),
        "URL": address(paper),
        "abstract": paper.summary,
        "language": "en",
    }
    return {key: value for key, value in facts.items() if value}


def _name(name: str) -> dict[str, str]:
    parts = name_parts(name)
    if not parts.given:
        return {"literal": parts.alone}
    fields = {
        "family": parts.family,
        "given": parts.given,
        "non-dropping-particle": parts.particle,
        "suffix": parts.suffix,
    }
    return {key: value for key, value in fields.items() if value}
