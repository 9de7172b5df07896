"""What figures with one row per model share: names on the left, an axis below, the retrained model as a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from catalog.figures.drawing import Scale, text_width

WIDTH = 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 150, 20, 12, 52
RIGHT = WIDTH - _RIGHT
_ROW, _LOW_ROW = 24, 17
"""The height of a row, and that in a figure of many."""
_MANY = 16
_NAME, _GAP = 14.0, 12
"""The size of the type of a name, and what is left between it and the grid."""
_LEAST = 160
"""How wide the grid is in any case."""


@dataclass(frozen=True)
class Rows:
    """The frame of a figure with a row for each name."""

    names: Sequence[str]

    @property
    def left(self) -> float:
        """Where the grid begins: behind the longest name."""
        longest = max((text_width(name, _NAME, bold=True) for name in self.names), default=0.0)
        return min(max(_LEFT, round(longest) + 2 * _GAP), RIGHT - _LEAST)

    @property
    def _row(self) -> int:
        return _LOW_ROW if len(self.names) > _MANY else _ROW

    @property
    def height(self) -> int:
        """How high the figure is."""
        return _TOP + self._row * len(self.names) + _BOTTOM

    def axis(self, across: Scale, label: str, goal: float | None) -> Iterator[str]:
        """The grid with its numbers, the axis's name, and the line at ``goal``."""
        bottom = self.height - _BOTTOM
        for x, text in across.ticks():
            yield f'<line class="figure-grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
            yield f'<text class="figure-tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>'
        x, y = (self.left + RIGHT) / 2, self.height - 10
        yield f'<text class="figure-axis" x="{x}" y="{y}" text-anchor="middle">{escape(label)} →</text>'
        if goal is not None:
            x = across.place(goal)
            yield f'<line class="figure-goal" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'

    def name(self, row: int) -> str:
        """A row's name."""
        x, y = self.left - _GAP, self._middle(row) + 5
        return f'<text class="figure-label" x="{x}" y="{y:.1f}" text-anchor="end">{escape(self.names[row])}</text>'

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
