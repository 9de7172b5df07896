"""Where names of marks have room: beside them, at the end of a leader, or in a column at the figure's side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_FURTHEST = 7
"""How many steps a label may be away from its mark."""
_STEP = 15
HEIGHT = 17.0
"""Of a label."""
SPACING = 15.5
"""Between the lines of a column."""
SPACE = 6.0
"""Between two names on a line."""


@dataclass(frozen=True)
class Box:
    """A rectangle, in user units."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, reach: float) -> Box:
        """A square around a point."""
        return cls(x - reach, y - reach, x + reach, y + reach)

    def with_space(self, space: float) -> Box:
        """The same with room at both ends, so that two names on a line do not read as one."""
        return Box(self.left - space, self.top, self.right + space, self.bottom)

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        if not self.meets(other):  # nearly always, and told faster
            return 0.0
        width = min(self.right, other.right) - max(self.left, other.left)
        return width * (min(self.bottom, other.bottom) - max(self.top, other.top))

    def outside(self, frame: Box) -> float:
        """How far it reaches out of another, over all sides."""
        return (
            max(0.0, frame.left - self.left)
            + max(0.0, self.right - frame.right)
            + max(0.0, frame.top - self.top)
            + max(0.0, self.bottom - frame.bottom)
        )

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is in it."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def meets(self, other: Box) -> bool:
        """Whether both cover an area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def crossed(self, start: tuple[float, float], end: tuple[float, float]) -> bool:
        """Whether a line from ``start`` to ``end`` runs through."""
        entered, left = 0.0, 1.0  # the part of the line between all four sides
        for low, high, origin, target in (
            (self.left, self.right, start[0], end[0]),
            (self.top, self.bottom, start[1], end[1]),
        ):
            way = target - origin
            if way == 0:
                if not low < origin < high:
                    return False
                continue
            one, other = (low - origin) / way, (high - origin) / way
            entered, left = max(entered, min(one, other)), min(left, max(one, other))
            if entered >= left:
                return False
        return True

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Its point that is nearest to another: where a leader ends."""
        return max(self.left, min(x, self.right)), max(self.top + 3, min(y, self.bottom - 3))

    def anchor(self, x: float) -> tuple[float, str]:
        """Where the text begins, ends or is centered: towards its mark, as its real width is not known."""
        if self.left >= x:
            return self.left, "start"
        if self.right <= x:
            return self.right, "end"
        return (self.left + self.right) / 2, "middle"


@dataclass(frozen=True)
class Place:
    """Where a label may stand."""

    box: Box
    distance: int
    """From its mark, in steps; further than one, it needs a leader."""
    cost: float
    """What it hides; 0 is nothing."""


def free_place(
    frame: Box, width: float, x: float, y: float, reach: float, taken: Sequence[Box], *, beside: bool
) -> Place:
    """Where a label hides the least.

    Args:
        frame: which it should not leave.
        width: of the label.
        x: of its mark's middle.
        y: likewise.
        reach: of the mark, from its middle.
        taken: what it should not hide.
        beside: only directly beside its mark.
    """
    best: Place | None = None
    for distance in range(1, 2 if beside else _FURTHEST + 1):
        gap = reach + 4 + (distance - 1) * _STEP
        within = Box(x - gap - width, y - gap - HEIGHT, x + gap + width, y + gap + HEIGHT)
        near = [other for other in taken if other.meets(within)]
        in_the_way = [other for other in near if not other.holds(x, y)] if distance > 1 else []
        places = (
            (x + gap, y - HEIGHT / 2),
            (x - gap - width, y - HEIGHT / 2),
            (x - width / 2, y - gap - HEIGHT),
            (x - width / 2, y + gap),
            (x + gap, y - gap - HEIGHT),
            (x + gap, y + gap),
            (x - gap - width, y - gap - HEIGHT),
            (x - gap - width, y + gap),
        )
        for left, top in places[:4] if beside else places:
            box = Box(left, top, left + width, top + HEIGHT)
            cost = sum(box.overlap(other) for other in near) + 100 * box.outside(frame)
            if best is not None and cost >= best.cost - 1e-9:
                continue
            if in_the_way:
                end = box.nearest(x, y)
                cost += 20 * sum(other.crossed((x, y), end) for other in in_the_way)
            if best is None or cost < best.cost - 1e-9:
                best = Place(box, distance, cost)
            if cost == 0:
                return best
    assert best is not None
    return best


def spread(wishes: Sequence[float], spacing: float, low: float, high: float) -> list[float]:
    """Places in order, each as near to its wish as the spacing allows, between two ends if there is room.

    >>> spread([5, 6, 50], 10, 5, 100)
    [5, 15, 50]
    """
    placed: list[float] = []
    for wish in wishes:
        placed.append(max(wish, placed[-1] + spacing if placed else low))
    for place in range(len(placed) - 1, -1, -1):  # what was pushed out at the end moves back
        placed[place] = min(placed[place], high)
        high = placed[place] - spacing
    return placed
