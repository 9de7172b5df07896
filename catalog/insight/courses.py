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
        paths = [
            Path(row.name, tuple(cell.mean for cell in row.cells[metric] if cell))
            for row in self.rows
            if all(row.cells.get(metric, (None,)))
        ]
        return sorted(paths, key=lambda path: (-path.values[-1], path.label))


def courses(catalog: Catalog, task: str, metrics: Iterable[Metric]) -> tuple[Courses, ...]:
    """What the embedded model's results on a task show of growing and of successive forget sets; empty without any.

    Args:
        catalog: whose results.
        task: a task's id.
        metrics: which ones to follow.
    """
    results = [result for result in catalog.results if (result.task, result.model) == (task, EMBEDDED)]
    names = [metric.id for metric in metrics]
    return tuple(group for group in (_growing(catalog, results, names), *_successive(catalog, results, names)) if group)


def _growing(catalog: Catalog, results: Sequence[Result], metrics: Sequence[str]) -> Courses | None:
    at_once = [result for result in results if result.requests == 1]
    shares = sorted({result.forget_share for result in at_once if catalog.implementation_by_id.get(result.method)})
    if len(shares) < 2:
        return None
    by_method: dict[str, list[Result]] = {}
    for result in at_once:
        by_method.setdefault(result.method, []).append(result)
    rows = []
    for method, own in by_method.items():
        steps = [[result.metrics for result in own if result.forget_share == share] for share in shares]
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
    for requests in sorted({result.requests for result in results if result.requests > 1 and result.forget_share == 1}):
        by_method: dict[str, list[Result]] = {}
        for result in results:
            if result.requests == requests and result.forget_share == 1:
                by_method.setdefault(result.method, []).append(result)
        rows = [
            _course(
                catalog, method, own, metrics, [[result.stages[step] for result in own] for step in range(requests)]
            )
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
    cells = {
        name: tuple(Cell.over(measured[name] for measured in step if name in measured) for step in steps)
        for name in metrics
    }
    seeds = tuple(sorted({result.seed for result in results}))
    return Course(method, described.name if described else method, seeds, cells)
