"""One page of the site to be, and the list of all that make some.

A page declares itself where it is made: a function of a module in ``pages/`` with :func:`page` or :func:`pages` above
it. That, a template in ``templates/site/`` and, where people are to find it in the navigation, a line in ``nav`` of
``site/mkdocs.yml`` is all there is to a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.outputs.wording import byline, published

if TYPE_CHECKING:
    from catalog.outputs.site.site import Site


@dataclass(frozen=True)
class Page:
    """One page to be: its address below the site, its template and what the template sees."""

    path: str
    """The file that MkDocs reads: ``papers/zhang2024negative.md``."""
    template: str
    """``x.html.j2`` makes HTML, ``x.md.j2`` Markdown."""
    title: str
    description: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    """Front matter beside title and description."""

    @property
    def caption(self) -> str:
        """A line below the title in the page's picture: a paper's authors and venue, else what the page is."""
        paper = self.context.get("paper")
        return f"{byline(paper.authors, 3)} · {published(paper)}" if paper else self.description

    @property
    def is_html(self) -> bool:
        """Whether the template makes HTML, which Markdown has nothing to do with."""
        return self.template.endswith(".html.j2")


def numbered(address: str, number: int) -> str:
    """The address of one of several pages that share a list, from 1. What names a page has no dot.

    >>> numbered("venue/acl.html", 2)
    'venue/acl.2.html'
    """
    return address if number == 1 else f"{address.removesuffix('.html')}.{number}.html"


Maker = Callable[["Site"], Iterable[Page]]
_MAKERS: list[Maker] = []
_Single = Callable[["Site", str], "Page | None"]
_BY_PATH: dict[str, Callable[[Site], Page]] = {}
_BY_FOLDER: dict[str, _Single] = {}


def pages(maker: Maker) -> Maker:
    """Have a function's pages made: ``@pages`` above ``def methods(site: Site) -> Iterator[Page]``."""
    _MAKERS.append(maker)
    return maker


def page(
    path: str, template: str, title: str, description: str, meta: dict[str, Any] | None = None
) -> Callable[[Callable[[Site], dict[str, Any]]], Callable[[Site], Page]]:
    """Have one page made, of which a function says what its template sees: ``@page(...)`` above it.

    Args:
        path: as in :class:`Page`, and so the others.
        template: its file in ``templates/site/``.
        title: of the page.
        description: a sentence for search engines.
        meta: front matter beside title and description.
    """

    def declare(context: Callable[[Site], dict[str, Any]]) -> Callable[[Site], Page]:
        def make(site: Site) -> Page:
            return Page(path, template, title, description, context(site), meta or {})

        _MAKERS.append(lambda site: (make(site),))
        _BY_PATH[path] = make
        return make

    return declare


def one_by_one(folder: str) -> Callable[[_Single], _Single]:
    """Have single pages of a folder made by what their address names: ``@one_by_one("papers")``.

    The function gives None where nothing has that name. All of them are made by :func:`pages` all the same.
    """

    def register(maker: _Single) -> _Single:
        _BY_FOLDER[folder] = maker
        return maker

    return register


def alone(site: Site, path: str) -> Page | None:
    """The page with this path, and no other; None for one that is only made together with others."""
    if path in _BY_PATH:
        return _BY_PATH[path](site)
    folder, _, name = path.rpartition("/")
    maker = _BY_FOLDER.get(folder)
    return maker(site, name.removesuffix(".md")) if maker else None


def made(site: Site) -> Iterator[Page]:
    """Every page that is declared, in the order of declaration."""
    for maker in _MAKERS:
        yield from maker(site)
