"""The catalog for programs, beside the pages: a static JSON API, feeds of new papers, and what crawlers look for.

The API's form has a number, ``VERSION``; fields may be added to it, and none changes its meaning or goes without a new
number. ``site/docs/machines.md`` describes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree

from catalog.base.text import to_json
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.outputs.export.claims import claims_csv, claims_json
from catalog.outputs.export.records import record
from catalog.outputs.site.api_schema import api_schema

VERSION = 1
NEWEST = 50
"""How many papers a feed holds."""
_ATOM = "http://www.w3.org/2005/Atom"
_NAME = "LLM-Unlearning"
_ABOUT = "New papers on unlearning in large language models"


def machine_files(catalog: Catalog, site_url: str) -> dict[str, str]:
    """Address and text of every such file.

    Args:
        catalog: what is told.
        site_url: where the site will be, with a slash at its end; ``""`` if nobody knows, and then feeds lead to the
            papers' own pages elsewhere.
    """
    return dict([*_api(catalog), *_feeds(catalog, site_url), *_crawlers(catalog, site_url)])


def _api(catalog: Catalog) -> Iterator[tuple[str, str]]:
    yield "api/schema.json", to_json(api_schema(catalog.vocabularies, VERSION))
    papers = [record(paper) for paper in catalog.papers]
    yield "api/papers.json", to_json({"version": VERSION, "papers": papers})
    for one in papers:
        yield f"api/papers/{one['id']}.json", to_json({"version": VERSION, "paper": one})
    methods = [
        {
            "id": one.id,
            "kind": one.kind,
            "name": one.name,
            "title": one.title,
            "summary": one.summary,
            "paper": one.paper,
            "family": one.family,
            "acts_on": one.acts_on,
            "file": one.file,
        }
        for one in catalog.implementations
    ]
    yield "api/implementations.json", to_json({"version": VERSION, "implementations": methods})
    results = [one.model_dump(mode="json", exclude={"examples"}) for one in catalog.results]
    yield "api/results.json", to_json({"version": VERSION, "results": results})
    yield "api/claims.json", to_json({"version": VERSION, "claims": claims_json(catalog)})
    yield "api/claims.csv", claims_csv(catalog)


def _feeds(catalog: Catalog, site_url: str) -> Iterator[tuple[str, str]]:
    newest = catalog.papers[:NEWEST]
    yield "feed.xml", _atom(_NAME, newest, site_url, "feed.xml")
    yield "feed.json", to_json(_json_feed(_NAME, newest, site_url, "feed.json"))
    if site_url:
        yield "rss.xml", _rss(_NAME, newest, site_url, "rss.xml")
    for family, papers in catalog.by_family.items():
        title = f"{_NAME}: {catalog.vocabularies['family'][family].label}"
        some, path = papers[:NEWEST], f"feeds/{family}"
        yield f"{path}.xml", _atom(title, some, site_url, f"{path}.xml")
        yield f"{path}.json", to_json(_json_feed(title, some, site_url, f"{path}.json"))
        if site_url:
            yield f"{path}.rss.xml", _rss(title, some, site_url, f"{path}.rss.xml")


def _atom(title: str, papers: Sequence[Paper], site_url: str, path: str) -> str:
    """An Atom feed (RFC 4287)."""
    ElementTree.register_namespace("", _ATOM)
    feed = ElementTree.Element(f"{{{_ATOM}}}feed")
    _add(feed, "title", title)
    _add(feed, "subtitle", _ABOUT)
    _add(feed, "id", _identifier(path))
    _add(feed, "updated", _moment(papers[0].date) if papers else "1970-01-01T00:00:00Z")
    _add(feed, "author").append(_named(_NAME))
    if site_url:
        _add(feed, "link", rel="self", href=site_url + path)
        _add(feed, "link", href=site_url)
    for paper in papers:
        entry = _add(feed, "entry")
        _add(entry, "title", paper.title)
        _add(entry, "id", _identifier(f"papers/{paper.id}"))
        _add(entry, "updated", _moment(paper.date))
        if address := _address(paper, site_url):
            _add(entry, "link", href=address)
        for name in paper.authors:
            _add(entry, "author").append(_named(name))
        if paper.summary:
            _add(entry, "summary", paper.summary)
    ElementTree.indent(feed)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(feed, encoding="unicode")}\n'


def _rss(title: str, papers: Sequence[Paper], site_url: str, path: str) -> str:
    """An RSS feed (version 2.0), for readers that know no Atom; it must name the site's address."""
    ElementTree.register_namespace("atom", _ATOM)
    rss = ElementTree.Element("rss", {"version": "2.0"})
    channel = ElementTree.SubElement(rss, "channel")
    for name, text in (("title", title), ("link", site_url), ("description", _ABOUT)):
        ElementTree.SubElement(channel, name).text = text
    own = {"href": site_url + path, "rel": "self", "type": "application/rss+xml"}
    ElementTree.SubElement(channel, f"{{{_ATOM}}}link", own)
    for paper in papers:
        item = ElementTree.SubElement(channel, "item")
        ElementTree.SubElement(item, "title").text = paper.title
        ElementTree.SubElement(item, "link").text = _address(paper, site_url)
        ElementTree.SubElement(item, "guid", {"isPermaLink": "false"}).text = _identifier(f"papers/{paper.id}")
        moment = datetime.fromisoformat(_moment(paper.date))
        ElementTree.SubElement(item, "pubDate").text = format_datetime(moment)
        ElementTree.SubElement(item, "description").text = paper.summary or ", ".join(paper.authors)
    ElementTree.indent(rss)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(rss, encoding="unicode")}\n'


def _json_feed(title: str, papers: Sequence[Paper], site_url: str, path: str) -> dict[str, Any]:
    """A JSON Feed (version 1.1)."""
    items = []
    for paper in papers:
        item: dict[str, Any] = {"id": _identifier(f"papers/{paper.id}"), "title": paper.title}
        if address := _address(paper, site_url):
            item["url"] = address
        item["content_text"] = paper.summary or paper.title
        item["date_published"] = _moment(paper.date)
        item["authors"] = [{"name": name} for name in paper.authors]
        items.append(item)
    about = {"version": "https://jsonfeed.org/version/1.1", "title": title, "description": _ABOUT}
    where = {"home_page_url": site_url, "feed_url": site_url + path} if site_url else {}
    return {**about, **where, "items": items}


def _crawlers(catalog: Catalog, site_url: str) -> Iterator[tuple[str, str]]:
    robots = ["User-agent: *", "Allow: /"]
    yield "robots.txt", "\n".join([*robots, *([f"Sitemap: {site_url}sitemap.xml"] if site_url else [])]) + "\n"
    yield "llms.txt", _llms(catalog, site_url)


def _llms(catalog: Catalog, site_url: str) -> str:
    """What a language model is told that visits the site (llmstxt.org)."""
    lines = [
        f"# {_NAME}",
        "",
        f"> A catalog of {len(catalog.papers)} papers on unlearning in large language models, in which "
        f"{len(catalog.methods)} methods run: each is one short file with its formula, linked to its paper and "
        "measured on embedded tasks.",
        "",
        "## Data",
        "",
        f"- [All papers]({site_url}api/papers.json): every record as JSON; one by one at `api/papers/<id>.json`",
        f"- [What runs]({site_url}api/implementations.json): methods, tasks and attacks",
        f"- [Measured results]({site_url}api/results.json): every committed run",
        f"- [Their form]({site_url}api/schema.json): a JSON Schema of these files",
        f"- [The database]({site_url}catalog.sqlite): SQLite with full-text search",
        f"- [New papers]({site_url}feed.xml): an Atom feed",
        "",
        "## Methods",
        "",
        *(f"- [{one.title}]({site_url}methods/{one.id}.html): {one.summary}" for one in catalog.methods),
        "",
        "## Tasks and attacks",
        "",
        *(
            f"- [{one.title}]({site_url}{one.kind}s/{one.id}.html): {one.summary}"
            for one in (*catalog.tasks, *catalog.attacks)
        ),
    ]
    return "\n".join(lines) + "\n"


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


def _moment(date: str) -> str:
    """``2024-04`` -> ``2024-04-01T00:00:00Z``."""
    return f"{date if len(date) == 10 else f'{date}-01'}T00:00:00Z"


def _address(paper: Paper, site_url: str) -> str:
    if site_url:
        return f"{site_url}papers/{paper.id}.html"
    return next((address for _, address in paper.links.addresses), "")
