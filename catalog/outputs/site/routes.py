"""The reading paths, with every step looked up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from catalog.model.catalog import Catalog
from catalog.model.guide import ReadingPath, Step
from catalog.model.implementations import Implementation
from catalog.model.paper import Paper


@dataclass(frozen=True)
class Stop:
    """A step of a reading path, looked up."""

    step: Step
    number: int
    title: str
    address: str
    paper: Paper | None = None
    implementation: Implementation | None = None


@dataclass(frozen=True)
class Route:
    """A reading path, looked up; steps to what a catalog does not hold are left out."""

    id: str
    title: str
    audience: str
    stops: tuple[Stop, ...]


class Routes:
    """The reading paths of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @cached_property
    def all(self) -> tuple[Route, ...]:
        """Those with a step left."""
        routes = (
            Route(path.id, path.title, path.audience, tuple(self._stops(path))) for path in self._catalog.guide.paths
        )
        return tuple(route for route in routes if route.stops)

    @cached_property
    def by_stop(self) -> dict[tuple[str, str], list[tuple[Route, Stop]]]:
        """(route, stop) by what the stop names: its kind and id."""
        by_stop: dict[tuple[str, str], list[tuple[Route, Stop]]] = {}
        for route in self.all:
            for stop in route.stops:
                by_stop.setdefault((stop.step.kind, stop.step.id), []).append((route, stop))
        return by_stop

    def _stops(self, path: ReadingPath) -> Iterator[Stop]:
        stops = (self._stop(step, number) for number, step in enumerate(path.steps, 1))
        return (stop for stop in stops if stop)

    def _stop(self, step: Step, number: int) -> Stop | None:
        if step.kind == "page":
            page = self._catalog.guide.navigation.by_id.get(step.id)
            return Stop(step, number, page.title, page.address) if page else None
        if step.kind == "paper":
            paper = self._catalog.by_id.get(step.id)
            return Stop(step, number, paper.title, f"papers/{paper.id}.html", paper=paper) if paper else None
        runs = self._catalog.implementation_by_id.get(step.id)
        return Stop(step, number, runs.title, f"{runs.kind}s/{runs.id}.html", implementation=runs) if runs else None
