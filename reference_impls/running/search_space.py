"""Where a search for a recipe goes: along two axes, first a scan of one, then from the best to its neighbours.

The axes are the same for every method: how fast it learns, and the one knob that trades forgetting for retaining, which
the method's file names. A method without a learning rate has something else that says how much it does in its place.
Nothing ends at a border: where the best is the last of an axis, the axis goes on by its own last step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.model.implementations import Implementation
from reference_impls.errors import UsageError

LEARNING_RATE = "learning_rate"
STEPS = "steps"
STEPS_TRIED = (30, 60, 120)
"""What is tried for a method that has no knob: for how long it trains."""

Value = float | int
Point = tuple[Value, Value | None]
"""A place on the two axes; None where there is no second."""


@dataclass(frozen=True)
class Axis:
    """A setting and the values at which it is tried, ascending."""

    name: str
    values: tuple[Value, ...]

    def next_to(self, value: Value, step: int) -> Value:
        """The next value up (``step`` 1) or down (-1), past the end by the axis's last step.

        The last step of whole numbers is a difference, that of others a ratio.
        """
        ahead = self.values if step > 0 else self.values[::-1]
        for candidate in ahead:
            if (candidate - value) * step > 0:
                return candidate
        end, before = ahead[-1], ahead[-2]
        return value + (end - before) if isinstance(end, int) else _rounded(value * end / before)

    def between(self, one: Value, other: Value) -> Value:
        """The middle of two values: of whole numbers the mean, of others the geometric one."""
        return (int(one) + int(other)) // 2 if isinstance(self.values[0], int) else _rounded(math.sqrt(one * other))


@dataclass(frozen=True)
class Space:
    """What may be tried for one method on one task."""

    rate: Axis
    knob: Axis | None
    start: Value | None
    """Where the knob stands during the scan."""
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, search: Mapping[str, Any], method: Implementation) -> Space:
        """A method's space, from the task's ``search.yaml`` and the method's file.

        Raises:
            UsageError: an axis has fewer than two values.
        """
        own = search.get("methods", {}).get(method.id, {})
        rate = Axis(own.get("axis", LEARNING_RATE), tuple(own.get("rate", search["rate"])))
        fixed = {**search["fixed"], **own.get("with", {})}
        knob = cls._knob(method, rate, fixed)
        for axis in (rate, knob):
            if axis is not None and len(axis.values) < 2:
                raise UsageError(f"search.yaml gives {method.id} fewer than two values of {axis.name}.")
        default = method.knob.default if method.knob else fixed[STEPS]
        return cls(rate, knob, own.get("start", default) if knob else None, fixed)

    @staticmethod
    def _knob(method: Implementation, rate: Axis, fixed: Mapping[str, Any]) -> Axis | None:
        if method.knob is None:
            # How long is a rule's business where a rule ends the training.
            return None if method.stops_itself else Axis(STEPS, STEPS_TRIED)
        return None if method.knob.name in (rate.name, *fixed) else Axis(method.knob.name, method.knob.trade_off)

    def settings(self, point: Point) -> dict[str, Any]:
        """All that a trial at a point is run with."""
        rate, knob = point
        return {**self.fixed, self.rate.name: rate} | ({self.knob.name: knob} if self.knob else {})

    def published(self, rate: Value, method: Implementation) -> dict[str, Any]:
        """The settings at a learning rate with all hyper-parameters as published, which are the file's defaults."""
        own = {hyperparameter.name for hyperparameter in method.hyperparameters}
        return {name: value for name, value in self.settings((rate, self.start)).items() if name not in own}

    def point(self, settings: Mapping[str, Any], method: Implementation) -> Point | None:
        """The place on the axes at which settings are run that leave some as published; None where they lie beside."""
        published: dict[str, Any] = {one.name: one.default for one in method.hyperparameters}
        whole = {**published, **settings}
        point = whole[self.rate.name], whole[self.knob.name] if self.knob else None
        return point if {**published, **self.settings(point)} == whole else None

    def scan(self) -> Iterator[Point]:
        """The first trials: every value of the first axis."""
        return ((rate, self.start) for rate in self.rate.values)

    def towards(
        self,
        scores: Mapping[Point, float],
        allowed: Callable[[dict[str, Any]], bool] = lambda settings: True,
        timid: Collection[Point] = (),
    ) -> Point | None:
        """Where to go next: to an untried neighbour of the best point, else of the second best, and so on.

        Where all neighbours have been tried, the middle between the best and one of them is next. Of points with one
        score the first alone is gone on from: what lies between them changes nothing, nor will more of it. Where
        everything scored 0 there is nothing to climb, and the first axis is followed up from where too little was
        done, or else down.

        Args:
            scores: of what has been tried, in the order in which it was.
            allowed: whether a method takes these settings.
            timid: of those that scored 0, the points at which a method left everything as it was.
        """
        if not any(scores.values()):
            rate, knob = max(timid, key=_first, default=None) or min(scores, key=_first)
            beyond = (self.rate.next_to(rate, 1 if timid else -1), knob)
            if beyond not in scores and allowed(self.settings(beyond)):
                return beyond
        firsts = {score: point for point, score in reversed(list(scores.items()))}
        ranked = [firsts[score] for score in sorted(firsts, reverse=True)]
        for candidates in (map(self._neighbours, ranked), (self._middles(point, scores) for point in ranked)):
            for points in candidates:
                for point in points:
                    if point not in scores and allowed(self.settings(point)):
                        return point
        return None

    def _neighbours(self, point: Point) -> list[Point]:
        rate, knob = point
        steps: Sequence[tuple[int, int]] = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
        neighbours = []
        for along, across in steps:
            if across and (self.knob is None or knob is None):
                continue
            new_rate = self.rate.next_to(rate, along) if along else rate
            new_knob = self.knob.next_to(knob, across) if across and self.knob and knob is not None else knob
            neighbours.append((new_rate, new_knob))
        return neighbours

    def _middles(self, point: Point, tried: Mapping[Point, float]) -> list[Point]:
        """Between a point and the nearest tried ones of the same knob, on the better side first."""
        rate, knob = point
        rates = [tried_rate for tried_rate, tried_knob in tried if tried_knob == knob]
        nearest = [
            *sorted(tried_rate for tried_rate in rates if tried_rate > rate)[:1],
            *sorted(tried_rate for tried_rate in rates if tried_rate < rate)[-1:],
        ]
        nearest.sort(key=lambda tried_rate: -tried[tried_rate, knob])
        return [(self.rate.between(rate, tried_rate), knob) for tried_rate in nearest]


def _first(point: Point) -> Value:
    return point[0]


def _rounded(value: float) -> float:
    """To two digits, so that a setting can be read and typed."""
    return float(f"{value:.2g}")
