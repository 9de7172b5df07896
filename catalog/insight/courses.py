"""How methods fare as more is to be forgotten: growing forget sets, and requests that follow each other.

Both are MUSE's (scalability and sustainability). Drawn from the committed results alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.figures import Path
from catalog.insight.leaderboard import Cell
from catalog.model.catalog import Catalog
from catalog.model.metrics import Metric
from catalog.model.results import EMBEDDED, Result


@dataclass(frozen=True)
class Course:
    """One method's metrics from step to step, means over seeds."""

    method: str
    name: str
    seeds: tuple[int, ...]
    cells: Mapping[str, tuple[Cell | None, ...]]
    """For each metric, one cell per step."""


@dataclass(frozen=True)
class Courses:
    """Several methods over the same steps."""

    id: str
    title: str
    explanation: str
    steps: tuple[str, ...]
    rows: tuple[Course, ...]

    def paths(self, metric: str) -> list[Path]:
        """The rows of the figure of a metric, highest at the last step first."""
        found = [
            Path(row.name, tuple(cell.mean for cell in row.cells[metric] if cell))
            for row in self.rows
            if all(row.cells.get(metric, (None,)))
        ]
        return sorted(found, key=lambda one: (-one.values[-1], one.label))


def courses(catalog: Catalog, task: str, metrics: Iterable[Metric]) -> tuple[Courses, ...]:
    """What the embedded model's results on a task show of growing and of successive forget sets; empty without any.

    Args:
        catalog: whose results.
        task: a task's id.
        metrics: which ones to follow.
    """
    results = [one for one in catalog.results if (one.task, one.model) == (task, EMBEDDED)]
    names = [metric.id for metric in metrics]
    return tuple(found for found in (_growing(catalog, results, names), *_successive(catalog, results, names)) if found)


def _growing(catalog: Catalog, results: Sequence[Result], metrics: Sequence[str]) -> Courses | None:
    at_once = [one for one in results if one.requests == 1]
    shares = sorted({one.forget_share for one in at_once if catalog.implementation_by_id.get(one.method)})
    if len(shares) < 2:
        return None
    by_method: dict[str, list[Result]] = {}
    for one in at_once:
        by_method.setdefault(one.method, []).append(one)
    rows = []
    for method, own in by_method.items():
        steps = [[one.metrics for one in own if one.forget_share == share] for share in shares]
        if all(steps):
            rows.append(_course(catalog, method, own, metrics, steps))
    return Courses(
        "growing",
        "As the forget set grows",
        "The same method with the same recipe, asked to forget a part of the forget set or all of it (scalability). "
        "The number of steps stays the same, so that each text gets fewer of them as the set grows.",
        tuple(f"{share:.0%}" for share in shares),
        tuple(rows),
    )


def _successive(catalog: Catalog, results: Sequence[Result], metrics: Sequence[str]) -> Iterator[Courses]:
    for requests in sorted({one.requests for one in results if one.requests > 1 and one.forget_share == 1}):
        by_method: dict[str, list[Result]] = {}
        for one in results:
            if one.requests == requests and one.forget_share == 1:
                by_method.setdefault(one.method, []).append(one)
        rows = [
            _course(catalog, method, own, metrics, [[one.stages[step] for one in own] for step in range(requests)])
            for method, own in by_method.items()
        ]
        yield Courses(
            f"requests-{requests}",
            f"In {requests} requests, one after another",
            "The forget set arrives in parts. Each is forgotten by a run of its own, which starts from what the last "
            "one left; measured is all that was requested so far (sustainability).",
            tuple(str(step + 1) for step in range(requests)),
            tuple(rows),
        )


def _course(
    catalog: Catalog,
    method: str,
    results: Sequence[Result],
    metrics: Sequence[str],
    steps: Sequence[Sequence[Mapping[str, float]]],
) -> Course:
    described = catalog.implementation_by_id.get(method)
    cells = {name: tuple(Cell.over(one[name] for one in step if name in one) for step in steps) for name in metrics}
    seeds = tuple(sorted({one.seed for one in results}))
    return Course(method, described.name if described else method, seeds, cells)
