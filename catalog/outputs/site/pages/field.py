"""The field as a whole: over time, as ways to read it, as a graph of methods, and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from catalog import figures
from catalog.insight.lineage import Base, Lineage
from catalog.model.catalog import Catalog
from catalog.model.guide import Definition
from catalog.model.paper import Paper
from catalog.outputs.site.page import page
from catalog.outputs.site.site import Site

_FEW = 5
"""A year with fewer papers, before all with more, is told instead of drawn."""


@page(
    "overview.md",
    "overview.html.j2",
    "The field over time",
    "How many papers there were on LLM unlearning, quarter by quarter and by mechanism.",
)
def over_time(site: Site) -> dict[str, Any]:
    """Papers by quarter: all of them, and each family's."""
    by_year = site.catalog.by_year
    drawn = [year for year in by_year if len(by_year[year]) >= _FEW] or list(by_year)
    if not drawn:
        return {"total": None}
    first, last = min(drawn), max(by_year)
    everything = figures.quarters([paper.date for paper in site.catalog.papers], first, last)
    by_family = _quarters_by_family(site.catalog, first, last)
    return {
        "years": list(range(first, last + 1)),
        "older": sum(len(papers) for year, papers in by_year.items() if year < first),
        "total": _timeline(everything, first, "All papers by quarter", "timeline", width=760, height=210)
        + _timeline(everything, first, "All papers by quarter", "timeline-narrow", width=360, height=200, narrow=True),
        "multiples": _multiples(site.catalog, by_family, first),
        "per_year": {family: _by_year(counts) for family, counts in by_family.items()},
        "all_years": _by_year(everything),
    }


@page(
    "start.md",
    "start.html.j2",
    "Start here",
    "Ways through the catalog for newcomers, for practitioners and for auditors, step by step.",
)
def start(site: Site) -> dict[str, Any]:
    """The reading paths."""
    return {}


@page(
    "lineage.md",
    "lineage.html.j2",
    "Lineage of methods",
    "Which unlearning methods build on which, as a graph and as a list.",
)
def lineage(site: Site) -> dict[str, Any]:
    """The graph of methods, and the list of what others build on."""
    return {"bases": _bases(site.lineage)}


@page("feeds.md", "feeds.html.j2", "Feeds", "New papers for a feed reader: all, by family, by data set, by search.")
def feeds(site: Site) -> dict[str, Any]:
    """Every feed, with its addresses."""
    return {"feeds": site.feeds}


@page("glossary.md", "glossary.html.j2", "Glossary", "The terms of LLM unlearning, in a sentence each.")
def glossary(site: Site) -> dict[str, Any]:
    """The terms in alphabetical order."""
    terms = sorted(site.catalog.guide.glossary, key=lambda definition: definition.term.casefold())
    return {
        "terms": terms,
        "by_id": {definition.id: definition for definition in terms},
        "letters": _letters(terms),
    }


def _quarters_by_family(catalog: Catalog, first: int, last: int) -> dict[str, list[int]]:
    families: Mapping[str, Sequence[Paper]] = {name: papers for name, papers in catalog.by_family.items() if papers}
    return {
        family: figures.quarters([paper.date for paper in papers], first, last) for family, papers in families.items()
    }


def _multiples(catalog: Catalog, by_family: Mapping[str, list[int]], first: int) -> dict[str, Markup]:
    """A small figure for each family, all on one scale."""
    vocabulary = catalog.vocabularies["family"]
    most = max((count for counts in by_family.values() for count in counts), default=1)
    return {
        family: _timeline(counts, first, f"{vocabulary[family].label}: papers by quarter", family, most=most, width=380)
        for family, counts in by_family.items()
    }


def _timeline(counts: list[int], first: int, title: str, ident: str, **size: Any) -> Markup:
    return Markup(figures.timeline_figure(counts, first, title=title, ident=f"time-{ident}", **size))


def _by_year(quarters: list[int]) -> list[int]:
    return [sum(quarters[start : start + 4]) for start in range(0, len(quarters), 4)]


def _bases(graph: Lineage) -> list[tuple[Base, tuple[str, ...]]]:
    """What methods build on, with what builds on it: most first."""
    built_on = [(graph.nodes[ident], below) for ident, below in graph.below.items() if below]
    return sorted(built_on, key=lambda pair: (-len(pair[1]), pair[0].label.casefold()))


def _letters(terms: list[Definition]) -> dict[str, str]:
    """The first term of each letter, for a row of links."""
    first: dict[str, str] = {}
    for definition in terms:
        first.setdefault(definition.term[0].upper(), definition.id)
    return first
