"""Find papers: words in any spelling, filters, and a better query where nothing is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from catalog.base.text import fold, nearest, same_title, words
from catalog.model.catalog import Catalog
from catalog.model.facets import terms_of
from catalog.model.paper import Paper
from catalog.outputs.database import connect, searchable

_WEIGHTS = (0.0, 8.0, 10.0, 4.0, 3.0, 6.0, 1.0)
"""Of the columns of the table ``search``, for bm25: id, method, title, authors, terms, ids, summary."""
_MAX_WORDS = 32
_MAX_ENDINGS = 200


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
    """An implementation is linked, in whatever relation."""

    def __call__(self, paper: Paper) -> bool:
        """Whether a paper passes."""
        asked = ((name, getattr(self, name)) for name in ("type", "family", "target", "dataset", "venue"))
        return (
            all(term is None or term in terms_of(paper, name) for name, term in asked)
            and (self.year is None or self.year == paper.year)
            and (not self.has_code or paper.links.code is not None)
            and (not self.runnable or bool(paper.implementations))
        )


@dataclass(frozen=True)
class Answer:
    """What a search found."""

    papers: tuple[Paper, ...]
    """Best first."""
    partial: bool = False
    """No paper has all the words; these have some of them."""
    suggestion: str | None = None
    """A query close to the one asked, which finds more."""


class Search:
    """Search over one catalog. Building it takes milliseconds, asking it less."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._database: sqlite3.Connection = connect(catalog)

    def __call__(self, query: str = "", filters: Filters = Filters()) -> Answer:
        """The papers that fit.

        Args:
            query: any text. All its words must occur; the last may be the beginning of a word. Case, accents, quotes
                and dashes do not count, and nothing in it has a special meaning. Empty: all papers, newest first.
            filters: what the papers must have besides.
        """
        if not query.strip():
            return Answer(tuple(paper for paper in self._catalog.papers if filters(paper)))
        asked = words(query)[:_MAX_WORDS]
        found = self._find(asked, " AND ", filters)
        if found:
            return Answer(found)
        suggestion = self._suggest(asked)
        if suggestion and not self._find(suggestion, " AND ", filters):
            suggestion = None
        some = self._find(asked, " OR ", filters) if len(asked) > 1 else ()
        return Answer(some, partial=bool(some), suggestion=" ".join(suggestion) if suggestion else None)

    def _find(self, asked: list[str], connective: str, filters: Filters) -> tuple[Paper, ...]:
        if not asked:
            return ()
        terms = [*(f'"{word}"' for word in asked[:-1]), self._beginning(asked[-1])]
        weights = ", ".join(str(weight) for weight in _WEIGHTS)
        rows = self._database.execute(
            f"SELECT id FROM search WHERE search MATCH ? ORDER BY bm25(search, {weights}), rowid",
            (connective.join(terms),),
        )
        papers = (self._catalog.by_id[row[0]] for row in rows)
        found = [paper for paper in papers if filters(paper)]
        # Whoever types a whole title or the name of a method or benchmark wants that one, however common its words are.
        return tuple(sorted(found, key=lambda paper: "".join(asked) not in self._names[paper.id]))

    def _beginning(self, word: str) -> str:
        """The last word, as a word or the beginning of one.

        The index holds stems (``forget`` for ``forgetting``), which ``forgett*`` would miss, so words that begin
        like this are looked up by themselves, too.
        """
        endings = [known for known in self._words if known.startswith(word)][:_MAX_ENDINGS]
        return "(" + " OR ".join([f'"{word}"', f'"{word}" *', *(f'"{one}"' for one in endings)]) + ")"

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        """What each paper is called, folded to one word: titles and what is before their colon, method, benchmark."""
        return {paper.id: _names(self._catalog, paper) for paper in self._catalog.papers}

    @cached_property
    def _words(self) -> tuple[str, ...]:
        """Every word of the index as it was written, sorted."""
        texts = (text for paper in self._catalog.papers for text in searchable(self._catalog, paper))
        return tuple(sorted({word for text in texts for word in text.split()}))

    def _suggest(self, asked: list[str]) -> list[str] | None:
        better = list(self._better(asked))
        return better if better != asked else None

    def _better(self, asked: list[str]) -> Iterator[str]:
        for word in asked:
            if any(known.startswith(word) for known in self._words) or word.isdigit():
                yield word
            else:
                yield nearest(word, self._words, cutoff=0.75) or word


def _names(catalog: Catalog, paper: Paper) -> set[str]:
    titles = (paper.title, *paper.former_titles)
    names = [*titles, *(title.partition(": ")[0] for title in titles), (paper.method and paper.method.name) or ""]
    if "benchmark" in paper.contributions:
        title = f" {' '.join(words(paper.title))} "
        labels = (catalog.vocabularies["dataset"][one].label for one in paper.datasets)
        names += [label for label in labels if f" {' '.join(words(label))} " in title]
    return {same_title(name) for name in names}


def filter_terms(catalog: Catalog, name: str, given: str) -> str | None:
    """The id of the term that ``given`` names: an id, a label or an alias, in any case; None if there is none."""
    vocabulary = catalog.vocabularies[name]
    if given in vocabulary:
        return given
    names = {" ".join(words(alias)): term for alias, term in vocabulary.by_alias.items()}
    names |= {" ".join(words(term)): term for term in vocabulary.ids}
    return names.get(" ".join(words(fold(given))))
