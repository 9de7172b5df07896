"""The pages of authors: an index by letter that holds everybody, and a page for those with several papers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from catalog.insight.authors import Author
from catalog.outputs.site.author_addresses import PAPERS_FOR_A_PAGE
from catalog.outputs.site.page import Page, pages
from catalog.outputs.site.site import Site

MOST_CO_AUTHORS = 24
MOST_ACTIVE = 30


@pages
def index(site: Site) -> Iterator[Page]:
    """The way in: letters, and who has written most."""
    everybody = site.people.by_id.values()
    with_a_page = [author for author in everybody if site.people.has_page(author)]
    context = {
        "letters": site.people.letters,
        "active": sorted(with_a_page, key=lambda author: -len(author.papers))[:MOST_ACTIVE],
        "people_needed": PAPERS_FOR_A_PAGE,
        "count": len(everybody),
    }
    yield Page("authors/index.md", "authors.html.j2", "Authors", f"All {len(everybody)} authors, by name.", context)


@pages
def letters(site: Site) -> Iterator[Page]:
    """Everybody, by the first letter of the family name, some hundreds at a time."""
    for letter in site.people.letters:
        for number, listed in enumerate(letter.pages, 1):
            title = f"Authors: {letter.label}"
            yield Page(
                f"{letter.page_path(number).removesuffix('.html')}.md",
                "letter.html.j2",
                title if number == 1 else f"{title}, page {number}",
                f"The authors whose family names begin with {letter.label}, with their papers.",
                {"letter": letter, "number": number, "listed": listed, "people": site.people},
            )


@pages
def authors(site: Site) -> Iterator[Page]:
    """Those with several papers."""
    return (_author(site, author) for author in site.people.by_id.values() if site.people.has_page(author))


def _author(site: Site, author: Author) -> Page:
    families = Counter(family for paper in author.papers for family in paper.family)
    together = [(site.people.by_id[ident], count) for ident, count in author.co_authors]
    return Page(
        f"author/{author.id}.md",
        "author.html.j2",
        author.name,
        f"{len(author.papers)} papers on unlearning in language models by {author.name}.",
        {
            "person": author,
            "letter": site.people.letter_of(author),
            "place": site.people.place(author),
            "positions": sorted(site.position[paper.id] for paper in author.papers),
            "families": families.most_common(),
            "co_authors": together[:MOST_CO_AUTHORS],
            "more_co_authors": max(0, len(together) - MOST_CO_AUTHORS),
        },
    )
