"""The plane of what is left of the forget set and of utility: points, axes and marks, however they are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from catalog.figures.drawing import Scale, main_reach
from catalog.figures.labels import Box

Kind = Literal["method", "target", "retrained"]
MANY = 12
"""More points than this are shown as far as most of them reach; fewer between 0 and 1, so that figures compare."""

CROWD = 60
"""Of more points than this only those with room beside them are named in the figure; the others by pointing at them."""


@dataclass(frozen=True)
class Point:
    """One mark: how much of what was to be forgotten is left (x), and how useful the model still is (y)."""

    label: str
    forget: float
    utility: float
    kind: Kind = "method"


def front(points: Sequence[Point]) -> frozenset[str]:
    """Labels of the methods that no other one beats on both counts: the Pareto front.

    A method is better if what is left of the forget set is nearer to the retrained model's value (or lower, where there
    is none), and if its utility is higher.
    """
    aims = [point.forget for point in points if point.kind == "retrained"]
    methods = [point for point in points if point.kind == "method"]
    gaps = {point.label: abs(point.forget - aims[0]) if aims else point.forget for point in methods}

    def beaten(method: Point) -> bool:
        return any(
            gaps[other.label] <= gaps[method.label]
            and other.utility >= method.utility
            and (gaps[other.label], -other.utility) != (gaps[method.label], -method.utility)
            for other in methods
        )

    return frozenset(point.label for point in methods if not beaten(point))


def in_words(points: Sequence[Point]) -> str:
    """Every point with its numbers."""
    return "; ".join(f"{point.label}: forget {point.forget:.2f}, utility {point.utility:.2f}" for point in points)


class Plane:
    """Points in a frame. A few that are far from the others stand at its edge, as arrows with their values."""

    def __init__(self, points: Sequence[Point], frame: Box, radius: float, marked: str = "") -> None:
        self.points, self.frame, self._radius, self._marked = points, frame, radius, marked
        self._ahead = front(points) | {marked}
        self.across = self._scale([point.forget for point in points], frame.left, frame.right)
        self.up = self._scale([point.utility for point in points], frame.bottom, frame.top)

    def _scale(self, values: Sequence[float], start: float, end: float) -> Scale:
        if len(values) <= MANY:
            return Scale.over(values, start, end)
        pairs = list(zip(values, self.points, strict=True))
        methods = [value for value, point in pairs if point.kind == "method"]
        references = [value for value, point in pairs if point.kind != "method"]
        return Scale.around(main_reach(methods, references), start, end)

    def behind(self, point: Point) -> bool:
        """Whether it is a method that another one beats, and not what the figure is about."""
        return point.kind == "method" and point.label not in self._ahead

    def marks(self, points: Sequence[Point]) -> Iterator[str]:
        """Marks over each other: what is behind below, then the front, the references, and what the figure is about."""
        for point in sorted(points, key=self._height):
            yield self._mark(point)

    def _height(self, point: Point) -> tuple[bool, bool, bool]:
        """How far up its mark lies in the pile."""
        return point.label == self._marked, point.kind != "method", not self.behind(point)

    def place(self, point: Point) -> tuple[float, float]:
        """The middle of its mark."""
        frame, reach = self.frame, self._radius if any(self._out(point)) else 0.0
        x, y = self.across.place(point.forget), self.up.place(point.utility)
        return (
            min(max(x, frame.left + reach), frame.right - reach) if self._out(point)[0] else x,
            min(max(y, frame.top + reach), frame.bottom - reach) if self._out(point)[1] else y,
        )

    def name(self, point: Point) -> str:
        """Its label, with the values that its place does not show."""
        values = (point.forget, point.utility)
        unseen = [f"{value:.2f}" for value, out in zip(values, self._out(point), strict=True) if out]
        return " ".join([point.label, *unseen])

    def _out(self, point: Point) -> tuple[int, int]:
        """On which side of the frame it would be, across and up: 0 for inside."""
        return self.across.side(point.forget), self.up.side(point.utility)

    def axes(self, forget_label: str, utility_label: str, below: float) -> Iterator[str]:
        """The grid with its numbers, and the axes' names; the lower one ``below`` the frame."""
        frame = self.frame
        for x, text in self.across.ticks():
            yield f'<line class="figure-grid" x1="{x:.1f}" y1="{frame.top}" x2="{x:.1f}" y2="{frame.bottom}"/>'
            yield f'<text class="figure-tick" x="{x:.1f}" y="{frame.bottom + 18}" text-anchor="middle">{text}</text>'
        for y, text in self.up.ticks():
            yield f'<line class="figure-grid" x1="{frame.left}" y1="{y:.1f}" x2="{frame.right}" y2="{y:.1f}"/>'
            yield f'<text class="figure-tick" x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        middle, height = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
        yield (
            f'<text class="figure-axis" x="{middle}" y="{frame.bottom + below}" text-anchor="middle">'
            f"{escape(forget_label)} →</text>"
        )
        yield (
            f'<text class="figure-axis" transform="rotate(-90 14 {height})" x="14" y="{height}" text-anchor="middle">'
            f"{escape(utility_label)} →</text>"
        )

    def _mark(self, point: Point) -> str:
        """Kinds differ in shape as well as color; what is behind the front is hollow, what is outside an arrow."""
        (x, y), radius = self.place(point), self._radius
        about = f"<title>{escape(in_words([point]))}</title>"
        if point.kind == "target":
            side = 2 * radius - 1
            place = f'x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"'
            return f'<rect class="figure-mark figure-target" {place}>{about}</rect>'
        if point.kind == "retrained":
            reach = radius + 2
            corners = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]
            return f'<polygon class="figure-mark figure-retrained" points="{_path(corners)}">{about}</polygon>'
        look = "figure-behind" if self.behind(point) else "figure-method"
        if point.label == self._marked:
            look, radius = f"{look} figure-marked", radius + 1.5
        if any(self._out(point)):
            return f'<polygon class="figure-mark {look}" points="{_path(self._arrow(point, x, y))}">{about}</polygon>'
        return f'<circle class="figure-mark {look}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{about}</circle>'

    def _arrow(self, point: Point, x: float, y: float) -> list[tuple[float, float]]:
        """A triangle whose tip points to where the mark would be."""
        right, above = self._out(point)
        along = (float(right), -float(above))
        length = (along[0] ** 2 + along[1] ** 2) ** 0.5
        ahead = (along[0] / length * self._radius, along[1] / length * self._radius)
        back = (x - ahead[0], y - ahead[1])
        return [
            (x + ahead[0], y + ahead[1]),
            (back[0] - ahead[1], back[1] + ahead[0]),
            (back[0] + ahead[1], back[1] - ahead[0]),
        ]


def _path(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
