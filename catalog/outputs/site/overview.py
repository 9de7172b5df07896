"""The pages that show the field as a whole: over time, as a graph of methods, as ways to read it, and its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from catalog import figures
from catalog.insight.lineage import Base, Lineage, lineage
from catalog.model.catalog import Catalog
from catalog.model.guide import Definition, Step
from catalog.model.implementations import Implementation
from catalog.model.paper import Paper
from catalog.outputs.site.page import Page

PAGES = {
    "overview": ("overview.html", "The field over time"),
    "start": ("start.html", "Start here"),
    "lineage": ("lineage.html", "Lineage of methods"),
    "coverage": ("coverage.html", "Coverage"),
    "glossary": ("glossary.html", "Glossary"),
    "authors": ("authors/index.html", "Authors"),
    "results": ("results.html", "Results"),
    "getting-started": ("getting-started.html", "Getting started"),
    "contributing": ("contributing.html", "Contributing"),
}
"""Pages that overviews and reading paths lead to: address and name."""
_FEW = 5
"""A year with fewer papers, before all with more, is told instead of drawn."""


@dataclass(frozen=True)
class Stop:
    """A step of a reading path, looked up."""

    step: Step
    number: int
    title: str
    address: str
    paper: Paper | None = None
    one: Implementation | None = None


@dataclass(frozen=True)
class Route:
    """A reading path, looked up; steps to what a catalog does not hold are left out."""

    id: str
    title: str
    audience: str
    stops: tuple[Stop, ...]


class Overview:
    """What the overview pages show, and what other pages say about it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @cached_property
    def lineage(self) -> Lineage:
        """Which methods build on which."""
        return lineage(self._catalog)

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The reading paths."""
        found = []
        for path in self._catalog.guide.paths:
            places = (self._stop(step, number) for number, step in enumerate(path.steps, 1))
            found.append(Route(path.id, path.title, path.audience, tuple(stop for stop in places if stop)))
        return tuple(route for route in found if route.stops)

    @cached_property
    def routes_by_stop(self) -> dict[tuple[str, str], list[tuple[Route, Stop]]]:
        """(route, stop) by what the stop names: its kind and id."""
        found: dict[tuple[str, str], list[tuple[Route, Stop]]] = {}
        for route in self.routes:
            for stop in route.stops:
                found.setdefault((stop.step.kind, stop.step.id), []).append((route, stop))
        return found

    def pages(self) -> Iterator[Page]:
        """The overview, the paths, the graph and the glossary."""
        yield self._over_time()
        yield Page(
            "start.md",
            "start.html.j2",
            "Start here",
            "Ways through the catalog for newcomers, for practitioners and for auditors, step by step.",
        )
        yield Page(
            "lineage.md",
            "lineage.html.j2",
            "Lineage of methods",
            "Which unlearning methods build on which, as a graph and as a list.",
            {"bases": self._bases()},
        )
        terms = sorted(self._catalog.guide.glossary, key=lambda one: one.term.casefold())
        yield Page(
            "glossary.md",
            "glossary.html.j2",
            "Glossary",
            "The terms of LLM unlearning, in a sentence each.",
            {"terms": terms, "by_id": {one.id: one for one in terms}, "letters": _letters(terms)},
        )

    def graph(self, link: Callable[[str], str]) -> Markup | None:
        """The graph of methods that others build on, with links as seen from a page; None where there is nothing."""
        ids = self.lineage.trunk()
        if not ids:
            return None
        nodes = [self._node(ident, link) for ident in ids]
        edges = [(base, upper) for base in ids for upper in self.lineage.below[base]]
        shown = [(a, b) for a, b in edges if b in set(ids)]
        words = "; ".join(f"{self.lineage.nodes[b].label} builds on {self.lineage.nodes[a].label}" for a, b in shown)
        drawn = figures.layered_figure(
            nodes,
            shown,
            self.lineage.layers(ids),
            title="Which methods build on which",
            words=f"{words}. The list below says the same, and more.",
            ident="lineage",
        )
        return Markup(drawn)

    def address(self, base: Base) -> str | None:
        """Where something that methods build on has its page; None where it has none."""
        if base.implementation:
            return f"methods/{base.id}.html"
        if base.paper:
            return f"papers/{base.paper.id}.html"
        return f"vocabularies.html#technique-{base.id}" if base.term else None

    def _node(self, ident: str, link: Callable[[str], str]) -> figures.Node:
        base, count = self.lineage.nodes[ident], len(self.lineage.below[ident])
        year = f" ({base.paper.year})" if base.paper else ""
        said = f"{base.label}{year}: {count} method{'s' if count != 1 else ''} build{'s' if count == 1 else ''} on it"
        address = self.address(base) or "lineage.html"
        place, anchor, fragment = address.partition("#")
        return figures.Node(
            ident,
            base.label,
            f"{link(place)}{anchor}{fragment}",
            note=str(count) if count else "",
            about=said + (", and it runs here" if base.implementation else ""),
            runs=base.implementation is not None,
        )

    def _bases(self) -> list[tuple[Base, tuple[str, ...]]]:
        """What methods build on, with what builds on it: most first."""
        found = [(self.lineage.nodes[ident], below) for ident, below in self.lineage.below.items() if below]
        return sorted(found, key=lambda one: (-len(one[1]), one[0].label.casefold()))

    def _stop(self, step: Step, number: int) -> Stop | None:
        if step.kind == "page":
            address, title = PAGES[step.id]
            return Stop(step, number, title, address)
        if step.kind == "paper":
            paper = self._catalog.by_id.get(step.id)
            return Stop(step, number, paper.title, f"papers/{paper.id}.html", paper=paper) if paper else None
        one = self._catalog.implementation_by_id.get(step.id)
        return Stop(step, number, one.title, f"{one.kind}s/{one.id}.html", one=one) if one else None

    def _over_time(self) -> Page:
        by_year = self._catalog.by_year
        drawn = [year for year in by_year if len(by_year[year]) >= _FEW] or list(by_year)
        first, last = (min(drawn), max(by_year)) if drawn else (0, 0)
        counts = {
            family: figures.quarters([paper.date for paper in papers], first, last)
            for family, papers in self._catalog.by_family.items()
            if papers
        }
        everything = figures.quarters([paper.date for paper in self._catalog.papers], first, last) if drawn else []
        most = max((count for row in counts.values() for count in row), default=1)
        vocabulary = self._catalog.vocabularies["family"]
        return Page(
            "overview.md",
            "overview.html.j2",
            "The field over time",
            "How many papers there were on LLM unlearning, quarter by quarter and by mechanism.",
            {
                "years": list(range(first, last + 1)) if drawn else [],
                "older": sum(len(papers) for year, papers in by_year.items() if year < first),
                "total": _timeline(everything, first, "All papers by quarter", "timeline", width=760, height=210)
                if drawn
                else None,
                "multiples": {
                    family: _timeline(
                        row, first, f"{vocabulary[family].label}: papers by quarter", family, most=most, width=380
                    )
                    for family, row in counts.items()
                },
                "per_year": {
                    family: [sum(row[start : start + 4]) for start in range(0, len(row), 4)]
                    for family, row in counts.items()
                },
                "all_years": [sum(everything[start : start + 4]) for start in range(0, len(everything), 4)],
            },
        )


def _timeline(counts: list[int], first: int, title: str, ident: str, **size: int) -> Markup:
    return Markup(figures.timeline_figure(counts, first, title=title, ident=f"time-{ident}", **size))


def _letters(terms: list[Definition]) -> dict[str, str]:
    """The first term of each letter, for a row of links."""
    found: dict[str, str] = {}
    for one in terms:
        found.setdefault(one.term[0].upper(), one.id)
    return found
