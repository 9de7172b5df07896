"""The catalog for programs, beside the pages: a static JSON API, feeds of new papers, and what crawlers look for.

The API's form has a number, ``VERSION``; fields may be added to it, and none changes its meaning or goes without a new
number. ``site/docs/machines.md`` describes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.base.text import to_json
from catalog.model.catalog import Catalog
from catalog.outputs.export.claims import claims_csv, claims_json
from catalog.outputs.export.records import record
from catalog.outputs.site.api_schema import api_schema
from catalog.outputs.site.feeds import NAME, NEWEST, Feeds, feed_files

__all__ = ["NEWEST", "VERSION", "machine_files"]

VERSION = 1


def machine_files(catalog: Catalog, feeds: Feeds, site_url: str) -> dict[str, str]:
    """Address and text of every such file.

    Args:
        catalog: what is told.
        feeds: its feeds.
        site_url: where the site will be, with a slash at its end; ``""`` if nobody knows, and then feeds lead to the
            papers' own pages elsewhere.
    """
    return dict([*_api(catalog), *feed_files(feeds, site_url), *_crawlers(catalog, site_url)])


def _api(catalog: Catalog) -> Iterator[tuple[str, str]]:
    yield "api/schema.json", to_json(api_schema(catalog.vocabularies, VERSION))
    papers = [record(paper) for paper in catalog.papers]
    yield "api/papers.json", to_json({"version": VERSION, "papers": papers})
    for paper in papers:
        yield f"api/papers/{paper['id']}.json", to_json({"version": VERSION, "paper": paper})
    methods = [
        {
            "id": runs.id,
            "kind": runs.kind,
            "name": runs.name,
            "title": runs.title,
            "summary": runs.summary,
            "paper": runs.paper,
            "family": runs.family,
            "acts_on": runs.acts_on,
            "file": runs.file,
        }
        for runs in catalog.implementations
    ]
    yield "api/implementations.json", to_json({"version": VERSION, "implementations": methods})
    results = [result.model_dump(mode="json", exclude={"examples"}) for result in catalog.results]
    yield "api/results.json", to_json({"version": VERSION, "results": results})
    yield "api/claims.json", to_json({"version": VERSION, "claims": claims_json(catalog)})
    yield "api/claims.csv", claims_csv(catalog)


def _crawlers(catalog: Catalog, site_url: str) -> Iterator[tuple[str, str]]:
    robots = ["User-agent: *", "Allow: /"]
    yield "robots.txt", "\n".join([*robots, *([f"Sitemap: {site_url}sitemap.xml"] if site_url else [])]) + "\n"
    yield "llms.txt", _llms(catalog, site_url)


def _llms(catalog: Catalog, site_url: str) -> str:
    """What a language model is told that visits the site (llmstxt.org)."""
    lines = [
        f"# {NAME}",
        "",
        f"> A catalog of {len(catalog.papers)} papers on unlearning in large language models, in which "
        f"{len(catalog.methods)} methods run: each is one short file with its formula, linked to its paper and "
        "measured on embedded tasks.",
        "",
        "## Data",
        "",
        f"- [All papers]({site_url}api/papers.json): every record as JSON; one by one at `api/papers/<id>.json`",
        f"- [What runs]({site_url}api/implementations.json): methods, tasks, benchmarks and attacks",
        f"- [Measured results]({site_url}api/results.json): every committed run",
        f"- [Their form]({site_url}api/schema.json): a JSON Schema of these files",
        f"- [The database]({site_url}catalog.sqlite): SQLite with full-text search",
        f"- [New papers]({site_url}feed.xml): an Atom feed",
        "",
        "## Methods",
        "",
        *(f"- [{method.title}]({site_url}methods/{method.id}.html): {method.summary}" for method in catalog.methods),
        "",
        "## Tasks, benchmarks and attacks",
        "",
        *(
            f"- [{runs.title}]({site_url}{runs.kind}s/{runs.id}.html): {runs.summary}"
            for runs in (*catalog.tasks, *catalog.benchmarks, *catalog.attacks)
        ),
    ]
    return "\n".join(lines) + "\n"
