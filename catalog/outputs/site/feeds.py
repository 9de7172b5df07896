"""Feeds of what is new in the catalog: all of it, each family, each data set and each saved search.

New is what was added last. An entry says when its record came into the catalog, so that a reader also meets a paper
that is older than those it has seen; where no record says it, the paper's own date stands for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree

from catalog.base.text import to_json
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.model.selection import Selection
from catalog.outputs.search import Search

NAME = "LLM-Unlearning"
NEWEST = 50
"""How many papers a feed holds."""
_ATOM = "http://www.w3.org/2005/Atom"
_ABOUT = "New papers on unlearning in large language models"


@dataclass(frozen=True)
class Feed:
    """One feed, in several formats."""

    path: str
    """Its address below the site, without the ending."""
    label: str
    """What it is about."""
    papers: tuple[Paper, ...]
    """All that it is about, what was added last first."""
    list: str = ""
    """The same as a selection of the paper list."""

    @property
    def title(self) -> str:
        """As readers show it."""
        return f"{NAME}: {self.label}" if self.label else NAME

    @property
    def newest(self) -> tuple[Paper, ...]:
        """Those that it holds."""
        return self.papers[:NEWEST]


@dataclass(frozen=True)
class Feeds:
    """All of them."""

    everything: Feed
    searches: tuple[Feed, ...]
    by_term: dict[tuple[str, str], Feed]
    """By facet and id of the term: families and data sets."""

    def of(self, facet: str) -> list[Feed]:
        """Those of a facet's terms, that of most papers first."""
        listed = [feed for (name, _), feed in self.by_term.items() if name == facet and feed.papers]
        return sorted(listed, key=lambda feed: -len(feed.papers))

    def __iter__(self) -> Iterator[Feed]:
        """Every one, in a fixed order."""
        yield self.everything
        yield from self.by_term.values()
        yield from self.searches


def feeds(catalog: Catalog) -> Feeds:
    """The feeds of a catalog."""
    by_term = {}
    for facet, folder, groups in (
        ("family", "feeds", catalog.by_family),
        ("dataset", "feeds/dataset", catalog.by_dataset),
    ):
        for ident, papers in groups.items():
            label = catalog.vocabularies[facet][ident].label
            by_term[facet, ident] = Feed(f"{folder}/{ident}", label, last_added(papers), f"{facet}={ident}")
    return Feeds(
        Feed("feed", "", last_added(catalog.papers)),
        tuple(
            Feed(f"feeds/search/{search.id}", search.title, last_added(selected(catalog, search.list)), search.list)
            for search in catalog.guide.searches
        ),
        by_term,
    )


def added(paper: Paper) -> str:
    """The day on which a paper came into the catalog, or its own date."""
    return paper.added or paper.date


def last_added(papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """Papers by the day on which they were added, the last first; those of one day in the order given."""
    return tuple(sorted(papers, key=added, reverse=True))


def selected(catalog: Catalog, address: str) -> tuple[Paper, ...]:
    """The papers of a selection, newest first.

    Raises:
        ValueError: the address holds what the list does not know.
    """
    selection = Selection.parsed(address)
    papers = [paper for paper in catalog.papers if selection.fits(paper)]
    if not selection.query:
        return tuple(papers)
    answer = Search(catalog)(selection.query)
    hits = {paper.id for paper in (() if answer.partial else answer.papers)}
    return tuple(paper for paper in papers if paper.id in hits)


def feed_files(feeds: Feeds, site_url: str) -> Iterator[tuple[str, str]]:
    """Address and text of every feed: Atom, JSON, and RSS where the site's address is known, which RSS must name."""
    for feed in feeds:
        yield f"{feed.path}.xml", _atom(feed, site_url)
        yield f"{feed.path}.json", to_json(_json(feed, site_url))
        if site_url:
            path = "rss.xml" if feed.path == "feed" else f"{feed.path}.rss.xml"
            yield path, _rss(feed, site_url, path)


def _atom(feed: Feed, site_url: str) -> str:
    """An Atom feed (RFC 4287): an entry was published when its paper was, and updated when it was added here."""
    ElementTree.register_namespace("", _ATOM)
    root = ElementTree.Element(f"{{{_ATOM}}}feed")
    _add(root, "title", feed.title)
    _add(root, "subtitle", _ABOUT)
    _add(root, "id", _identifier(f"{feed.path}.xml"))
    _add(root, "updated", moment(added(feed.newest[0])) if feed.newest else "1970-01-01T00:00:00Z")
    _add(root, "author").append(_named(NAME))
    if site_url:
        _add(root, "link", rel="self", href=f"{site_url}{feed.path}.xml")
        _add(root, "link", href=site_url)
    for paper in feed.newest:
        entry = _add(root, "entry")
        _add(entry, "title", paper.title)
        _add(entry, "id", _identifier(f"papers/{paper.id}"))
        _add(entry, "published", moment(paper.date))
        _add(entry, "updated", moment(added(paper)))
        if address := _address(paper, site_url):
            _add(entry, "link", href=address)
        for name in paper.authors:
            _add(entry, "author").append(_named(name))
        if paper.summary:
            _add(entry, "summary", paper.summary)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _rss(feed: Feed, site_url: str, path: str) -> str:
    """An RSS feed (version 2.0), for readers that know no Atom."""
    ElementTree.register_namespace("atom", _ATOM)
    rss = ElementTree.Element("rss", {"version": "2.0"})
    channel = ElementTree.SubElement(rss, "channel")
    for name, text in (("title", feed.title), ("link", site_url), ("description", _ABOUT)):
        ElementTree.SubElement(channel, name).text = text
    own = {"href": site_url + path, "rel": "self", "type": "application/rss+xml"}
    ElementTree.SubElement(channel, f"{{{_ATOM}}}link", own)
    for paper in feed.newest:
        item = ElementTree.SubElement(channel, "item")
        ElementTree.SubElement(item, "title").text = paper.title
        ElementTree.SubElement(item, "link").text = _address(paper, site_url)
        ElementTree.SubElement(item, "guid", {"isPermaLink": "false"}).text = _identifier(f"papers/{paper.id}")
        ElementTree.SubElement(item, "pubDate").text = format_datetime(datetime.fromisoformat(moment(added(paper))))
        ElementTree.SubElement(item, "description").text = paper.summary or ", ".join(paper.authors)
    ElementTree.indent(rss)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(rss, encoding="unicode")}\n'


def _json(feed: Feed, site_url: str) -> dict[str, Any]:
    """A JSON Feed (version 1.1)."""
    items = []
    for paper in feed.newest:
        item: dict[str, Any] = {"id": _identifier(f"papers/{paper.id}"), "title": paper.title}
        if address := _address(paper, site_url):
            item["url"] = address
        item["content_text"] = paper.summary or paper.title
        item["date_published"] = moment(added(paper))
        item["authors"] = [{"name": name} for name in paper.authors]
        items.append(item)
    about = {"version": "https://jsonfeed.org/version/1.1", "title": feed.title, "description": _ABOUT}
    where = {"home_page_url": site_url, "feed_url": f"{site_url}{feed.path}.json"} if site_url else {}
    return {**about, **where, "items": items}


def moment(date: str) -> str:
    """``2024-04`` -> ``2024-04-01T00:00:00Z``."""
    return f"{date if len(date) == 10 else f'{date}-01'}T00:00:00Z"


def _add(parent: ElementTree.Element, name: str, text: str = "", **attributes: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
    element.text = text or None
    return element


def _named(name: str) -> ElementTree.Element:
    element = ElementTree.Element(f"{{{_ATOM}}}name")
    element.text = name
    return element


def _identifier(path: str) -> str:
    """The same for the same thing wherever the site is."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"llm-unlearning/{path}").urn


def _address(paper: Paper, site_url: str) -> str:
    if site_url:
        return f"{site_url}papers/{paper.id}.html"
    return next((address for _, address in paper.links.addresses), "")
