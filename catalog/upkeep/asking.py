"""What the sources say about records: each by the ids that a record names, and by title where it has no venue yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from catalog.base.web import Web, WebError
from catalog.intake.sources import Found, Reference, Sources, crossref, openreview
from catalog.intake.sources.arxiv import look_up as look_up_arxiv
from catalog.model.identity import Identity
from catalog.model.paper import Paper
from catalog.reading.entry import Entry


@dataclass(frozen=True)
class Told:
    """What the sources say about one record."""

    entry: Entry
    named: tuple[Found, ...]
    """By the ids that the record names."""
    published: tuple[Found, ...]
    """By its title: a publication of what it knows as a preprint."""
    failures: tuple[WebError, ...]

    @property
    def whole(self) -> bool:
        """Whether somebody was asked, and everybody answered."""
        return bool(self.named) and not self.failures


def ask(web: Web, entries: Iterable[Entry], thorough: bool = False) -> Iterator[Told]:
    """Ask the sources about records, one record after the other, arXiv about a hundred at a time.

    Args:
        web: the client.
        entries: the records; those that people keep by hand are left out.
        thorough: ask every source that a record names, also of papers on arXiv whose venue is known.
    """
    wanted = [entry for entry in entries if entry.paper.provenance.source != "hand"]
    preprints = look_up_arxiv(web, [paper for entry in wanted if (paper := entry.paper.links.arxiv)])
    for entry in wanted:
        named: list[Found] = []
        failures: list[WebError] = []
        for reference in _named(entry.paper, thorough):
            try:
                named.append(Sources(web).look_up(reference))
            except WebError as error:
                failures.append(error)
        if preprint := entry.paper.links.arxiv:
            answer = preprints[preprint]
            if isinstance(answer, WebError):
                failures.insert(0, answer)
            else:
                named.insert(0, answer)
        published: list[Found] = []
        if (
            preprint
            and entry.paper.venue is None
            and not any(description.venue for description in named)
            and not failures
        ):
            for search in _SEARCHES:
                try:
                    published += [hit for hit in search(web, entry.paper) if _is_publication(hit, entry.paper)]
                except WebError as error:
                    failures.append(error)
        yield Told(entry, tuple(named), tuple(published), tuple(failures))


def _named(paper: Paper, thorough: bool) -> list[Reference]:
    """The sources beside arXiv that a record names: those of published preprints say little new."""
    if paper.links.arxiv and paper.venue and not thorough:
        return []
    return [Reference(key, paper.links.ids[key]) for key in ("openreview", "acl", "doi") if key in paper.links.ids]


_SEARCHES: tuple[Callable[[Web, Paper], list[Found]], ...] = (
    lambda web, paper: openreview.by_title(web, paper.title),
    lambda web, paper: crossref.by_title(web, paper.title, paper.authors[0]),
)


def _is_publication(hit: Found, paper: Paper) -> bool:
    """Whether a find by title is the paper itself, at a venue."""
    identity = Identity.said(hit.title, hit.authors, hit.links)
    known = Identity.of(paper)
    return (
        hit.venue is not None
        and not hit.withdrawn
        and bool(identity.shared(known))
        and not identity.authors.isdisjoint(known.authors)
    )
