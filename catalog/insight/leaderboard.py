"""Measured results as tables: one per task and model, one row per method, means over seeds.

All numbers come from committed results; the models before unlearning (target) and without the forget set
(retrained) stand in the same table as points of reference.
"""

from __future__ import annotations

import json
import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from catalog.base.spread import margin_of_mean
from catalog.figures import Change, Kind, Point
from catalog.model.catalog import Catalog
from catalog.model.defaults import TRUTH
from catalog.model.metrics import Metric
from catalog.model.outcomes import SEPARATES, nearness
from catalog.model.results import EMBEDDED, MADE_HERE, Example, Result

REFERENCE_NAMES = {"target": "Target", "retrained": "Retrained"}
REFERENCE_MEANINGS = {
    "target": "the model before unlearning, trained on everything",
    "retrained": "the model that never saw the forget set: the gold standard",
}
_KINDS: dict[str, Kind] = {"target": "target", "retrained": "retrained"}

DISTANCE, QUALITY = "forget_distance", "forget_quality"
"""Of truth ratios, and the p-value that it has by chance."""
CHANCE = 0.05
_ENDS: tuple[Kind, Kind] = ("target", "retrained")
BEST = (0.1, 0.25, 0.5)
"""Shares of the methods in a column that its cells are told apart by, the best first."""
_DIGITS = 9
"""Of numbers that count as different."""
_ENOUGH = 10
"""Fewer methods than this are told apart by their numbers alone."""


@dataclass(frozen=True)
class Cell:
    """A mean over seeds, and how well it is known."""

    mean: float
    margin: float | None
    """Half the width of the 95% confidence interval of the mean (Student's t); None for one seed."""
    values: tuple[float, ...] = ()
    """Of the seeds."""

    @classmethod
    def over(cls, values: Iterable[float]) -> Cell | None:
        """The cell of these values, or None where there is none."""
        numbers = list(values)
        if not numbers:
            return None
        return cls(statistics.fmean(numbers), margin_of_mean(numbers), tuple(numbers))

    def from_goal(self, goal: float) -> float:
        """How far runs are from a value, mean over seeds: those on either side of it do not cancel."""
        return statistics.fmean(abs(value - goal) for value in self.values)


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
    passes: tuple[float, float]
    """Sequences that went forward and backward through the model while it unlearned, means over seeds."""
    command: str
    versions: dict[str, str]
    examples: tuple[Example, ...]
    standings: dict[str, int] = field(default_factory=dict)
    """For metrics and attacks: 3, 2 or 1 for the best tenth, quarter and half of the board's methods; see `BEST`."""

    @property
    def label(self) -> str:
        """The name with its variant."""
        return f"{self.name} ({self.variant})" if self.variant else self.name

    def cell(self, measure: str) -> Cell | None:
        """The row's value of a metric or an attack; None where it was not measured."""
        return self.cells.get(measure) or self.attacks.get(measure)


@dataclass(frozen=True)
class Blind:
    """An attack that cannot tell the model which knows everything from the one which knows nothing."""

    metric: Metric
    target: float
    retrained: float


@dataclass(frozen=True)
class Board:
    """All rows of one task and model, references first, then methods, those nearest to the retrained model first."""

    task: str
    task_name: str
    model: str
    headline: str
    """The metric that tells most about what a model still knows of the forget set."""
    metrics: tuple[Metric, ...]
    attacks: tuple[Metric, ...]
    rows: tuple[Row, ...]
    blind: tuple[Blind, ...] = ()
    """Attacks that are no column, for under them the target falls as well: what they measure is confusion."""
    line: float | None = None
    """The least distance of truth ratios that chance alone does not explain, at 5%; None where nobody measured it."""
    useful: tuple[str, ...] = ()
    """What the model utility is the harmonic mean of, in words; empty where it is as defined in general."""

    @property
    def slug(self) -> str:
        """An id for anchors and figures."""
        return "-".join("".join(c if c.isalnum() else " " for c in f"{self.task} {self.model}".lower()).split())

    @property
    def embedded(self) -> bool:
        """Whether its model is the embedded one."""
        return self.model == EMBEDDED

    @property
    def made_here(self) -> bool:
        """Whether its model was trained from nothing for the task, as the embedded one was."""
        return self.model in MADE_HERE

    @property
    def title(self) -> str:
        """What it is a board of: the task, and the model where that is not the embedded one."""
        return self.task_name if self.embedded else f"{self.task_name}: {self.model}"

    @property
    def headline_label(self) -> str:
        """What the headline metric is called; its id where it has no definition."""
        return next((metric.label for metric in self.metrics if metric.id == self.headline), self.headline)

    def row(self, method: str) -> Row | None:
        """The first row of a method; None where it was not measured."""
        return next((row for row in self.rows if row.method == method), None)

    def reference(self, kind: Kind) -> Row | None:
        """The row of ``target`` or ``retrained``."""
        return next((row for row in self.rows if row.kind == kind), None)

    def distance(self, row: Row, measure: str) -> float | None:
        """How far a row's runs are from the retrained model, mean over seeds.

        An attack that this model cannot undergo, for it has nothing around its weights, is held against what it knows
        when it is simply asked.

        Args:
            row: one of the board's.
            measure: the id of a metric, or of what an attack measures; None is returned where the row has no value.

        Returns:
            The distance; the value itself where the board has no retrained model to compare with.
        """
        cell, reference = row.cell(measure), self.reference("retrained")
        if cell is None or reference is None:
            return cell.mean if cell else None
        goal = reference.cell(measure) or reference.cell(self.headline)
        return cell.mean if goal is None else cell.from_goal(goal.mean)

    def settled(self, row: Row, metric: Metric) -> bool:
        """Whether a number is what it is by definition: that of the retrained model held against itself."""
        return metric.against == row.kind and not row.variant

    def passed(self, row: Row, metric: Metric) -> bool:
        """Whether a row's runs have passed a test, every one of them."""
        cell = row.cell(metric.id)
        if metric.passed is None or cell is None or self.settled(row, metric):
            return False
        return min(cell.values) >= metric.shown(metric.passed)

    def fainter(self, row: Row) -> bool:
        """Whether a method's answers are only fainter, and not forgotten.

        What it says is at least half way to the retrained model by the headline, and still it prefers the truth to
        what is wrong, nearer to the target in that than to the retrained model.
        """
        said, preferred = self._way(row, self.headline), self._way(row, TRUTH)
        return row.kind == "method" and said is not None and preferred is not None and said >= 0.5 > preferred

    @property
    def some_fainter(self) -> bool:
        """Whether that is so of any."""
        return any(map(self.fainter, self.rows))

    def _way(self, row: Row, measure: str) -> float | None:
        """How far from the target to the retrained model, in [0, 1]; None where that is not known."""
        ends = [reference.cell(measure) if reference else None for reference in map(self.reference, _ENDS)]
        cell = row.cell(measure)
        return nearness(cell.mean, *(end.mean for end in ends if end)) if cell and all(ends) else None

    def nearest(self, count: int) -> Board:
        """The same board with the references and the first methods, which are nearest to the retrained model."""
        return replace(self, rows=(*self.references, *self.methods[:count]))

    @property
    def references(self) -> tuple[Row, ...]:
        """What methods are compared with."""
        return tuple(row for row in self.rows if row.kind != "method")

    @property
    def methods(self) -> tuple[Row, ...]:
        """All other rows."""
        return tuple(row for row in self.rows if row.kind == "method")

    def only(self, method: str) -> Board:
        """The same board with the references and one method."""
        return replace(self, rows=tuple(row for row in self.rows if row.kind != "method" or row.method == method))

    def brief(self, metrics: Iterable[str]) -> Board:
        """The same board with these columns only."""
        wanted = set(metrics)
        return replace(self, metrics=tuple(metric for metric in self.metrics if metric.id in wanted), attacks=())


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Every task and model with results, in their order; columns in the order of the definitions, others after."""
    places = dict.fromkeys((result.task, result.model) for result in catalog.results if result.plain)
    return tuple(_board(catalog, task, model) for task, model in places)


def points(board: Board, utility: str) -> list[Point]:
    """The marks of the board's figure: rows that have its headline metric and ``utility``."""
    marks = []
    for row in board.rows:
        across, up = row.cells.get(board.headline), row.cells.get(utility)
        if across and up:
            marks.append(Point(row.label, across.mean, up.mean, row.kind))
    return marks


def changes(board: Board, attack: str, most: int) -> list[Change]:
    """The rows of the figure of an attack: references first, then methods, those first that give least back.

    Args:
        board: with the measurements.
        attack: the id of what it measures.
        most: so many methods, those nearest to the retrained model before the attack.
    """
    rows = []
    for row in board.nearest(most).rows:
        before, after = row.cells.get(board.headline), row.attacks.get(attack)
        if before and after:
            rows.append(Change(row.label, before.mean, after.mean, row.kind))
    order = list(_KINDS)
    return sorted(
        rows, key=lambda change: (order.index(change.kind) if change.kind in order else 2, change.after, change.label)
    )


def _board(catalog: Catalog, task: str, model: str) -> Board:
    results = [result for result in catalog.results if (result.task, result.model) == (task, model) and result.plain]
    metrics = _columns(catalog.metrics, (result.metrics for result in results))
    attacks = _columns(catalog.metrics, (result.attacks for result in results))
    blind = tuple(_blind(attacks, results))
    telling_nothing = {entry.metric.id for entry in blind}
    attacks = tuple(attack for attack in attacks if attack.id not in telling_nothing)
    groups: dict[tuple[str, str, int], list[Result]] = {}
    for result in results:
        setting = json.dumps([result.hyperparameters, result.recipe], sort_keys=True)
        # Models retrained with other seeds are rows of their own: how far apart they are is the noise of a metric.
        apart = result.seed if result.method in REFERENCE_NAMES else 0
        groups.setdefault((result.method, setting, apart), []).append(result)
    rows = [_row(catalog, group, _variant(group[0], results), metrics, attacks) for group in groups.values()]
    described = catalog.implementation_by_id.get(task)
    name, headline = (described.title, described.headline) if described else (task, "forget_probability")
    labels = {metric.id: metric.label for metric in catalog.metrics}
    useful = tuple(labels.get(name, name) for name in described.utility) if described else ()
    board = Board(task, name, model, headline, metrics, attacks, tuple(rows), blind, _line(results), useful)
    standings = _standings(board)
    told = (replace(row, standings=standings[place]) for place, row in enumerate(rows))
    return replace(board, rows=tuple(sorted(told, key=partial(_place, board))))


def _standings(board: Board) -> list[dict[str, int]]:
    """For each row, in which of the best shares of its column a value lies.

    Equal values lie in the same, and in none that has no room for them all: what most reach sets nobody apart.
    """
    standings: list[dict[str, int]] = [{} for _ in board.rows]
    for measure in (*board.metrics, *board.attacks):
        sign = -1.0 if measure.better == "higher" else 1.0
        falling_short = {}
        for place, row in enumerate(board.rows):
            cell = row.cell(measure.id)
            if row.kind == "method" and cell:
                aside = board.distance(row, measure.id) if measure.better == "retrained" else sign * cell.mean
                falling_short[place] = round(aside or 0.0, _DIGITS)
        if len(falling_short) < _ENOUGH:
            continue
        ordered = sorted(falling_short.values())
        rooms = [max(1, round(share * len(ordered))) for share in BEST]
        for place, aside in falling_short.items():
            level = sum(bisect_right(ordered, aside) <= room for room in rooms)
            if level:
                standings[place][measure.id] = level
    return standings


def _place(board: Board, row: Row) -> tuple[int, float, str]:
    """Where a row stands: by how far what it knows of the forget set is from what the retrained model knows."""
    if row.kind != "method":
        return list(_KINDS).index(row.method), 0.0, row.label.casefold()
    apart = board.distance(row, board.headline)
    return len(_KINDS), math.inf if apart is None else apart, row.label.casefold()


def _blind(attacks: Iterable[Metric], results: Iterable[Result]) -> Iterator[Blind]:
    references = {
        result.method: result.attacks for result in results if result.method in REFERENCE_NAMES and not result.seed
    }
    for metric in attacks:
        values = [references[which][metric.id] for which in REFERENCE_NAMES if metric.id in references.get(which, {})]
        if len(values) == len(REFERENCE_NAMES) and abs(values[0] - values[1]) < SEPARATES:
            yield Blind(metric, *values)


def _line(results: Iterable[Result]) -> float | None:
    """The least distance of truth ratios with a p-value below 5%; it hangs on how many questions there are alone."""
    told = (
        result.metrics[DISTANCE]
        for result in results
        if DISTANCE in result.metrics and result.metrics.get(QUALITY, 1.0) < CHANCE
    )
    return min(told, default=None)


def _columns(known: tuple[Metric, ...], measured: Iterable[dict[str, float]]) -> tuple[Metric, ...]:
    ids = {name for row in measured for name in row}
    described = [metric for metric in known if metric.id in ids and not metric.detail]
    others = sorted(ids - {metric.id for metric in known})
    return (*described, *(Metric(id=name, label=name.replace("_", " ").capitalize()) for name in others))


def _variant(result: Result, results: list[Result]) -> str:
    """The hyper-parameters in which this result's setting differs from others of its method."""
    if result.method in REFERENCE_NAMES:
        return f"again, seed {result.seed}" if result.seed else ""
    others = [other for other in results if other.method == result.method]
    settings: dict[str, Any] = {**result.recipe, **result.hyperparameters}
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
        seeds=tuple(result.seed for result in group),
        cells={
            m.id: Cell.over(m.shown(result.metrics[m.id]) for result in group if m.id in result.metrics)
            for m in metrics
        },
        attacks={m.id: Cell.over(result.attacks[m.id] for result in group if m.id in result.attacks) for m in attacks},
        seconds=statistics.fmean(result.seconds for result in group),
        peak_memory_bytes=max(result.peak_memory_bytes for result in group),
        passes=(
            statistics.fmean(result.forward_passes for result in group),
            statistics.fmean(result.backward_passes for result in group),
        ),
        command=first.command,
        versions=first.versions,
        examples=first.examples,
    )
