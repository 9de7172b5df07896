"""Charts as SVG, drawn while the site is built: accessible, sharp in print, and themed by CSS variables.

A figure carries a title and a description for those who cannot see it. Inline, it takes its colors from the
page; as a file of its own it brings them along, for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Kind = Literal["method", "target", "retrained"]

STYLE = """\
.figure { font-family: var(--figure-font, system-ui, "Segoe UI", "Liberation Sans", sans-serif); font-size: 14px;
  max-width: 100%; height: auto; }
.figure text { fill: var(--figure-ink, #33404d); }
.figure .figure-tick { font-size: 13px; fill: var(--figure-faint, #66707d); }
.figure .figure-grid { stroke: var(--figure-line, #e2ded4); stroke-width: 1; }
.figure .figure-leader { stroke: var(--figure-faint, #66707d); stroke-width: 1; }
.figure .figure-method { fill: var(--figure-method, #0b6b66); }
.figure .figure-target { fill: var(--figure-target, #b4441a); }
.figure .figure-retrained { fill: var(--figure-retrained, #8a6a00); }
.figure .figure-mark { stroke: var(--figure-ground, #fbfaf7); stroke-width: 1.5; }
.figure .figure-label { font-weight: 600; }
"""
"""The rules of every figure. The variables may be set by the page around it."""

_ALONE = """\
svg { background: var(--figure-ground, #fbfaf7); }
@media (prefers-color-scheme: dark) {
  svg { --figure-ink: #dfe4e9; --figure-faint: #98a3ae; --figure-line: #2c3640; --figure-ground: #12171d;
    --figure-method: #63c7bd; --figure-target: #f0946b; --figure-retrained: #e3c25a; }
}
"""

_WIDTH, _HEIGHT = 480, 370
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 14, 56
_RADIUS = 6.0
_LETTER = 7.9
"""Width of a letter of a label, on the safe side: fonts differ and nothing can be measured here."""


@dataclass(frozen=True)
class Point:
    """One mark: how much of what was to be forgotten is left (x), and how useful the model still is (y)."""

    label: str
    forget: float
    utility: float
    kind: Kind = "method"


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def outside(self, frame: _Box) -> float:
        return (
            max(0.0, frame.left - self.left)
            + max(0.0, self.right - frame.right)
            + max(0.0, frame.top - self.top)
            + max(0.0, self.bottom - frame.bottom)
        )


_FRAME = _Box(_LEFT, _TOP, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM)


def forget_utility_figure(
    points: Sequence[Point],
    standalone: bool,
    *,
    forget_label: str = "Forget set: probability of the answers",
    utility_label: str = "Utility",
    ident: str = "forget-utility",
) -> str:
    """A scatter of what is left of the forget set against utility, one labelled mark per method.

    Args:
        points: the methods, and ``target`` and ``retrained`` as points of reference.
        standalone: a file of its own, with its colors; else a fragment for a page that links :data:`STYLE`.
        forget_label: name of the horizontal axis.
        utility_label: name of the vertical axis.
        ident: what the ids inside begin with; unique on a page.
    """
    across = _Scale.over([point.forget for point in points], _FRAME.left, _FRAME.right)
    up = _Scale.over([point.utility for point in points], _FRAME.bottom, _FRAME.top)
    title = f"{utility_label} against {forget_label[:1].lower()}{forget_label[1:]}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" aria-labelledby="{ident}-title {ident}-text">',
        f'<title id="{ident}-title">{escape(title)}</title>',
        f'<desc id="{ident}-text">{escape(_in_words(points))}</desc>',
    ]
    if standalone:
        lines.append(f"<style>{STYLE}{_ALONE}</style>")
    lines += [*_axes(across, up, forget_label, utility_label), *_marks(points, across, up), "</svg>"]
    return "\n".join(lines) + ("\n" if standalone else "")


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float
    step: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Scale:
        """From 0 to 1 if all values are in between, so that figures compare; else round ends with some air."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        if low >= 0 and high <= 1:
            return cls(-0.04, 1.04, start, end, 0.2)
        # Values closer than can be told apart on the axis are spread around their middle.
        span = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-6)
        middle = (low + high) / 2
        low, high = middle - 0.62 * span, middle + 0.62 * span
        step = _round_step((high - low) / 5)
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, start, end, step)

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> Iterator[tuple[float, str]]:
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        number = math.ceil(self.low / self.step - 1e-9)
        while number * self.step <= self.high + 1e-9:
            yield self.place(number * self.step), f"{number * self.step:.{digits}f}"
            number += 1


def _round_step(width: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(width))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= width - 1e-12)


def _in_words(points: Sequence[Point]) -> str:
    return "; ".join(f"{point.label}: forget {point.forget:.2f}, utility {point.utility:.2f}" for point in points)


def _axes(across: _Scale, up: _Scale, forget_label: str, utility_label: str) -> Iterator[str]:
    for x, text in across.ticks():
        yield f'<line class="figure-grid" x1="{x:.1f}" y1="{_FRAME.top}" x2="{x:.1f}" y2="{_FRAME.bottom}"/>'
        yield f'<text class="figure-tick" x="{x:.1f}" y="{_FRAME.bottom + 18}" text-anchor="middle">{text}</text>'
    for y, text in up.ticks():
        yield f'<line class="figure-grid" x1="{_FRAME.left}" y1="{y:.1f}" x2="{_FRAME.right}" y2="{y:.1f}"/>'
        yield f'<text class="figure-tick" x="{_FRAME.left - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    middle, height = (_FRAME.left + _FRAME.right) / 2, (_FRAME.top + _FRAME.bottom) / 2
    yield (
        f'<text class="figure-axis" x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">'
        f"{escape(forget_label)} →</text>"
    )
    yield (
        f'<text class="figure-axis" transform="rotate(-90 14 {height})" x="14" y="{height}" text-anchor="middle">'
        f"{escape(utility_label)} →</text>"
    )


def _marks(points: Sequence[Point], across: _Scale, up: _Scale) -> Iterator[str]:
    places = [(across.place(point.forget), up.place(point.utility)) for point in points]
    taken = [_Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    for point, (x, y) in zip(points, places, strict=True):
        box, distance = _free_place(point.label, x, y, taken)
        taken.append(box)
        if distance > 1:
            edge = max(box.left, min(x, box.right))
            side = box.bottom - 3 if box.bottom < y else box.top + 3
            yield f'<line class="figure-leader" x1="{x:.1f}" y1="{y:.1f}" x2="{edge:.1f}" y2="{side:.1f}"/>'
        yield _shape(point, x, y)
        at, anchor = _anchor(box, x)
        yield (
            f'<text class="figure-label" x="{at:.1f}" y="{box.bottom - 4:.1f}" text-anchor="{anchor}">'
            f"{escape(point.label)}</text>"
        )


def _anchor(box: _Box, x: float) -> tuple[float, str]:
    """Where the text begins, ends or is centered: towards its mark, as its real width is not known."""
    if box.left >= x:
        return box.left, "start"
    if box.right <= x:
        return box.right, "end"
    return (box.left + box.right) / 2, "middle"


def _shape(point: Point, x: float, y: float) -> str:
    """Kinds differ in shape as well as color."""
    about = f"<title>{escape(_in_words([point]))}</title>"
    if point.kind == "target":
        side = 2 * _RADIUS - 1
        place = f'x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"'
        return f'<rect class="figure-mark figure-target" {place}>{about}</rect>'
    if point.kind == "retrained":
        reach = _RADIUS + 2
        corners = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
        return f'<polygon class="figure-mark figure-retrained" points="{path}">{about}</polygon>'
    return f'<circle class="figure-mark figure-method" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}">{about}</circle>'


def _free_place(label: str, x: float, y: float, taken: Sequence[_Box]) -> tuple[_Box, int]:
    """Where the label hides the least: beside its mark if it can be, else a little further off."""
    width, height = len(label) * _LETTER, 17.0
    best: tuple[float, _Box, int] | None = None
    for distance in (1, 2, 3, 4):
        gap = _RADIUS + 4 + (distance - 1) * 16
        for left, top in (
            (x + gap, y - height / 2),
            (x - gap - width, y - height / 2),
            (x - width / 2, y - gap - height),
            (x - width / 2, y + gap),
            (x + gap, y - gap - height),
            (x + gap, y + gap),
            (x - gap - width, y - gap - height),
            (x - gap - width, y + gap),
        ):
            box = _Box(left, top, left + width, top + height)
            cost = sum(box.overlap(other) for other in taken) + 100 * box.outside(_FRAME)
            if best is None or cost < best[0] - 1e-9:
                best = (cost, box, distance)
            if cost == 0:
                return box, distance
    assert best is not None
    return best[1], best[2]
