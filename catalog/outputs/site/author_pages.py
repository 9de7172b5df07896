"""The pages of authors: an index by letter that holds everybody, and a page for those with several papers."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from catalog.insight.authors import Author, author_id, authors
from catalog.model.catalog import Catalog
from catalog.outputs.site.page import Page

PAPERS_FOR_A_PAGE = 3
"""Who has written fewer is listed in the index with the papers themselves, where a page would say no more."""
MOST_CO_AUTHORS = 24
MOST_ACTIVE = 30
LETTERS = (*string.ascii_lowercase, "other")


class People:
    """All authors, and where each is found."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @cached_property
    def by_id(self) -> dict[str, Author]:
        """Authors by id, in the order of the index."""
        return authors(self._catalog)

    def address(self, name: str) -> str:
        """Where an author is found: the page, else the place in the index."""
        one = self.by_id[author_id(name)]
        return f"author/{one.id}.html" if self.has_page(one) else f"authors/{one.letter}.html#{one.id}"

    def has_page(self, one: Author) -> bool:
        """Whether there is enough to fill a page of its own."""
        return len(one.papers) >= PAPERS_FOR_A_PAGE

    def pages(self) -> Iterator[Page]:
        """The index, its letters, and the authors with a page."""
        everybody = tuple(self.by_id.values())
        by_letter: dict[str, list[Author]] = {letter: [] for letter in LETTERS}
        for one in everybody:
            by_letter[one.letter].append(one)
        letters = {letter: len(found) for letter, found in by_letter.items() if found}
        active = sorted((one for one in everybody if self.has_page(one)), key=lambda one: -len(one.papers))
        yield Page(
            "authors/index.md",
            "authors.html.j2",
            "Authors",
            f"All {len(everybody)} authors, by name.",
            {
                "letters": letters,
                "active": active[:MOST_ACTIVE],
                "people_needed": PAPERS_FOR_A_PAGE,
                "count": len(everybody),
            },
        )
        for letter in letters:
            yield Page(
                f"authors/{letter}.md",
                "letter.html.j2",
                f"Authors: {letter_label(letter)}",
                f"The authors whose family names begin with {letter_label(letter)}, with their papers.",
                {"letter": letter, "letters": letters, "listed": by_letter[letter], "people": self},
            )
        yield from (self._author(one) for one in everybody if self.has_page(one))

    def _author(self, one: Author) -> Page:
        families = Counter(family for paper in one.papers for family in paper.family)
        together = [(self.by_id[ident], count) for ident, count in one.co_authors]
        return Page(
            f"author/{one.id}.md",
            "author.html.j2",
            one.name,
            f"{len(one.papers)} papers on unlearning in language models by {one.name}.",
            {
                "person": one,
                "families": families.most_common(),
                "co_authors": together[:MOST_CO_AUTHORS],
                "more_co_authors": max(0, len(together) - MOST_CO_AUTHORS),
            },
        )


def letter_label(letter: str) -> str:
    """As people read it."""
    return letter.upper() if len(letter) == 1 else "other letters"
