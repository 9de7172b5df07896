"""The sources, asked one after the other; what one of them does not tell is missing, and is said to be, but no more."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from catalog.base.web import Web, WebError
from catalog.intake.discovery.candidates import Candidate, Discovery
from catalog.intake.discovery.relevance import Relevance, relevance
from catalog.intake.discovery.rules import Rules
from catalog.intake.duplicates import duplicates
from catalog.intake.sources import Found, acl, arxiv, crossref, openreview
from catalog.model.identity import Identity
from catalog.model.paper import Paper
from catalog.model.registries import REGISTRIES
from catalog.model.vocabulary import Vocabulary

OVERLAP = 21
"""Days before the newest record that are looked at again: arXiv announces late, and people add out of order."""


@dataclass(frozen=True)
class Window:
    """Some days, and how many papers of each source are looked at, at most."""

    since: datetime.date
    until: datetime.date
    limit: int = 1000

    @property
    def years(self) -> range:
        """The years that hold these days."""
        return range(self.since.year, self.until.year + 1)


def start_of(papers: Iterable[Paper]) -> datetime.date:
    """The day from which to look: some weeks before the newest record."""
    newest = max((paper.date for paper in papers), default="2024-01")
    return datetime.date.fromisoformat(f"{newest}-01"[:10]) - datetime.timedelta(days=OVERLAP)


def discover(
    web: Web,
    rules: Rules,
    papers: Iterable[Paper],
    datasets: Vocabulary | None,
    window: Window,
    sources: Iterable[str] = (),
) -> Discovery:
    """Candidates of some days, best first; what the catalog holds, or somebody ruled out, is not among them.

    Args:
        web: the client.
        rules: what counts.
        papers: the records.
        datasets: the benchmarks that records introduce.
        window: the days, and how much is looked at.
        sources: keys of :data:`SOURCES`; all of them if none are named.
    """
    look = _Look(web, rules, datasets, window)
    for key in sources or SOURCES:
        SOURCES[key].ask(look, SOURCES[key].name)
    known = list(papers)
    candidates = [candidate for sighting in look.sightings if (candidate := _candidate(sighting, known))]
    best_first = sorted(candidates, key=lambda candidate: (-candidate.score, candidate.paper))
    return Discovery(tuple(best_first), look.looked_at, tuple(look.not_reached))


@dataclass(frozen=True)
class _Sighting:
    """One paper that the rules want, as one source or several tell of it."""

    found: Found
    said: Relevance
    sources: tuple[str, ...]
    identity: Identity


@dataclass
class _Look:
    """A look at all sources: what is asked, and what came of it."""

    web: Web
    rules: Rules
    datasets: Vocabulary | None
    window: Window
    sightings: list[_Sighting] = field(default_factory=list)
    looked_at: dict[str, int] = field(default_factory=dict)
    not_reached: list[str] = field(default_factory=list)

    def take(self, source: str, papers: Iterable[Found]) -> bool:
        """Remember the papers that are wanted; whether there is one among them."""
        page = list(papers)
        self.looked_at[source] = self.looked_at.get(source, 0) + len(page)
        any_wanted = False
        for paper in page:
            said = relevance(paper.title, paper.abstract, self.rules, self.datasets)
            if not said.wanted or paper.withdrawn or self.rules.ruled_out(paper.links):
                continue
            any_wanted = True
            self._see(paper, said, source)
        return any_wanted

    def _see(self, paper: Found, said: Relevance, source: str) -> None:
        """Remember a paper: anew, or with what was heard of it before, as the first source told it."""
        identity = Identity.said(paper.title, paper.authors, paper.links)
        for place, old in enumerate(self.sightings):
            if identity.shared(old.identity):
                whole = replace(old.found, links={**paper.links, **old.found.links})
                self.sightings[place] = _Sighting(
                    whole,
                    max(old.said, said, key=lambda verdict: verdict.score),
                    tuple(dict.fromkeys((*old.sources, source))),
                    Identity.said(whole.title, whole.authors, whole.links),
                )
                return
        self.sightings.append(_Sighting(paper, said, (source,), identity))

    def pages(self, source: str, what: str, pages: Iterator[list[Found]], ends: bool) -> None:
        """Take pages until they end, or until one holds nothing that is wanted where all that follow hold less."""
        try:
            for page in pages:
                if not self.take(source, page) and ends:
                    return
        except WebError as error:
            self.not_reached.append(f"{source}, {what}: {error}")


def _ask_arxiv(look: _Look, name: str) -> None:
    window = look.window
    days = f"submittedDate:[{window.since:%Y%m%d}0000 TO {window.until:%Y%m%d}2359]"
    for query in look.rules.arxiv_queries:
        try:
            papers = arxiv.search(look.web, f"({query}) AND {days}", window.limit)
        except WebError as error:
            look.not_reached.append(f"{name}: {error}")
            return
        look.take(name, papers)
        if len(papers) >= window.limit:
            # Each question sorts by date, so that what is lacking is the oldest.
            look.not_reached.append(f"{name}: only the newest {len(papers)} papers of these days were looked at.")


def _ask_anthology(look: _Look, name: str) -> None:
    unread = []
    for year in look.window.years:
        for volume in look.rules.volumes:
            try:
                look.take(name, acl.in_volume(look.web, f"{year}.{volume}", look.rules.may_forget))
            except WebError as error:
                unread.append(error)
                # Who does not answer at all need not be asked for every volume.
                if error.status is None or error.status == 429:
                    look.not_reached.append(f"{name}, from {year}.{volume} on: {error}")
                    return
    look.not_reached += [f"{name}: {error}" for error in unread]


def _ask_openreview(look: _Look, name: str) -> None:
    for phrase in look.rules.phrases:
        window = look.window
        pages = openreview.search(look.web, phrase, window.since, window.until, window.limit)
        look.pages(name, f"'{phrase}'", pages, ends=False)


def _ask_crossref(look: _Look, name: str) -> None:
    for phrase in look.rules.phrases:
        window = look.window
        pages = crossref.search(look.web, phrase, window.since, window.until, window.limit)
        look.pages(name, f"'{phrase}'", pages, ends=True)


@dataclass(frozen=True)
class _Source:
    name: str
    ask: Callable[[_Look, str], None]


SOURCES: Mapping[str, _Source] = {
    "arxiv": _Source("arXiv", _ask_arxiv),
    "acl": _Source("ACL Anthology", _ask_anthology),
    "openreview": _Source("OpenReview", _ask_openreview),
    "crossref": _Source("Crossref", _ask_crossref),
}
"""Who is asked, in this order: what several tell of is shown as the first tells it."""


def _candidate(sighting: _Sighting, known: list[Paper]) -> Candidate | None:
    """The candidate that a sighting makes; None where a record is of the same paper."""
    paper, said = sighting.found, sighting.said
    key = next((key for key in REGISTRIES if paper.links.get(key)), None)
    same = duplicates(paper.title, paper.authors, paper.links, known)
    if key is None or any(duplicate.certain for duplicate in same):
        return None
    ident = paper.links[key]
    return Candidate(
        paper=ident if key == "arxiv" else REGISTRIES[key].address(ident),
        title=paper.title,
        authors=paper.authors,
        date=paper.date,
        sources=sighting.sources,
        links=paper.links,
        score=said.score,
        likely=said.likely,
        reasons=said.reasons,
        similar=f"{same[0].paper.file} {same[0].reason}" if same else "",
    )
