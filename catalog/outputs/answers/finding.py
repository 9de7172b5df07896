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

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import Any, Generic, TypeVar

from catalog.base.text import fold, nearest, same_title, words
from catalog.model.pasted import RECORD, Named, Pasted, read_pasted
from catalog.outputs.answers.filters import ALL, Filters
from catalog.outputs.answers.shown import Shown
from catalog.outputs.answers.tables import WEIGHTS
from catalog.outputs.spellings import MOST_JOINED, STOP_WORDS

P = TypeVar("P")

_MAX_WORDS = 24
_MAX_ENDINGS = 200
FEW = 5
"""Fewer papers with all words are followed by those with most of them."""
MOST = 0.5
"""Of what the words of a query say: what a paper must have to follow."""
GUESSED = 0.5
"""What a word that was taken for another counts beside one that was meant."""


@dataclass(frozen=True)
class Answer(Generic[P]):
    """What a search found."""

    papers: tuple[P, ...]
    """Best first."""
    partial: bool = False
    """No paper has all the words; these have some of them."""
    suggestion: str | None = None
    """The query that was answered, where nobody uses some of the words asked for."""
    others: tuple[P, ...] = ()
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
    exact: frozenset[int]
    """The rows of the papers that have it as it is."""
    holders: frozenset[int]
    """And of those that have words which begin so."""
    needed: bool = True
    guessed: bool = False


class Finder:
    """Asks the tables of answers."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __call__(self, query: str = "", filters: Filters = ALL) -> Answer[str]:
        """The ids of the papers that fit.

        Args:
            query: any text; nothing in it has a special meaning. Empty: all papers, newest first.
            filters: what the papers must have besides.
        """
        passing = self._passing(filters)
        if not query.strip():
            return Answer(self._ids(row for row in self._places if passing is None or row in passing))
        pasted = read_pasted(query)
        named, missing = self._named(pasted)
        if named or not pasted.rest:
            return Answer(self._ids(row for row in named if passing is None or row in passing), missing=missing)
        units = list(self._units(words(pasted.rest)[:_MAX_WORDS]))
        suggestion = " ".join(self._said(unit) for unit in units) if any(unit.guessed for unit in units) else None
        whole, others = map(self._ids, self._ranked(units, suggestion or pasted.rest, passing))
        if whole:
            return Answer(whole, suggestion=suggestion, others=others, missing=missing)
        return Answer(others, partial=bool(others), suggestion=suggestion, missing=missing)

    def shown(self, ids: Sequence[str]) -> list[Shown]:
        """What people are shown of papers."""
        return [Shown._make(json.loads(text)) for text in self._column("shown", ids)]

    def records(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Papers as programs get them."""
        return [json.loads(text) for text in self._column("record", ids)]

    def bibtex(self, ids: Sequence[str]) -> str:
        """The entries of those that may be cited."""
        return "\n".join(text for text in self._column("bibtex", ids) if text)

    def has(self, ident: str) -> bool:
        """Whether there is such a record."""
        return bool(self._database.execute("SELECT 1 FROM paper WHERE id = ?", (ident,)).fetchone())

    def ids(self) -> list[str]:
        """Of all records, sorted."""
        return [ident for (ident,) in self._database.execute("SELECT id FROM paper ORDER BY id")]

    def old(self, ident: str) -> dict[str, str]:
        """Where a record went that had this id (``moved``), or why there is none any more (``removed``)."""
        return dict(self._database.execute("SELECT kind, value FROM old WHERE id = ?", (ident,)).fetchall())

    def terms(self, name: str) -> tuple[list[str], dict[str, str]]:
        """The terms of a filter, and what else they are called."""
        ((stored,),) = self._database.execute("SELECT value FROM meta WHERE key = 'terms'")
        ids, by_alias = json.loads(stored)[name]
        return ids, by_alias

    def _column(self, column: str, ids: Sequence[str]) -> Iterator[str]:
        for ident in ids:
            ((text,),) = self._database.execute(f"SELECT {column} FROM paper WHERE id = ?", (ident,))
            yield text

    def _ids(self, rows: Iterable[int]) -> tuple[str, ...]:
        return tuple(self._places[row][1] for row in rows)

    @cached_property
    def _places(self) -> dict[int, tuple[int, str]]:
        """The place of each row in the catalog's order, and its paper's id."""
        rows = self._database.execute("SELECT row, id FROM paper ORDER BY date DESC, id")
        return {row: (place, ident) for place, (row, ident) in enumerate(rows)}

    def _passing(self, filters: Filters) -> set[int] | None:
        """The rows that pass; None where all do."""
        passing: set[int] | None = None
        for fact in filters.asked:
            rows = self._rows("SELECT paper FROM fact WHERE name = ? AND term = ?", *fact)
            passing = rows if passing is None else passing & rows
        return passing

    def _rows(self, query: str, *values: str) -> set[int]:
        return {row for (row,) in self._database.execute(query, values)}

    def _holding(self, handle: str) -> list[int]:
        """The rows of the papers that a handle means; a record that has moved is found by its old id, too."""
        rows = self._rows("SELECT paper FROM handle WHERE handle = ?", handle)
        key, _, ident = handle.partition(":")
        if not rows and key == RECORD and (new := self.old(ident).get("moved")):
            rows = self._rows("SELECT row FROM paper WHERE id = ?", new)
        return sorted(rows, key=lambda row: self._places[row])

    def _named(self, pasted: Pasted) -> tuple[list[int], tuple[Named, ...]]:
        """The rows of the papers that a query names, and what it names that no paper has."""
        papers: dict[int, None] = {}
        missing = []
        for meanings in pasted.named:
            rows = next((held for meaning in meanings if (held := self._holding(meaning.handle))), [])
            papers |= dict.fromkeys(rows)
            if not rows:
                missing.append(meanings[0])
        for named in pasted.loose:
            papers |= dict.fromkeys(self._holding(named.handle) if not papers else ())
        return list(papers), tuple(dict.fromkeys(missing))

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
                if self._knows("".join(asked[start:end])) and not any(start <= first < end for first in bound)
            ]
            begun = len(word) > (1 if place == len(asked) - 1 else 2)
            yield self._meaning(word, joined, begun, needed=bool(joined) or word not in STOP_WORDS)
            place += 1

    def _bound(self, asked: list[str]) -> dict[int, int]:
        """Where a number and the word beside it begin, and end, that are known as one: ``ICLR 2025``, ``GPT 4``."""
        ends: dict[int, int] = {}
        place = 0
        while place + 1 < len(asked):
            first, second = asked[place : place + 2]
            if first.isdecimal() != second.isdecimal() and self._knows(first + second):
                ends[place] = place + 2
                place += 1
            place += 1
        return ends

    def _meaning(self, word: str, joined: list[str], begun: bool, needed: bool) -> _Unit:
        """What a word is taken for: itself, else two words, else the word that is nearest to it."""
        unit = self._unit(word, [word, *joined], self._beginning(word) if begun else [], needed)
        if unit.holders:
            return unit
        for at in range(1, len(word)):
            apart = (word[:at], word[at:])
            if all(self._knows(part) for part in apart) and (_long(*apart) or _has_number(*apart)):
                two = self._unit(word, [" ".join(apart)])
                if two.holders:
                    return two
        instead = self._nearest(word) if needed and word.isalpha() else None
        return replace(self._unit(instead, [instead], needed=needed), guessed=True) if instead else unit

    def _unit(self, said: str, phrases: Iterable[str], endings: Iterable[str] = (), needed: bool = True) -> _Unit:
        """A unit: any of some phrases, or of some words that begin like it."""
        exactly = " OR ".join(f'"{phrase}"' for phrase in phrases)
        exact = self._holders(exactly)
        begun = " OR ".join(f'"{word}"' for word in endings)
        holders = exact | self._holders(begun) if begun else exact
        return _Unit(said, f"({exactly if exact or not begun else begun})", exact, holders, needed)

    def _holders(self, match: str) -> frozenset[int]:
        return frozenset(self._rows("SELECT rowid FROM search WHERE search MATCH ?", match))

    def _ranked(self, units: list[_Unit], query: str, passing: set[int] | None) -> tuple[list[int], list[int]]:
        """The papers that have all of a query, and those that have some or, where others have all, most of it."""
        needed = [unit for unit in units if unit.needed] or units
        worth = {unit: self._worth(unit) for unit in needed}
        whole_worth = sum(worth.values()) or 1.0
        # Who has none of it is never found.
        holding = {row for unit in needed for row in unit.holders if passing is None or row in passing}
        rows = sorted(holding, key=lambda row: self._places[row])

        def covered(row: int) -> float:
            return round(sum(points for unit, points in worth.items() if row in unit.holders) / whole_worth, 6)

        order = self._order(units)
        called, phrase = same_title(query), f" {' '.join(words(query))} "
        of_name = self._rows("SELECT paper FROM name WHERE name = ?", called)
        of_title = self._rows("SELECT row FROM paper WHERE called = ?", called)
        in_title = " " in phrase.strip()
        with_phrase = self._rows("SELECT row FROM paper WHERE instr(title, ?)", phrase) if in_title else set()

        def key(row: int) -> tuple[float, ...]:
            exactly = sum(points for unit, points in worth.items() if row in unit.exact)
            # A name that is the whole title counts for more than one that only begins it.
            named = (row in of_name) + (row in of_title)
            return (-named, -covered(row), -(row in with_phrase), -round(exactly, 6), order.get(row, len(order)))

        whole = [row for row in rows if all(row in unit.holders for unit in needed)]
        enough = len(whole) >= FEW or any(row in of_name for row in whole)
        least = 1.0 if enough else MOST if whole else 0.0
        held = set(whole)
        others = [row for row in rows if row not in held and covered(row) > least] if least < 1 else []
        return sorted(whole, key=key), sorted(others, key=key)

    def _order(self, units: list[_Unit]) -> dict[int, int]:
        """The places of papers by how much they say of the units."""
        if not units:
            return {}
        rows = self._database.execute(
            f"SELECT bm25(search, {', '.join(map(str, WEIGHTS))}), rowid FROM search WHERE search MATCH ?",
            (" OR ".join(unit.match for unit in units),),
        )
        ranked = sorted((rank, self._places[row], row) for rank, row in rows)
        return {row: place for place, (_, _, row) in enumerate(ranked)}

    def _worth(self, unit: _Unit) -> float:
        """How much a unit says: the rarer, the more."""
        count = len(unit.holders)
        rare = math.log(1 + (len(self._places) - count + 0.5) / (count + 0.5))
        return rare * GUESSED if unit.guessed else rare

    def _beginning(self, begun: str) -> list[str]:
        """Known words that begin so: the index itself holds stems, which a beginning may miss."""
        rows = self._database.execute(
            "SELECT word FROM word WHERE word >= ? ORDER BY word LIMIT ?", (begun, _MAX_ENDINGS)
        )
        return list(takewhile(lambda word: word.startswith(begun), (word for (word,) in rows)))

    def _knows(self, word: str) -> bool:
        """Whether somebody writes a word so."""
        return self._beginning(word)[:1] == [word]

    def _nearest(self, word: str) -> str | None:
        return nearest(word, (candidate for candidate in self._words if candidate.isalpha()), cutoff=0.75)

    def _said(self, unit: _Unit) -> str:
        """A unit as people write it, who asked for it in another way: its stem is enough for the index."""
        return unit.said if unit.guessed or self._beginning(unit.said) else self._nearest(unit.said) or unit.said

    @cached_property
    def _words(self) -> list[str]:
        """Every word of the index as it was written, sorted."""
        return [word for (word,) in self._database.execute("SELECT word FROM word ORDER BY word")]


def _long(*parts: str) -> bool:
    return all(len(part) > 3 for part in parts)


def _has_number(*parts: str) -> bool:
    return sum(part.isdecimal() for part in parts) == 1


def term_named(given: str, ids: Sequence[str], by_alias: dict[str, str]) -> str | None:
    """The id of the term that ``given`` names: an id, a label or an alias, in any case; None if there is none."""
    if given in ids:
        return given
    names = {" ".join(words(alias)): term for alias, term in by_alias.items()}
    names |= {" ".join(words(term)): term for term in ids}
    return names.get(" ".join(words(fold(given))))
