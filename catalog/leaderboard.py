"""Measured results as tables: one per task and model, one row per method, means over seeds.

All numbers come from committed results; the models before unlearning (target) and without the forget set
(retrained) stand in the same table as points of reference.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from catalog.catalog import Catalog
from catalog.figures import Kind, Point
from catalog.results import Example, Result

Better = Literal["higher", "lower", "retrained"]
REFERENCE_NAMES = {"target": "Target", "retrained": "Retrained"}
REFERENCE_MEANINGS = {
    "target": "the model before unlearning, trained on everything",
    "retrained": "the model that never saw the forget set: the gold standard",
}
_KINDS: dict[str, Kind] = {"target": "target", "retrained": "retrained"}


class Metric(BaseModel):
    """What a column means: an entry of ``reference_impls/metrics/metrics.yaml``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    label: str
    definition: str = ""
    range: tuple[float | None, float | None] | None = None
    better: Better = "higher"
    source: str = ""

    @property
    def direction(self) -> str:
        """Which values are good, in words."""
        return {
            "higher": "higher is better",
            "lower": "lower is better",
            "retrained": "closer to the retrained model is better",
        }[self.better]

    @property
    def span(self) -> str:
        """The range in words, or ``""``."""
        if self.range is None:
            return ""
        low, high = self.range
        if low is not None and high is not None:
            return f"from {low:g} to {high:g}"
        return f"at least {low:g}" if low is not None else f"at most {high:g}" if high is not None else ""

    @property
    def arrow(self) -> str:
        """The same as one character."""
        return {"higher": "↑", "lower": "↓", "retrained": "≈"}[self.better]


@dataclass(frozen=True)
class Cell:
    """A mean over seeds, and how far the seeds spread."""

    mean: float
    spread: float | None
    """Standard deviation; None for one seed."""

    @classmethod
    def over(cls, values: Iterable[float]) -> Cell | None:
        """The cell of these values, or None where there is none."""
        numbers = list(values)
        if not numbers:
            return None
        return cls(statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None)


@dataclass(frozen=True)
class Row:
    """One method with one setting of its hyper-parameters, or a reference."""

    method: str
    name: str
    variant: str
    """What sets this row apart from others of the same method, or ``""``."""
    kind: Kind
    seeds: tuple[int, ...]
    cells: dict[str, Cell | None]
    attacks: dict[str, Cell | None]
    seconds: float
    peak_memory_bytes: int
    command: str
    versions: dict[str, str]
    examples: tuple[Example, ...]

    @property
    def label(self) -> str:
        """The name with its variant."""
        return f"{self.name} ({self.variant})" if self.variant else self.name


@dataclass(frozen=True)
class Board:
    """All rows of one task and model, references first, then methods by name."""

    task: str
    task_name: str
    model: str
    metrics: tuple[Metric, ...]
    attacks: tuple[Metric, ...]
    rows: tuple[Row, ...]

    @property
    def slug(self) -> str:
        """An id for anchors and figures."""
        return "-".join("".join(c if c.isalnum() else " " for c in f"{self.task} {self.model}".lower()).split())

    def reference(self, kind: Kind) -> Row | None:
        """The row of ``target`` or ``retrained``."""
        return next((row for row in self.rows if row.kind == kind), None)

    def only(self, method: str) -> Board:
        """The same board with the references and one method."""
        return replace(self, rows=tuple(row for row in self.rows if row.kind != "method" or row.method == method))

    def brief(self, metrics: Iterable[str]) -> Board:
        """The same board with these columns only."""
        wanted = set(metrics)
        return replace(self, metrics=tuple(one for one in self.metrics if one.id in wanted), attacks=())


def read_metrics(reference_impls: Path) -> tuple[Metric, ...]:
    """What the running half says about its metrics; empty if it says nothing."""
    path = reference_impls / "metrics" / "metrics.yaml"
    if not path.is_file():
        return ()
    rows = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return tuple(Metric.model_validate(row) for row in rows)


def boards(catalog: Catalog, known: tuple[Metric, ...]) -> tuple[Board, ...]:
    """Every task and model with results, in their order; columns in the order of ``known``, others after."""
    places = dict.fromkeys((result.task, result.model) for result in catalog.results)
    return tuple(_board(catalog, known, task, model) for task, model in places)


def points(board: Board, forget: str, utility: str) -> list[Point]:
    """The marks of the board's figure: rows that have both metrics."""
    found = []
    for row in board.rows:
        across, up = row.cells.get(forget), row.cells.get(utility)
        if across and up:
            found.append(Point(row.label, across.mean, up.mean, row.kind))
    return found


def _board(catalog: Catalog, known: tuple[Metric, ...], task: str, model: str) -> Board:
    results = [one for one in catalog.results if (one.task, one.model) == (task, model)]
    metrics = _columns(known, (one.metrics for one in results))
    attacks = _columns(known, (one.attacks for one in results))
    groups: dict[tuple[str, str], list[Result]] = {}
    for one in results:
        setting = json.dumps([one.hyperparameters, one.recipe], sort_keys=True)
        groups.setdefault((one.method, setting), []).append(one)
    rows = [_row(catalog, group, _variant(group[0], results), metrics, attacks) for group in groups.values()]
    rows.sort(key=lambda row: (list(_KINDS).index(row.method) if row.kind != "method" else 2, row.label.casefold()))
    name = catalog.implementation_by_id[task].title if task in catalog.implementation_by_id else task
    return Board(task, name, model, metrics, attacks, tuple(rows))


def _columns(known: tuple[Metric, ...], measured: Iterable[dict[str, float]]) -> tuple[Metric, ...]:
    ids = {name for row in measured for name in row}
    described = [metric for metric in known if metric.id in ids]
    others = sorted(ids - {metric.id for metric in known})
    return (*described, *(Metric(id=name, label=name.replace("_", " ").capitalize()) for name in others))


def _variant(one: Result, results: list[Result]) -> str:
    """The hyper-parameters in which this result's setting differs from others of its method."""
    others = [other for other in results if other.method == one.method]
    settings: dict[str, Any] = {**one.recipe, **one.hyperparameters}
    differing = [
        name
        for name in sorted(settings)
        if any({**other.recipe, **other.hyperparameters}.get(name) != settings[name] for other in others)
    ]
    return ", ".join(f"{name} {settings[name]}" for name in differing)


def _row(
    catalog: Catalog, group: list[Result], variant: str, metrics: tuple[Metric, ...], attacks: tuple[Metric, ...]
) -> Row:
    first = group[0]
    implementation = catalog.implementation_by_id.get(first.method)
    return Row(
        method=first.method,
        name=implementation.name if implementation else REFERENCE_NAMES.get(first.method, first.method),
        variant=variant,
        kind=_KINDS.get(first.method, "method"),
        seeds=tuple(one.seed for one in group),
        cells={m.id: Cell.over(one.metrics[m.id] for one in group if m.id in one.metrics) for m in metrics},
        attacks={m.id: Cell.over(one.attacks[m.id] for one in group if m.id in one.attacks) for m in attacks},
        seconds=statistics.fmean(one.seconds for one in group),
        peak_memory_bytes=max(one.peak_memory_bytes for one in group),
        command=first.command,
        versions=first.versions,
        examples=first.examples,
    )
