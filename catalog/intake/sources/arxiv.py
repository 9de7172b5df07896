"""arXiv: what its interface for programs says about papers, as the facts of a record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from catalog.base.web import Web, WebError
from catalog.intake.sources import arxiv_api
from catalog.intake.sources.arxiv_feed import id_and_version, read
from catalog.intake.sources.cleaning import artefacts, plain
from catalog.intake.sources.comments import venue_in_comment, withdrawal
from catalog.intake.sources.found import Found
from catalog.intake.sources.venues import recognize
from catalog.model.registries import ARXIV, DOI

if TYPE_CHECKING:
    import arxiv

FIRST = 1991
"""arXiv's first year; what is said to be older, or has no date that can be read, has none."""


def look_up(web: Web, ids: Iterable[str]) -> dict[str, Found | WebError]:
    """What arXiv says about papers: for each id the paper, or why there is none; see :func:`arxiv_api.ask`."""
    return {paper: _described(answer) for paper, answer in arxiv_api.ask(web, ids).items()}


def search(web: Web, query: str, limit: int) -> list[Found]:
    """The newest papers that a query of arXiv's own language finds.

    Raises:
        WebError: arXiv cannot be reached, its answer cannot be used, or it keeps a part of it back.
    """
    return _papers(arxiv_api.search(web, query, limit))


def parse(body: bytes, where: str = arxiv_api.API) -> list[Found]:
    """The papers of a saved answer.

    Raises:
        WebError: it is no answer of arXiv's.
    """
    return _papers(arxiv_api.refuse_errors(read(body, where), where).results)


def _papers(results: Iterable[arxiv.Result]) -> list[Found]:
    return [paper for result in results if isinstance(paper := _described(result), Found)]


def _described(answer: arxiv.Result | WebError) -> Found | WebError:
    """What an entry says, or why that makes no paper."""
    if isinstance(answer, WebError):
        return answer
    paper, version = id_and_version(answer)
    title, abstract = plain(answer.title), plain(answer.summary)
    authors = tuple(name for author in answer.authors if len(name := plain(author.name)) >= 2)
    if not title or not authors:
        missing = "author" if title else "title"
        return WebError("content", ARXIV.address(paper), f"arXiv names no {missing}", "Look it up, and add it by hand.")
    comment, journal = plain(answer.comment), plain(answer.journal_ref)
    links = {"arxiv": paper, **artefacts(f"{answer.comment} {answer.summary}")}
    if answer.doi and re.fullmatch(DOI.pattern, answer.doi):
        links["doi"] = answer.doi
    return Found(
        source="arxiv",
        title=title,
        authors=authors,
        date=f"{answer.published:%Y-%m}" if answer.published.year >= FIRST else "",
        links=links,
        venue=recognize(journal) or venue_in_comment(comment),
        abstract=abstract,
        version=version or None,
        updated=f"{answer.updated:%Y-%m-%d}" if answer.updated.year >= FIRST else "",
        withdrawn=withdrawal(comment, abstract),
    )
