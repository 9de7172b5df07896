"""What is left of the forget set against utility: one mark per method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from catalog.figures.drawing import Scale, framed

Kind = Literal["method", "target", "retrained"]

_WIDTH, _HEIGHT = 480, 370
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 14, 56
_RADIUS = 6.0
_MOST_LABELS = 12
"""With more marks than this, only references and the front are labelled."""
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
    across = Scale.over([point.forget for point in points], _FRAME.left, _FRAME.right)
    up = Scale.over([point.utility for point in points], _FRAME.bottom, _FRAME.top)
    return framed(
        [*_axes(across, up, forget_label, utility_label), *_marks(points, across, up)],
        width=_WIDTH,
        height=_HEIGHT,
        title=f"{utility_label} against {forget_label[:1].lower()}{forget_label[1:]}",
        words=_in_words(points),
        ident=ident,
        alone=standalone,
    )


def front(points: Sequence[Point]) -> frozenset[str]:
    """Labels of the methods that no other one beats on both counts: the Pareto front.

    A method is better if what is left of the forget set is nearer to the retrained model's value (or lower, where there
    is none), and if its utility is higher.
    """
    aims = [point.forget for point in points if point.kind == "retrained"]
    methods = [point for point in points if point.kind == "method"]
    gaps = {point.label: abs(point.forget - aims[0]) if aims else point.forget for point in methods}

    def beaten(one: Point) -> bool:
        return any(
            gaps[other.label] <= gaps[one.label]
            and other.utility >= one.utility
            and (gaps[other.label], -other.utility) != (gaps[one.label], -one.utility)
            for other in methods
        )

    return frozenset(point.label for point in methods if not beaten(point))


def _in_words(points: Sequence[Point]) -> str:
    return "; ".join(f"{point.label}: forget {point.forget:.2f}, utility {point.utility:.2f}" for point in points)


def _axes(across: Scale, up: Scale, forget_label: str, utility_label: str) -> Iterator[str]:
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


def _marks(points: Sequence[Point], across: Scale, up: Scale) -> Iterator[str]:
    ahead = front(points)
    crowded = len(points) > _MOST_LABELS
    places = [(across.place(point.forget), up.place(point.utility)) for point in points]
    taken = [_Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    for point, (x, y) in sorted(zip(points, places, strict=True), key=lambda one: one[0].label not in ahead):
        behind = point.kind == "method" and point.label not in ahead
        if behind and crowded:
            yield _shape(point, x, y, behind)
            continue
        box, distance = _free_place(point.label, x, y, taken)
        taken.append(box)
        if distance > 1:
            edge = max(box.left, min(x, box.right))
            side = box.bottom - 3 if box.bottom < y else box.top + 3
            yield f'<line class="figure-leader" x1="{x:.1f}" y1="{y:.1f}" x2="{edge:.1f}" y2="{side:.1f}"/>'
        yield _shape(point, x, y, behind)
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


def _shape(point: Point, x: float, y: float, behind: bool) -> str:
    """Kinds differ in shape as well as color; what is behind the front is hollow."""
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
    look = "figure-behind" if behind else "figure-method"
    return f'<circle class="figure-mark {look}" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}">{about}</circle>'


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
