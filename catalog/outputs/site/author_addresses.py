"""The authors, and where each is found on the site."""

from __future__ import annotations

import string
from functools import cached_property

from catalog.insight.authors import Author, author_id, authors
from catalog.model.catalog import Catalog

PAPERS_FOR_A_PAGE = 3
"""Who has written fewer is listed in the index with the papers themselves, where a page would say no more."""
LETTERS = (*string.ascii_lowercase, "other")


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
    def by_letter(self) -> dict[str, list[Author]]:
        """Authors by the first letter of the family name."""
        by_letter: dict[str, list[Author]] = {letter: [] for letter in LETTERS}
        for author in self.by_id.values():
            by_letter[author.letter].append(author)
        return by_letter

    def address(self, name: str) -> str:
        """Where an author is found: the page, else the place in the index."""
        if name not in self._addresses:
            author = self.by_id[author_id(name)]
            place = f"author/{author.id}.html" if self.has_page(author) else f"authors/{author.letter}.html#{author.id}"
            self._addresses[name] = place
        return self._addresses[name]

    def has_page(self, author: Author) -> bool:
        """Whether there is enough to fill a page of its own."""
        return len(author.papers) >= PAPERS_FOR_A_PAGE


def letter_label(letter: str) -> str:
    """As people read it."""
    return letter.upper() if len(letter) == 1 else "other letters"
