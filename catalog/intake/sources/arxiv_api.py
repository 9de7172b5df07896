"""arXiv's interface for programs: how it is asked, and what its silence and its refusals mean.

The ``arxiv`` package describes the queries. Its client is not used: asking is the one client's of this project, which
is polite to all hosts, keeps answers, and knows the tests' mirrors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from catalog.base.text import shorten
from catalog.base.web import Web, WebError
from catalog.intake.sources.arxiv_feed import Feed, Refusal, id_and_version, read
from catalog.intake.sources.silence import answered_again, until_answered
from catalog.model.registries import ARXIV

if TYPE_CHECKING:
    import arxiv

API = "https://export.arxiv.org/api/query"
TYPES = ("application/atom+xml", "application/xml", "text/xml")
BATCH = 100
"""Papers in one request."""
HALVINGS = 32
"""Lists that are halved at most, since arXiv refused them without a word about which id it means."""
_AWAY = frozenset(("unknown", "unreachable", "timeout", "tls", "private", "redirect", "type", 401, 403, 429, 503))
"""Failures (kinds, and statuses) that are not about what was asked: nobody is there, or wants to be left alone."""


def ask(web: Web, ids: Iterable[str]) -> dict[str, arxiv.Result | WebError]:
    """The entries of papers by the ids that were asked for, or why there is none.

    A :class:`WebError` of the kind ``refused`` says that arXiv has no such id; of the kind ``silent``, that arXiv did
    not mention it, although it was asked again, which says nothing about the paper. Any other is about the way there.
    What is wrong with one id does not touch the others.
    """
    wanted = list(dict.fromkeys(ids))
    impossible = {paper: _impossible(paper, fault) for paper in wanted if (fault := ARXIV.fault(paper))}
    possible = [paper for paper in wanted if paper not in impossible]
    said = impossible | until_answered(ARXIV, possible, lambda batch: _ask_once(web, batch))
    return {paper: said[paper] for paper in wanted}


def search(web: Web, query: str, limit: int) -> list[arxiv.Result]:
    """The entries of the newest papers that a query of arXiv's own language finds.

    Raises:
        WebError: arXiv cannot be reached, its answer cannot be used, or it keeps a part of it back.
    """
    import arxiv

    newest = arxiv.Search(
        query,
        max_results=limit,
        sort_by=arxiv.SortCriterion.SubmittedDate,
        sort_order=arxiv.SortOrder.Descending,
    )
    entries: dict[str, arxiv.Result] = {}
    start, total = 0, 1
    while start < min(limit, total):
        count = min(BATCH, limit - start)
        feed = _page(web, newest, start, count, total)
        if not feed.entries and (start or feed.total):
            message = f"arXiv gives only {start} of {max(total, feed.total)} papers this time"
            raise WebError("silent", API, message, "Run this again later.")
        entries |= {id_and_version(entry)[0]: entry for entry in feed.results}
        start, total = start + max(feed.entries, 1), max(total, feed.total)
    return list(entries.values())[:limit]


def _page(web: Web, query: arxiv.Search, start: int, count: int, total: int) -> Feed:
    """One page of a search that found so many papers, asked for again while it has fewer entries than it should."""

    def lacking(feed: Feed) -> int:
        return min(count, max(total, feed.total) - start) - feed.entries

    return answered_again(lambda: refuse_errors(_get(web, query, start, count, keep=False), API), lacking)


def _ask_once(web: Web, ids: list[str]) -> dict[str, arxiv.Result | WebError]:
    """What arXiv says about some ids; those that it passes over are absent.

    One request serves :data:`BATCH` ids. arXiv refuses a whole list for one id; then the others are asked for again:
    without the id that it names, or else by halves.
    """
    import arxiv

    lists = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)][::-1]
    said: dict[str, arxiv.Result | WebError] = {}
    halvings = 0
    while lists:
        batch = lists.pop()
        try:
            feed = _get(web, arxiv.Search(id_list=batch, max_results=len(batch)), 0, len(batch))
        except WebError as error:
            said |= dict.fromkeys(batch, error)
            if not _AWAY.isdisjoint((error.kind, error.status)):
                return said | {paper: error for rest in lists for paper in rest}
            continue
        answered = _refused(feed, batch) | _by_id(feed, batch)
        said |= answered
        left = [paper for paper in batch if paper not in answered]
        if not feed.refusals or not left:
            continue
        if answered:
            lists.append(left)
        elif len(left) == 1 or halvings >= HALVINGS:
            said |= {paper: _doubtful(paper, feed.refusals[0], alone=len(left) == 1) for paper in left}
        else:
            halvings += 1
            middle = len(left) // 2
            lists += [left[middle:], left[:middle]]
    return said


def _get(web: Web, query: arxiv.Search, start: int, count: int, *, keep: bool = True) -> Feed:
    """One page of what a query finds; an answer that lacks some of the ids asked for is not kept."""
    parameters = {
        "search_query": query.query,
        "id_list": ",".join(query.id_list),
        "sortBy": query.sort_by.value,
        "sortOrder": query.sort_order.value,
        "start": start,
        "max_results": count,
    }
    url = f"{API}?{urlencode({key: value for key, value in parameters.items() if value != ''})}"

    def check(body: bytes) -> bool:
        feed = read(body, url)
        return not feed.refusals and len(_by_id(feed, query.id_list)) == len(query.id_list)

    answer = web.get(url, accept=TYPES[0], types=TYPES, check=check, keep=keep, explained=(400,))
    if answer.status == 200:
        return read(answer.body, url)
    wordless = Feed(refusals=(Refusal(""),))
    try:
        feed = read(answer.body, url)
    except WebError:
        return wordless
    return feed if feed.refusals else wordless


def _by_id(feed: Feed, ids: Iterable[str]) -> dict[str, arxiv.Result]:
    """The entries of some papers, by the ids as they were asked for; the newest version where there are several."""
    entries = {ARXIV.comparable(id_and_version(entry)[0]): entry for entry in sorted(feed.results, key=id_and_version)}
    return {paper: entries[key] for paper in ids if (key := ARXIV.comparable(paper)) in entries}


def _refused(feed: Feed, ids: list[str]) -> dict[str, WebError]:
    """The ids about which arXiv says that they are wrong. Words that name several, as the whole list, name none."""
    named = ((refusal, [paper for paper in ids if refusal.names(paper)]) for refusal in feed.refusals)
    return {papers[0]: _wrong(papers[0], refusal) for refusal, papers in named if len(papers) == 1}


def _wrong(paper: str, refusal: Refusal) -> WebError:
    return WebError("refused", ARXIV.address(paper), _in_its_words(refusal), "Is the id right?")


def _impossible(paper: str, fault: str) -> WebError:
    return WebError("refused", ARXIV.address(paper), f"this cannot be an arXiv id: {fault}", "Is the id right?")


def _doubtful(paper: str, refusal: Refusal, *, alone: bool) -> WebError:
    """The error for an id that was refused unnamed: a fact only where it was alone, and ids are at issue."""
    if alone and re.search(r"\bid(?:s|entifiers?)?\b", refusal.words, re.IGNORECASE):
        return _wrong(paper, refusal)
    hint = "Is the id right? If so, run this again later."
    return WebError("content", ARXIV.address(paper), _in_its_words(refusal), hint)


def _in_its_words(refusal: Refusal) -> str:
    said = shorten(refusal.words, 200)
    return f"arXiv says: {said}" if said else "arXiv refuses it without a word (status 400)"


def refuse_errors(feed: Feed, where: str) -> Feed:
    """The feed itself.

    Raises:
        WebError: arXiv reports an error in it.
    """
    if feed.refusals:
        raise WebError("content", where, _in_its_words(feed.refusals[0]), "Is the question right?")
    return feed
