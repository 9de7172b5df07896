"""Pages as the generator makes them, before MkDocs has its turn."""

from __future__ import annotations

from typing import Any

from mkdocs.utils.meta import get_data

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.site.pages import all_pages
from catalog.outputs.site.renderer import Renderer
from catalog.outputs.site.settings import Settings
from catalog.outputs.site.site import Site


def site_of(catalog: Catalog, **settings: Any) -> Site:
    return Site(catalog, Settings(**settings))


def text_of(project: Project, site: Site, path: str) -> str:
    """The page's content as MkDocs reads it: from the front matter, or below it."""
    page = next(page for page in all_pages(site) if page.path == path)
    below, meta = get_data(Renderer(site, project.templates / "site").page(page))
    return str(meta.get("content", below))
