"""Methods side by side: every measure of every task with how far it is off the ideal, and how surely.

Two methods differ in a measure where the intervals of how far they are off do not meet: one is then nearer. A measure
that was taken with one seed has no interval, and tells no two methods apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.insight.leaderboard import Board, Cell, Row
from catalog.insight.tradeoff import Tradeoff, front, tradeoff
from catalog.model.catalog import Catalog
from catalog.model.defaults import UTILITY
from catalog.model.implementations import Implementation
from catalog.model.metrics import Metric
from catalog.model.results import EMBEDDED


@dataclass(frozen=True)
class Off:
    """How far a measured mean is from the ideal of its measure, as an interval: less is better."""

    low: float
    high: float

    def nearer_than(self, other: Off) -> bool:
        """Whether this one is nearer, beyond the intervals."""
        return self.high < other.low


@dataclass(frozen=True)
class Value:
    """One measure of one method."""

    cell: Cell
    off: Off | None
    """None with one seed, or where the ideal is the retrained model's and that is not known."""


@dataclass(frozen=True)
class Side:
    """One method on one task, to stand beside another."""

    board: Board
    row: Row
    values: Mapping[str, Value]
    """By the id of the measure, attacks included."""
    chosen: Mapping[str, Any]
    """The hyper-parameters and the learning rate of its runs."""
    curve: tuple[tuple[float, float], ...] = ()
    """The edge of what its trials reached: (nearness to the retrained model, utility kept), by the first."""
    tried: Tradeoff | None = field(default=None, repr=False)


def sides(catalog: Catalog, boards: tuple[Board, ...], method: Implementation) -> Iterator[Side]:
    """A method on every task on which it was measured with the embedded model, in the order of the boards."""
    for board in boards:
        row = board.row(method.id)
        if row is None or board.model != EMBEDDED:
            continue
        values = {metric.id: value for metric in measures(board) if (value := _value(board, row, metric))}
        runs = (result for result in catalog.results_of(method.id) if result.plain)
        run = next(result for result in runs if (result.task, result.model) == (board.task, board.model))
        chosen = {name: value for name, value in run.recipe.items() if name == "learning_rate"} | run.hyperparameters
        tried = tradeoff(catalog, board.task, method)
        curve = front((trial.closeness or 0.0, trial.kept) for trial in tried.trials) if tried else []
        yield Side(board, row, values, chosen, tuple(curve), tried)


def measures(board: Board) -> tuple[Metric, ...]:
    """What is set side by side: the headline, the utility, the others as in tables, then what attacks bring back."""
    first = (board.headline, UTILITY)
    ranked = sorted(board.metrics, key=lambda metric: first.index(metric.id) if metric.id in first else len(first))
    return (*ranked, *board.attacks)


def off(cell: Cell, better: str, goal: float | None) -> Off | None:
    """How far a mean with its interval is from the ideal.

    Args:
        cell: the mean.
        better: which values are good: higher, lower, or those near the retrained model's.
        goal: that model's value, where it counts.
    """
    if cell.margin is None:
        return None
    low, high = cell.mean - cell.margin, cell.mean + cell.margin
    if better == "lower":
        return Off(low, high)
    if better == "higher":
        return Off(-high, -low)
    if goal is None:
        return None
    ends = sorted((abs(low - goal), abs(high - goal)))
    return Off(0.0 if low <= goal <= high else ends[0], ends[1])


def _value(board: Board, row: Row, metric: Metric) -> Value | None:
    cell, retrained = row.cell(metric.id), board.reference("retrained")
    goal = retrained.cell(metric.id) if retrained else None
    return Value(cell, off(cell, metric.better, goal.mean if goal else None)) if cell else None
