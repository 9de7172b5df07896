"""What figures with one row per model share: names on the left, an axis below, the retrained model as a line."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from catalog.figures.drawing import Scale

WIDTH = 480
LEFT, _RIGHT, _TOP, _BOTTOM = 150, 20, 12, 52
RIGHT = WIDTH - _RIGHT
_ROW = 24


def height_of(rows: int) -> int:
    """How high a figure with so many rows is."""
    return _TOP + _ROW * rows + _BOTTOM


def middle_of(row: int) -> float:
    """Where a row is, from the top."""
    return _TOP + _ROW * (row + 0.5)


def axis(across: Scale, rows: int, label: str, goal: float | None) -> Iterator[str]:
    """The grid with its numbers, the axis's name, and the line at ``goal``."""
    bottom = height_of(rows) - _BOTTOM
    for x, text in across.ticks():
        yield f'<line class="figure-grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text class="figure-tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>'
    x, y = (LEFT + RIGHT) / 2, height_of(rows) - 10
    yield f'<text class="figure-axis" x="{x}" y="{y}" text-anchor="middle">{escape(label)} →</text>'
    if goal is not None:
        x = across.place(goal)
        yield f'<line class="figure-goal" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'


def name(row: int, label: str) -> str:
    """A row's name."""
    y = middle_of(row) + 5
    return f'<text class="figure-label" x="{LEFT - 12}" y="{y:.1f}" text-anchor="end">{escape(label)}</text>'


def change(row: int, start: float, end: float) -> str:
    """A line along a row, from one place to another."""
    y = middle_of(row)
    return f'<line class="figure-change" x1="{start:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}"/>'


def mark(row: int, x: float, look: str, about: str, radius: float = 5.0) -> str:
    """A mark on a row, with words for those who point at it."""
    shown = f"<title>{escape(about)}</title>"
    return (
        f'<circle class="figure-mark {look}" cx="{x:.1f}" cy="{middle_of(row):.1f}" r="{radius:.1f}">{shown}</circle>'
    )
