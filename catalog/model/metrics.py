"""What the numbers of results mean: ``reference_impls/metrics/metrics.yaml``."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from catalog.parsing.datafile import read_entries
from catalog.parsing.problems import Problem

Better = Literal["higher", "lower", "retrained"]


class Metric(BaseModel):
    """A number that is measured, as a column of tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    label: str
    definition: str = ""
    range: tuple[float | None, float | None] | None = None
    better: Better = "higher"
    scale: Literal["plain", "log10"] = "plain"
    """How tables show it: p-values, which differ by powers of ten, as their logarithm."""
    passed: float | None = None
    """From this value on, a model has passed a test that tells it from the retrained one."""
    against: Literal["", "retrained"] = ""
    """``retrained``: it is computed by a comparison with the retrained model, of which it says nothing itself."""
    detail: bool = False
    """Kept in the records and the database, and left out of tables."""
    source: str = ""

    def shown(self, value: float) -> float:
        """A value on the scale of tables; the logarithm of 0 is that of the smallest number there is."""
        return math.log10(max(value, sys.float_info.min)) if self.scale == "log10" else value

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
        if low is not None and high is not None:
            return f"from {low:g} to {high:g}"
        return f"at least {low:g}" if low is not None else f"at most {high:g}" if high is not None else ""

    @property
    def arrow(self) -> str:
        """The same as one character."""
        return {"higher": "↑", "lower": "↓", "retrained": "≈"}[self.better]


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
