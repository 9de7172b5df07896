"""RIS, which reference managers read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from catalog.base.names import name_parts
from catalog.model.paper import Paper
from catalog.outputs.export.citation import address, citable, doi, publication

_TYPES = {"article": "JOUR", "conference": "CPAPER", "preprint": "UNPB", "web": "BLOG"}


def render(papers: Iterable[Paper]) -> str:
    """A ``.ris`` file of all that may be cited."""
    return "\n".join(entry(paper) for paper in citable(papers))


def entry(paper: Paper) -> str:
    """One entry, with a final newline."""
    return "".join(f"{tag}  - {value}\n" for tag, value in _lines(paper))


def _lines(paper: Paper) -> Iterator[tuple[str, str]]:
    place = publication(paper)
    yield "TY", _TYPES[place.kind]
    yield "ID", paper.id
    yield "TI", paper.title
    for name in paper.authors:
        parts = name_parts(name)
        named = (f"{parts.particle} {parts.family}".strip(), parts.given, parts.suffix)
        yield "AU", ", ".join(part for part in named if part)
    yield "PY", str(place.year)
    if place.container:
        yield {"article": "JO", "conference": "T2", "web": "T2"}[place.kind], place.container
    if identifier := doi(paper):
        yield "DO", identifier
    if paper.links.arxiv:
        yield "AN", f"arXiv:{paper.links.arxiv}"
    if url := address(paper):
        yield "UR", url
    if paper.summary:
        yield "AB", paper.summary
    yield "ER", ""
