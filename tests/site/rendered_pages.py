"""Pages as the generator makes them, before MkDocs has its turn."""

from __future__ import annotations

from collections import deque
from typing import Any

from mkdocs.utils.meta import get_data

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.site.page import Page
from catalog.outputs.site.pages import all_pages
from catalog.outputs.site.renderer import Renderer
from catalog.outputs.site.settings import Settings
from catalog.outputs.site.site import Site


class _Rendered:
    """The pages of a site, of which no more are made than it takes to come to those that are asked for."""

    def __init__(self, project: Project, site: Site) -> None:
        self._renderer = Renderer(site, project.templates / "site")
        self._made: dict[str, Page] = {}
        self._coming = all_pages(site)

    def text(self, path: str) -> str:
        while path not in self._made:
            page = next(self._coming)
            self._made[page.path] = page
        return self._renderer.page(self._made[path])


_SITES: deque[tuple[Catalog, dict[str, Any], Site]] = deque(maxlen=4)
_RENDERED: deque[tuple[Site, Project, _Rendered]] = deque(maxlen=4)


def site_of(catalog: Catalog, **settings: Any) -> Site:
    """The site of a catalog; the same as before where the same catalog was asked for lately."""
    for known, chosen, site in _SITES:
        if known is catalog and chosen == settings:
            return site
    _SITES.append((catalog, settings, Site(catalog, Settings(**settings))))
    return _SITES[-1][-1]


def text_of(project: Project, site: Site, path: str) -> str:
    """The page's content as MkDocs reads it: from the front matter, or below it."""
    below, meta = get_data(_rendered(project, site).text(path))
    return str(meta.get("content", below))


def _rendered(project: Project, site: Site) -> _Rendered:
    for known, place, rendered in _RENDERED:
        if known is site and place == project:
            return rendered
    _RENDERED.append((site, project, _Rendered(project, site)))
    return _RENDERED[-1][-1]
