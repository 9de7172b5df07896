"""What is left of the forget set against utility: one mark per method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from catalog.figures.drawing import Scale, framed, text_width

Kind = Literal["method", "target", "retrained"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 14, 56
_RADIUS = 6.0
_MOST_LABELS = 12
"""With more marks than this, references and the front are labelled first, others where there is room beside them."""
_FURTHEST = 7
"""How many steps a label may be away from its mark."""


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

    def crossed(self, start: tuple[float, float], end: tuple[float, float]) -> bool:
        """Whether a line from ``start`` to ``end`` runs through."""
        for step in range(1, 16):
            x = start[0] + (end[0] - start[0]) * step / 16
            y = start[1] + (end[1] - start[1]) * step / 16
            if self.left < x < self.right and self.top < y < self.bottom:
                return True
        return False


def forget_utility_figure(
    points: Sequence[Point],
    standalone: bool,
    *,
    forget_label: str = "Forget set: probability of the answers",
    utility_label: str = "Utility",
    ident: str = "forget-utility",
    width: int = 480,
    height: int = 370,
) -> str:
    """A scatter of what is left of the forget set against utility, one labelled mark per method.

    Args:
        points: the methods, and ``target`` and ``retrained`` as points of reference.
        standalone: a file of its own, with its colors; else a fragment for a page that links :data:`STYLE`.
        forget_label: name of the horizontal axis.
        utility_label: name of the vertical axis.
        ident: what the ids inside begin with; unique on a page.
        width: in user units; a crowd needs more room.
        height: likewise.
    """
    frame = _Box(_LEFT, _TOP, width - _RIGHT, height - _BOTTOM)
    # Few points are shown between 0 and 1, so that figures compare; many nearer, so that they can be told apart.
    scale = Scale.around if len(points) > _MOST_LABELS else Scale.over
    across = scale([point.forget for point in points], frame.left, frame.right)
    up = scale([point.utility for point in points], frame.bottom, frame.top)
    return framed(
        [*_axes(frame, across, up, forget_label, utility_label), *_marks(frame, points, across, up)],
        width=width,
        height=height,
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


def _axes(frame: _Box, across: Scale, up: Scale, forget_label: str, utility_label: str) -> Iterator[str]:
    for x, text in across.ticks():
        yield f'<line class="figure-grid" x1="{x:.1f}" y1="{frame.top}" x2="{x:.1f}" y2="{frame.bottom}"/>'
        yield f'<text class="figure-tick" x="{x:.1f}" y="{frame.bottom + 18}" text-anchor="middle">{text}</text>'
    for y, text in up.ticks():
        yield f'<line class="figure-grid" x1="{frame.left}" y1="{y:.1f}" x2="{frame.right}" y2="{y:.1f}"/>'
        yield f'<text class="figure-tick" x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    middle, height = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
    yield (
        f'<text class="figure-axis" x="{middle}" y="{frame.bottom + _BOTTOM - 12}" text-anchor="middle">'
        f"{escape(forget_label)} →</text>"
    )
    yield (
        f'<text class="figure-axis" transform="rotate(-90 14 {height})" x="14" y="{height}" text-anchor="middle">'
        f"{escape(utility_label)} →</text>"
    )


def _marks(frame: _Box, points: Sequence[Point], across: Scale, up: Scale) -> Iterator[str]:
    """Marks over their leaders, labels on top; what is most worth a label gets its place first."""
    ahead = front(points)
    crowded = len(points) > _MOST_LABELS
    places = [(across.place(point.forget), up.place(point.utility)) for point in points]
    taken = [_Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    leaders, shapes, labels = [], [], []
    behind = [point.kind == "method" and point.label not in ahead for point in points]
    for one in sorted(range(len(points)), key=lambda one: behind[one]):
        (x, y), label = places[one], points[one].label
        shapes.append(_shape(points[one], x, y, behind[one]))
        minor = behind[one] and crowded
        box, distance, cost = _free_place(
            frame, text_width(label, 12.5 if minor else 14.0, bold=not minor), x, y, taken, minor
        )
        if minor and cost > 0:
            continue
        taken.append(box)
        if distance > 1:
            edge, side = _end_of_leader(box, x, y)
            leaders.append(f'<line class="figure-leader" x1="{x:.1f}" y1="{y:.1f}" x2="{edge:.1f}" y2="{side:.1f}"/>')
        at, anchor = _anchor(box, x)
        look = "figure-label figure-minor" if minor else "figure-label"
        labels.append(
            f'<text class="{look}" x="{at:.1f}" y="{box.bottom - 4:.1f}" text-anchor="{anchor}">{escape(label)}</text>'
        )
    yield from (*leaders, *shapes, *labels)


def _end_of_leader(box: _Box, x: float, y: float) -> tuple[float, float]:
    """The point of a label that is nearest to its mark."""
    return max(box.left, min(x, box.right)), max(box.top + 3, min(y, box.bottom - 3))


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


def _free_place(
    frame: _Box, width: float, x: float, y: float, taken: Sequence[_Box], minor: bool
) -> tuple[_Box, int, float]:
    """Where the label hides the least, how far off that is, and what it hides; a minor one stays beside its mark."""
    height = 17.0
    best: tuple[float, _Box, int] | None = None
    for distance in range(1, 2 if minor else _FURTHEST + 1):
        gap = _RADIUS + 4 + (distance - 1) * 15
        places = (
            (x + gap, y - height / 2),
            (x - gap - width, y - height / 2),
            (x - width / 2, y - gap - height),
            (x - width / 2, y + gap),
            (x + gap, y - gap - height),
            (x + gap, y + gap),
            (x - gap - width, y - gap - height),
            (x - gap - width, y + gap),
        )
        for left, top in places[:4] if minor else places:
            box = _Box(left, top, left + width, top + height)
            cost = sum(box.overlap(other) for other in taken) + 100 * box.outside(frame)
            if distance > 1:
                end = _end_of_leader(box, x, y)
                cost += 20 * sum(other.crossed((x, y), end) for other in taken if not _holds(other, x, y))
            if best is None or cost < best[0] - 1e-9:
                best = (cost, box, distance)
            if cost == 0:
                return box, distance, cost
    assert best is not None
    return best[1], best[2], best[0]


def _holds(box: _Box, x: float, y: float) -> bool:
    return box.left <= x <= box.right and box.top <= y <= box.bottom
