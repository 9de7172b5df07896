"""The authors, and where each is found on the site."""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cached_property

from catalog.insight.authors import Author, author_id, authors
from catalog.model.catalog import Catalog
from catalog.outputs.site.page import numbered

PAPERS_FOR_A_PAGE = 3
"""Who has written fewer is listed in the index with the papers themselves, where a page would say no more."""
LETTERS = (*string.ascii_lowercase, "other")
PER_PAGE = 300


@dataclass(frozen=True)
class Letter:
    """The authors whose family names begin alike, and the addresses of the pages that list them."""

    id: str
    authors: tuple[Author, ...]

    @property
    def label(self) -> str:
        """The letter as people read it."""
        return self.id.upper() if len(self.id) == 1 else "other letters"

    @property
    def path(self) -> str:
        """The address of the first page."""
        return f"authors/{self.id}.html"

    @cached_property
    def pages(self) -> tuple[tuple[Author, ...], ...]:
        """The authors as pages show them."""
        starts = range(0, max(len(self.authors), 1), PER_PAGE)
        return tuple(self.authors[start : start + PER_PAGE] for start in starts)

    def page_path(self, number: int) -> str:
        """The address of one of its pages, from 1."""
        return numbered(self.path, number)


class People:
    """All authors, and where each is found."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._addresses: dict[str, str] = {}
        """By name: every list asks for the authors of every paper in it."""

    @cached_property
    def by_id(self) -> dict[str, Author]:
        """Authors by id, in the order of the index."""
        return authors(self._catalog)

    @cached_property
    def letters(self) -> tuple[Letter, ...]:
        """Authors by the first letter of the family name, where there are any."""
        by_letter: dict[str, list[Author]] = {letter: [] for letter in LETTERS}
        for author in self.by_id.values():
            by_letter[author.letter].append(author)
        return tuple(Letter(letter, tuple(listed)) for letter, listed in by_letter.items() if listed)

    @cached_property
    def _listed(self) -> dict[str, tuple[Letter, int]]:
        """By an author's id, the letter and the number of its page that lists the author."""
        return {
            author.id: (letter, number)
            for letter in self.letters
            for number, listed in enumerate(letter.pages, 1)
            for author in listed
        }

    def letter_of(self, author: Author) -> Letter:
        """The letter under which an author is listed."""
        return self._listed[author.id][0]

    def place(self, author: Author) -> str:
        """The page of the index that lists an author."""
        letter, number = self._listed[author.id]
        return letter.page_path(number)

    def address(self, name: str) -> str:
        """Where an author is found: the page, else the place in the index."""
        if name not in self._addresses:
            author = self.by_id[author_id(name)]
            alone = f"author/{author.id}.html"
            self._addresses[name] = alone if self.has_page(author) else f"{self.place(author)}#{author.id}"
        return self._addresses[name]

    def has_page(self, author: Author) -> bool:
        """Whether there is enough to fill a page of its own."""
        return len(author.papers) >= PAPERS_FOR_A_PAGE
