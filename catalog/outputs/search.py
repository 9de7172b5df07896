"""Find papers: ids and addresses as people paste them, words in any spelling, filters.

The rules, which the site's scripts follow, too (``site/assets/js/find.js``; ``tests/site/queries.py`` holds both to
them):

- What has the form of an id or an address means the papers that have it, and nothing else.
- Every other word must occur, as it is or as the beginning of a word; words that say nothing need not.
- Dashes and spaces within a word do not count. A number belongs to the word beside it where the two are known as one.
- Only for a word that nobody uses another is taken, and that is said.
- Where few papers have all words, those follow that have most of them, by how much they say.
- What is called exactly what was typed comes first, then what has it in its title.
"""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

from catalog.base.text import fold, nearest, same_title, words
from catalog.model.catalog import Catalog
from catalog.model.facets import terms_of
from catalog.model.marks import OWN, mark_of
from catalog.model.paper import Paper
from catalog.model.pasted import Named, Pasted, by_handle, read_pasted
from catalog.outputs.database import connect
from catalog.outputs.spellings import MOST_JOINED, STOP_WORDS
from catalog.outputs.titles import names_of

_WEIGHTS = (0.0, 8.0, 10.0, 4.0, 3.0, 6.0, 1.0, 3.0)
"""Of the columns of the table ``search``, for bm25: id, method, title, authors, terms, ids, summary, joined."""
_MAX_WORDS = 24
_MAX_ENDINGS = 200
FEW = 5
"""Fewer papers with all words are followed by those with most of them."""
MOST = 0.5
"""Of what the words of a query say: what a paper must have to follow."""
GUESSED = 0.5
"""What a word that was taken for another counts beside one that was meant."""


@dataclass(frozen=True)
class Filters:
    """What papers must have; None and False ask for nothing. Terms are ids of the vocabularies."""

    type: str | None = None
    """As primary or further contribution."""
    family: str | None = None
    target: str | None = None
    dataset: str | None = None
    venue: str | None = None
    year: int | None = None
    has_code: bool = False
    runnable: bool = False
    """The paper's own method, task or attack runs here."""

    def __call__(self, paper: Paper) -> bool:
        """Whether a paper passes."""
        asked = ((name, getattr(self, name)) for name in ("type", "family", "target", "dataset", "venue"))
        return (
            all(term is None or term in terms_of(paper, name) for name, term in asked)
            and (self.year is None or self.year == paper.year)
            and (not self.has_code or paper.links.code is not None)
            and (not self.runnable or mark_of(paper) is OWN)
        )


@dataclass(frozen=True)
class Answer:
    """What a search found."""

    papers: tuple[Paper, ...]
    """Best first."""
    partial: bool = False
    """No paper has all the words; these have some of them."""
    suggestion: str | None = None
    """The query that was answered, where nobody uses some of the words asked for."""
    others: tuple[Paper, ...] = ()
    """Where few papers have all the words, those that have most of them, best first."""
    missing: tuple[Named, ...] = ()
    """What the query names and the catalog does not have."""


@dataclass(frozen=True)
class _Unit:
    """A word of a query, or neighbouring ones that mean one thing."""

    said: str
    """As it was asked for, or what was taken instead."""
    match: str
    """In the language of FTS5, as it is or else as the beginning of words."""
    exact: frozenset[str]
    """The ids of the papers that have it as it is."""
    holders: frozenset[str]
    """And of those that have words which begin so."""
    needed: bool = True
    guessed: bool = False


class Search:
    """Search over one catalog. Building it takes milliseconds, asking it less."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._database: sqlite3.Connection = connect(catalog)

    def __call__(self, query: str = "", filters: Filters = Filters()) -> Answer:
        """The papers that fit.

        Args:
            query: any text; nothing in it has a special meaning. Empty: all papers, newest first.
            filters: what the papers must have besides.
        """
        if not query.strip():
            return Answer(tuple(paper for paper in self._catalog.papers if filters(paper)))
        pasted = read_pasted(query)
        named, missing = self._named(pasted)
        if named or not pasted.rest:
            return Answer(tuple(paper for paper in named if filters(paper)), missing=missing)
        units = list(self._units(words(pasted.rest)[:_MAX_WORDS]))
        suggestion = " ".join(self._said(unit) for unit in units) if any(unit.guessed for unit in units) else None
        whole, some = self._ranked(units, suggestion or pasted.rest, filters)
        if whole:
            return Answer(whole, suggestion=suggestion, others=some, missing=missing)
        return Answer(some, partial=bool(some), suggestion=suggestion, missing=missing)

    def _named(self, pasted: Pasted) -> tuple[list[Paper], tuple[Named, ...]]:
        """The papers that a query names, and what it names that no paper has."""
        found: dict[str, Paper] = {}
        missing = []
        for ones in pasted.named:
            papers = next((held for one in ones if (held := self._handles.get(one.handle))), ())
            found |= {paper.id: paper for paper in papers}
            if not papers:
                missing.append(ones[0])
        for one in pasted.loose:
            found |= {paper.id: paper for paper in self._handles.get(one.handle, ()) if not found}
        return list(found.values()), tuple(dict.fromkeys(missing))

    def _units(self, asked: list[str]) -> Iterator[_Unit]:
        """A query in units, in its order."""
        bound = self._bound(asked)
        place = 0
        while place < len(asked):
            if place in bound:
                yield self._unit(" ".join(asked[place : bound[place]]), ["".join(asked[place : bound[place]])])
                place = bound[place]
                continue
            word = asked[place]
            joined = [
                "".join(asked[start:end])
                for start in range(max(0, place - MOST_JOINED + 1), place + 1)
                for end in range(max(start + 2, place + 1), min(start + MOST_JOINED, len(asked)) + 1)
                if self._knows("".join(asked[start:end])) and not any(start <= one < end for one in bound)
            ]
            begun = len(word) > (1 if place == len(asked) - 1 else 2)
            yield self._meaning(word, joined, begun, needed=bool(joined) or word not in STOP_WORDS)
            place += 1

    def _bound(self, asked: list[str]) -> dict[int, int]:
        """Where a number and the word beside it begin, and end, that are known as one: ``ICLR 2025``, ``GPT 4``."""
        found: dict[int, int] = {}
        place = 0
        while place + 1 < len(asked):
            first, second = asked[place : place + 2]
            if first.isdecimal() != second.isdecimal() and self._knows(first + second):
                found[place] = place + 2
                place += 1
            place += 1
        return found

    def _meaning(self, word: str, joined: list[str], begun: bool, needed: bool) -> _Unit:
        """What a word is taken for: itself, else two words, else the word that is nearest to it."""
        unit = self._unit(word, [word, *joined], self._beginning(word) if begun else [], needed)
        if unit.holders:
            return unit
        for at in range(1, len(word)):
            apart = (word[:at], word[at:])
            if all(self._knows(one) for one in apart) and (_long(*apart) or _has_number(*apart)):
                two = self._unit(word, [" ".join(apart)])
                if two.holders:
                    return two
        instead = self._nearest(word) if word.isalpha() else None
        return replace(self._unit(instead, [instead], needed=needed), guessed=True) if instead else unit

    def _unit(self, said: str, phrases: Iterable[str], endings: Iterable[str] = (), needed: bool = True) -> _Unit:
        """A unit: any of some phrases, or of some words that begin like it."""
        exactly = " OR ".join(f'"{phrase}"' for phrase in phrases)
        exact = self._holders(exactly)
        begun = " OR ".join(f'"{word}"' for word in endings)
        holders = exact | self._holders(begun) if begun else exact
        return _Unit(said, f"({exactly if exact or not begun else begun})", exact, holders, needed)

    def _holders(self, match: str) -> frozenset[str]:
        rows = self._database.execute("SELECT id FROM search WHERE search MATCH ?", (match,))
        return frozenset(row[0] for row in rows)

    def _ranked(self, units: list[_Unit], query: str, filters: Filters) -> tuple[tuple[Paper, ...], tuple[Paper, ...]]:
        """The papers that have all of a query, and those that have some or, where others have all, most of it."""
        needed = [unit for unit in units if unit.needed] or units
        found = [paper for paper in self._catalog.papers if filters(paper)]
        worth = {unit: self._worth(unit) for unit in needed}
        whole_worth = sum(worth.values()) or 1.0

        def covered(paper: Paper) -> float:
            return round(sum(one for unit, one in worth.items() if paper.id in unit.holders) / whole_worth, 6)

        order = self._order(units)
        called, phrase = same_title(query), f" {' '.join(words(query))} "

        def key(paper: Paper) -> tuple[float, ...]:
            exactly = sum(one for unit, one in worth.items() if paper.id in unit.exact)
            # A name that is the whole title counts for more than one that only begins it.
            named = (called in self._names[paper.id]) + (called == same_title(paper.title))
            in_title = " " in phrase.strip() and phrase in self._titles[paper.id]
            return (-named, -covered(paper), -in_title, -round(exactly, 6), order.get(paper.id, len(order)))

        whole = [paper for paper in found if needed and all(paper.id in unit.holders for unit in needed)]
        enough = len(whole) >= FEW or any(called in self._names[paper.id] for paper in whole)
        least = 1.0 if enough else MOST if whole else 0.0
        held = {paper.id for paper in whole}
        some = [paper for paper in found if paper.id not in held and covered(paper) > least]
        return tuple(sorted(whole, key=key)), tuple(sorted(some, key=key))

    def _order(self, units: list[_Unit]) -> dict[str, int]:
        """The places of papers by how much they say of the units."""
        if not units:
            return {}
        weights = ", ".join(str(weight) for weight in _WEIGHTS)
        rows = self._database.execute(
            f"SELECT id FROM search WHERE search MATCH ? ORDER BY bm25(search, {weights}), rowid",
            (" OR ".join(unit.match for unit in units),),
        )
        return {row[0]: place for place, row in enumerate(rows)}

    def _worth(self, unit: _Unit) -> float:
        """How much a unit says: the rarer, the more."""
        count = len(unit.holders)
        rare = math.log(1 + (len(self._catalog.papers) - count + 0.5) / (count + 0.5))
        return rare * GUESSED if unit.guessed else rare

    def _beginning(self, begun: str) -> list[str]:
        """Known words that begin so: the index itself holds stems, which a beginning may miss."""
        first = bisect_left(self._words, begun)
        return list(takewhile(lambda word: word.startswith(begun), self._words[first : first + _MAX_ENDINGS]))

    def _knows(self, word: str) -> bool:
        """Whether somebody writes a word so."""
        return self._beginning(word)[:1] == [word]

    def _nearest(self, word: str) -> str | None:
        return nearest(word, (one for one in self._words if one.isalpha()), cutoff=0.75)

    def _said(self, unit: _Unit) -> str:
        """A unit as people write it, who asked for it in another way: its stem is enough for the index."""
        return unit.said if unit.guessed or self._beginning(unit.said) else self._nearest(unit.said) or unit.said

    @cached_property
    def _handles(self) -> dict[str, tuple[Paper, ...]]:
        return dict(by_handle(self._catalog))

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        """What each paper is called, folded to one word."""
        return {paper.id: names_of(self._catalog, paper) for paper in self._catalog.papers}

    @cached_property
    def _titles(self) -> dict[str, str]:
        """The folded words of each title, with spaces around."""
        return {paper.id: f" {' '.join(words(paper.title))} " for paper in self._catalog.papers}

    @cached_property
    def _words(self) -> tuple[str, ...]:
        """Every word of the index as it was written, sorted."""
        rows = self._database.execute("SELECT * FROM search")
        return tuple(sorted({word for row in rows for column in row[1:] for word in column.split()}))


def _long(*parts: str) -> bool:
    return all(len(part) > 3 for part in parts)


def _has_number(*parts: str) -> bool:
    return sum(part.isdecimal() for part in parts) == 1


def filter_terms(catalog: Catalog, name: str, given: str) -> str | None:
    """The id of the term that ``given`` names: an id, a label or an alias, in any case; None if there is none."""
    vocabulary = catalog.vocabularies[name]
    if given in vocabulary:
        return given
    names = {" ".join(words(alias)): term for alias, term in vocabulary.by_alias.items()}
    names |= {" ".join(words(term)): term for term in vocabulary.ids}
    return names.get(" ".join(words(fold(given))))
