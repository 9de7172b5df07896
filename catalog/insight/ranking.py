"""Does the ranking of the embedded model hold on a larger one? Rank correlations between two boards of a task.

The embedded model is a thousandth of a real one. What it says of methods is worth something beyond itself as far as a
larger model puts the same methods in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.insight.leaderboard import Board, Row
from catalog.model.metrics import Metric
from catalog.model.results import EMBEDDED

FEWEST = 5
"""Of how many methods on, a correlation of ranks is told."""
_Z_95 = 1.959964
_VARIANCE = 1.06
"""Of Fisher's z of a rank correlation of n pairs, times n - 3 (Fieller, Hartley and Pearson 1957)."""


@dataclass(frozen=True)
class Place:
    """One method on both boards."""

    method: str
    name: str
    small: float
    """The mean with the embedded model."""
    large: float
    rank_small: float
    """From 1, the best; ties share the mean of their places."""
    rank_large: float


@dataclass(frozen=True)
class Agreement:
    """How far two boards put the same methods in the same order, by one measure."""

    metric: Metric
    places: tuple[Place, ...]
    """The best with the embedded model first."""
    correlation: float
    """Spearman's; 1 is the same order, 0 is none, -1 the reverse."""
    low: float
    """Of its 95% interval."""
    high: float

    @property
    def verdict(self) -> str:
        """What the interval says, in words."""
        if self.low > 0:
            return "the order holds"
        return "the order is reversed" if self.high < 0 else "cannot be told"


@dataclass(frozen=True)
class Comparison:
    """A board of the embedded model, and one of the same task with a larger model."""

    small: Board
    large: Board
    agreements: tuple[Agreement, ...]
    """The headline first, then as in the boards."""


def comparisons(boards: Sequence[Board]) -> Iterator[Comparison]:
    """Every task that was measured with the embedded model and with a larger one."""
    for small in (board for board in boards if board.model == EMBEDDED):
        for large in (board for board in boards if board.task == small.task and board.model != EMBEDDED):
            metrics = sorted(small.metrics, key=lambda metric: metric.id != small.headline)
            agreements = (agreement(metric, small, large) for metric in metrics)
            yield Comparison(small, large, tuple(found for found in agreements if found))


def agreement(metric: Metric, small: Board, large: Board) -> Agreement | None:
    """By one measure; None where fewer than :data:`FEWEST` methods have it on both boards, or none differs."""
    pairs = list(_both(metric, small, large))
    if len(pairs) < FEWEST:
        return None
    offs = [[_off(metric, board, rows[side]) or 0.0 for rows in pairs] for side, board in enumerate((small, large))]
    if any(len(set(values)) == 1 for values in offs):
        return None
    ranked = [ranks(values) for values in offs]
    correlation = pearson(*ranked)
    low, high = interval(correlation, len(pairs))
    places = (
        Place(ours.method, ours.name, _mean(metric, ours), _mean(metric, theirs), *at)
        for (ours, theirs), *at in zip(pairs, *ranked, strict=True)
    )
    ordered = sorted(places, key=lambda place: (place.rank_small, place.name.casefold()))
    return Agreement(metric, tuple(ordered), correlation, low, high)


def ranks(values: Sequence[float]) -> list[float]:
    """The place of each value among them, from 1 for the smallest; ties share the mean of their places.

    >>> ranks([0.3, 0.1, 0.3])
    [2.5, 1.0, 2.5]
    """
    return [
        sum(other < value for other in values) + (1 + sum(other == value for other in values)) / 2 for value in values
    ]


def pearson(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The correlation of two sequences that are not constant; of ranks, it is Spearman's."""
    mean_ours, mean_theirs = (sum(values) / len(values) for values in (ours, theirs))
    apart = [(one - mean_ours, other - mean_theirs) for one, other in zip(ours, theirs, strict=True)]
    together = sum(one * other for one, other in apart)
    return together / math.sqrt(sum(one * one for one, _ in apart) * sum(other * other for _, other in apart))


def interval(correlation: float, count: int) -> tuple[float, float]:
    """The 95% interval of a rank correlation of ``count`` > 3 pairs, by Fisher's z.

    >>> [round(end, 2) for end in interval(0.0, 28)]
    [-0.38, 0.38]
    """
    bounded = max(-1 + 1e-9, min(1 - 1e-9, correlation))
    z, half = math.atanh(bounded), _Z_95 * math.sqrt(_VARIANCE / (count - 3))
    return math.tanh(z - half), math.tanh(z + half)


def _both(metric: Metric, small: Board, large: Board) -> Iterator[tuple[Row, Row]]:
    """The rows of every method that has the measure on both boards, where its ideal is known."""
    for ours in small.rows:
        theirs = large.row(ours.method) if ours.kind == "method" and small.row(ours.method) is ours else None
        if theirs and None not in (_off(metric, small, ours), _off(metric, large, theirs)):
            yield ours, theirs


def _off(metric: Metric, board: Board, row: Row) -> float | None:
    """How far a row is from the ideal of a measure: less is better; None where the ideal is not known."""
    cell, retrained = row.cell(metric.id), board.reference("retrained")
    if cell is None:
        return None
    if metric.better == "retrained":
        return board.distance(row, metric.id) if retrained and retrained.cell(metric.id) else None
    return cell.mean if metric.better == "lower" else -cell.mean


def _mean(metric: Metric, row: Row) -> float:
    cell = row.cell(metric.id)
    assert cell is not None
    return cell.mean
