"""What was measured on the task that stands for all, as the README shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.base.project import Project
from catalog.insight import leaderboard
from catalog.insight.leaderboard import Board, Row
from catalog.model.catalog import Catalog
from catalog.model.defaults import ATTACK, METHOD, TASK, UTILITY
from catalog.model.results import Example

_COLUMNS = ("forget_quality", "forget_probability", "forget_rouge", "retain_probability", UTILITY)
_SHORT = ("forget_probability", "retain_probability", UTILITY)
_SHORT_ATTACKS = (ATTACK,)
_MOST = 25
"""How many methods the whole table holds: the README must not grow with each one that is measured."""
_KEPT = 0.9
"""A method is in the short table only if this share of the target's utility is left."""


@dataclass(frozen=True)
class Table:
    """Measured results, ready to print."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...]
    """For each row the id of its method, or ``""`` for a reference."""
    seeds: int
    """The most seeds that a row is the mean of."""


@dataclass(frozen=True)
class Results:
    """What was measured on one task: a short table for the first screen, a long one, and an answer."""

    short: Table
    long: Table
    """The methods nearest to the retrained model."""
    shown: int
    """How many of them."""
    methods: int
    """How many were measured."""
    answer: Example | None
    """What the method that the first command runs says of something that it was to forget."""


def measured(project: Project, catalog: Catalog) -> Results | None:
    """The results on the task that stands for all; None where nothing has been measured."""
    boards = leaderboard.boards(catalog)
    board = next((board for board in boards if board.task == TASK), None)
    if board is None:
        return None
    references = [row for kind in ("target", "retrained") if (row := board.reference(kind))]
    methods = [row for row in board.rows if row.kind == "method"]
    asked = next((row.examples for row in board.rows if row.method == METHOD), ())
    return Results(
        _table(catalog, board, [*references, *_best_of_families(catalog, board)], _SHORT, _SHORT_ATTACKS),
        _table(catalog, board, [*references, *methods[:_MOST]], _COLUMNS, ()),
        len(methods[:_MOST]),
        len(methods),
        next((example for example in asked if example.split == "forget"), None),
    )


def _best_of_families(catalog: Catalog, board: Board) -> list[Row]:
    """Of each family the method nearest to the retrained model, of those that keep utility; the nearest first."""

    def value(row: Row | None, metric: str) -> float | None:
        cell = row.cells.get(metric) if row else None
        return cell.mean if cell else None

    utility = value(board.reference("target"), UTILITY)
    if value(board.reference("retrained"), board.headline) is None:
        return []
    best: dict[str, tuple[float, str, Row]] = {}
    for row in board.rows:
        method, apart, kept = (
            catalog.implementation_by_id.get(row.method),
            board.distance(row, board.headline),
            value(row, UTILITY),
        )
        if row.kind != "method" or method is None or apart is None:
            continue
        if utility is not None and (kept is None or kept < _KEPT * utility):
            continue
        candidate = (apart, row.label, row)
        best[method.family] = min(best.get(method.family, candidate), candidate, key=lambda entry: entry[:2])
    return [row for *_, row in sorted(best.values(), key=lambda entry: entry[:2])]


def _table(
    catalog: Catalog, board: Board, rows: Iterable[Row], metrics: Iterable[str], attacks: Iterable[str]
) -> Table:
    """Some rows and columns of a board."""
    shown = [(metric, "cells") for name in metrics for metric in board.metrics if metric.id == name]
    shown += [(metric, "attacks") for name in attacks for metric in board.attacks if metric.id == name]
    header = ("Method", *(f"{metric.heading} {metric.arrow}" for metric, _ in shown), "Seconds")
    lines, ids = [], []
    for row in rows:
        method = catalog.implementation_by_id.get(row.method)
        ids.append(method.id if method else "")
        numbers = [None if board.settled(row, metric) else getattr(row, kind).get(metric.id) for metric, kind in shown]
        cells = (f"{cell.mean:.2f}" if cell else "–" for cell in numbers)
        lines.append((row.label, *cells, f"{row.seconds:.0f}" if row.kind == "method" else "–"))
    return Table(header, tuple(lines), tuple(ids), max((len(row.seeds) for row in board.rows), default=0))
