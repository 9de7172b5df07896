"""What the numbers of results mean: ``reference_impls/metrics/metrics.yaml``."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from catalog.model.paper import Model, Text, plain_text
from catalog.model.quantities import Finite
from catalog.model.results import Result
from catalog.parsing.datafile import read_entries
from catalog.parsing.forms import Form, FreeText
from catalog.parsing.problems import Problem

_METRIC_ID = Form("a metric's id: letters, digits, dots, dashes, colons and underscores", "forget_probability")
Better = Literal["higher", "lower", "retrained"]


def _range(ends: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    low, high = ends
    if low is not None and high is not None and not low < high:
        raise ValueError("bad-number: its lower end is not below its upper one; write the lower one first")
    return ends


class Metric(Model):
    """A number that is measured, as a column of tables."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=60), _METRIC_ID]
    label: Text
    definition: Annotated[str, StringConstraints(max_length=600), AfterValidator(plain_text), FreeText()] = ""
    range: Annotated[tuple[Finite | None, Finite | None], AfterValidator(_range)] | None = None
    better: Better = "higher"
    scale: Literal["plain", "log10"] = "plain"
    """How tables show it: p-values, which differ by powers of ten, as their logarithm."""
    passed: Finite | None = None
    """From this value on, a model has passed a test that tells it from the retrained one."""
    against: Literal["", "retrained"] = ""
    """``retrained``: it is computed by a comparison with the retrained model, of which it says nothing itself."""
    detail: bool = False
    """Kept in the records and the database, and left out of tables."""
    source: Annotated[str, StringConstraints(max_length=400), AfterValidator(plain_text), FreeText()] = ""

    def shown(self, value: float) -> float:
        """A value on the scale of tables; the logarithm of 0 is that of the smallest number there is."""
        return math.log10(max(value, sys.float_info.min)) if self.scale == "log10" else value

    def holds(self, value: float) -> bool:
        """Whether a value lies in the range."""
        low, high = self.range or (None, None)
        return (low is None or low <= value) and (high is None or value <= high)

    @property
    def heading(self) -> str:
        """The label of a column of shown values."""
        return f"{self.label}, log₁₀ p" if self.scale == "log10" else self.label

    @property
    def direction(self) -> str:
        """Which values are good, in words."""
        return {
            "higher": "higher is better",
            "lower": "lower is better",
            "retrained": "closer to the retrained model is better",
        }[self.better]

    @property
    def span(self) -> str:
        """The range in words, or ``""``."""
        if self.range is None:
            return ""
        low, high = (None if end is None else self.shown(end) for end in self.range)
        low = None if self.scale == "log10" else low
        return scale_in_words(low, high)

    @property
    def arrow(self) -> str:
        """The same as one character."""
        return {"higher": "↑", "lower": "↓", "retrained": "≈"}[self.better]


def off_scale(result: Result, metrics: Mapping[str, Metric]) -> Iterator[str]:
    """What of a result no such metric gives, each in a sentence without a full stop.

    Args:
        result: the result.
        metrics: the definitions by id; what is not defined may be anything.
    """
    for path, value in result.measurements:
        metric = metrics.get(path.rpartition(".")[2])
        if metric and not metric.holds(value):
            yield f"{path}: {metric.label} is {scale_in_words(*metric.range or (None, None))}, and not {value:g}"


def scale_in_words(low: float | None, high: float | None) -> str:
    """From where to where numbers go; ``""`` where they go anywhere."""
    if low is not None and high is not None:
        return f"from {low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}" if high is not None else ""


def read_metrics(reference_impls: Path, root: Path) -> tuple[tuple[Metric, ...], list[Problem]]:
    """The definitions in their order, with problems; none if there is no such file."""
    entries, problems = read_entries(reference_impls / "metrics" / "metrics.yaml", root, Metric, "bad-metric")
    first: dict[str, int] = {}
    for index, metric in entries.by_index.items():
        if first.setdefault(metric.id, index) != index:
            mark = entries.mark((index, "id"))
            message, hint = f"the metric {metric.id!r} is defined twice", "Delete one of the two."
            problems.append(Problem(entries.file, mark.line, mark.column, "bad-metric", "error", message, hint))
    return tuple(metric for index, metric in entries.by_index.items() if first[metric.id] == index), problems
