"""What figures with one row per model share: names on the left, an axis below, the retrained model as a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from catalog.figures.drawing import Scale

WIDTH = 480
LEFT, _RIGHT, _TOP, _BOTTOM = 150, 20, 12, 52
RIGHT = WIDTH - _RIGHT
_ROW, _LOW_ROW = 24, 17
"""The height of a row, and that in a figure of many."""
_MANY = 16


@dataclass(frozen=True)
class Rows:
    """The frame of a figure with so many rows."""

    count: int

    @property
    def _row(self) -> int:
        return _LOW_ROW if self.count > _MANY else _ROW

    @property
    def height(self) -> int:
        """How high the figure is."""
        return _TOP + self._row * self.count + _BOTTOM

    def axis(self, across: Scale, label: str, goal: float | None) -> Iterator[str]:
        """The grid with its numbers, the axis's name, and the line at ``goal``."""
        bottom = self.height - _BOTTOM
        for x, text in across.ticks():
            yield f'<line class="figure-grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
            yield f'<text class="figure-tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>'
        x, y = (LEFT + RIGHT) / 2, self.height - 10
        yield f'<text class="figure-axis" x="{x}" y="{y}" text-anchor="middle">{escape(label)} →</text>'
        if goal is not None:
            x = across.place(goal)
            yield f'<line class="figure-goal" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'

    def name(self, row: int, label: str) -> str:
        """A row's name."""
        y = self._middle(row) + 5
        return f'<text class="figure-label" x="{LEFT - 12}" y="{y:.1f}" text-anchor="end">{escape(label)}</text>'

    def change(self, row: int, start: float, end: float) -> str:
        """A line along a row, from one place to another."""
        y = self._middle(row)
        return f'<line class="figure-change" x1="{start:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}"/>'

    def mark(self, row: int, x: float, look: str, about: str, radius: float = 5.0) -> str:
        """A mark on a row, with words for those who point at it."""
        y, shown = self._middle(row), f"<title>{escape(about)}</title>"
        return f'<circle class="figure-mark {look}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">{shown}</circle>'

    def _middle(self, row: int) -> float:
        return _TOP + self._row * (row + 0.5)
