"""Pages into what MkDocs reads: the templates, with all that they may use."""

from __future__ import annotations

import html
import posixpath
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from catalog.insight.leaderboard import REFERENCE_MEANINGS
from catalog.model.marks import mark_of
from catalog.model.paper import Paper
from catalog.outputs.site import lineage_graph, markdown
from catalog.outputs.site.formats import day, duration, literal, margin, month, number, size
from catalog.outputs.site.glossary_links import Terms
from catalog.outputs.site.groups import PLURALS
from catalog.outputs.site.links import GLOSSARY, Links, relative_to
from catalog.outputs.site.page import Page
from catalog.outputs.site.site import Site
from catalog.outputs.site.words import FAINTER, STATES
from catalog.outputs.wording import byline, shortened

SHOWN_BY = "generated.html"
"""The theme's template for pages whose front matter holds their content."""


class Renderer:
    """The templates of one site."""

    def __init__(self, site: Site, templates: Path) -> None:
        self._site = site
        self._terms = Terms(site.catalog.guide.glossary)
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates),
            autoescape=True,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._environment.globals.update(_globals(site))
        self._environment.filters.update(
            inline=markdown.inline,
            day=day,
            month=month,
            number=number,
            margin=margin,
            duration=duration,
            size=size,
            literal=literal,
            call=lambda value, function: function(value),
        )

    def page(self, page: Page) -> str:
        """The page as MkDocs reads it: Markdown below front matter, or HTML in it."""
        meta: dict[str, Any] = {
            "title": html.escape(page.title),
            "description": html.escape(page.description or page.title),
            "hide": ["navigation", "toc"],
            **page.meta,
        }
        body = self._body(page)
        if page.is_html:
            return markdown.front_matter({"template": SHOWN_BY, **meta}, content=markdown.compact(body))
        return f"{markdown.front_matter(meta)}{body.strip()}\n"

    def hand_written(self, path: str, text: str) -> str:
        """A page that people wrote, with links to the glossary where a term is first used."""
        address = relative_to(posixpath.dirname(path))(GLOSSARY)
        return str(self._terms.link(text, address, set())) if path.endswith(".md") else text

    def list_item(self, paper: Paper) -> str:
        """A paper as it stands in the paper list, as HTML."""
        return markdown.compact(str(self._pieces.paper_item(self._list_links.to, paper, "h2")))

    @cached_property
    def _pieces(self) -> Any:
        """The macros that pages share, for a page in the folder of the paper list."""
        return self._environment.get_template("_macros.j2").make_module({"author": self._list_links.author})

    @cached_property
    def _list_links(self) -> Links:
        """The links of the paper list."""
        return Links(self._site, self._terms, "papers/index.md")

    def _body(self, page: Page) -> str:
        links = Links(self._site, self._terms, page.path)
        return self._environment.get_template(page.template).render(
            page=page,
            link=links.to,
            prose=links.prose,
            gloss=links.gloss,
            method=links.method,
            author=links.author,
            linked_methods=links.linked_methods,
            **page.context,
        )


def _globals(site: Site) -> dict[str, Any]:
    """What every template sees."""
    return {
        "catalog": site.catalog,
        "settings": site.settings,
        "navigation": site.navigation,
        "boards": site.boards,
        "groups": site.groups,
        "group_of": lambda facet, ident: site.group_by_key[facet, str(ident)],
        "lineage": site.lineage,
        "lineage_graph": lambda link, methods=None: lineage_graph.drawn(site.lineage, link, methods),
        "reading_paths": site.routes.all,
        "references": REFERENCE_MEANINGS,
        "plurals": PLURALS,
        "states": STATES,
        "fainter": FAINTER,
        "leading": site.measured.leading,
        "found_in_words": site.measured.found_in_words,
        "byline": byline,
        "shortened": shortened,
        "edition_path": site.edition_path,
        "edition_paths": site.edition_paths,
        "feed_of": lambda facet, ident: site.feeds.by_term.get((facet, ident)),
        "mark_of": mark_of,
        "fence": markdown.fence,
        "typeset": markdown.typeset,
        "markdown": markdown.converter(site.settings.markdown_extensions),
    }
