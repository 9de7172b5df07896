"""What the numbers of results mean: ``reference_impls/metrics/metrics.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from catalog.parsing.datafile import read_entries
from catalog.parsing.problems import Problem

METRICS_FILE = "reference_impls/metrics/metrics.yaml"
Better = Literal["higher", "lower", "retrained"]


class Metric(BaseModel):
    """A number that is measured, as a column of tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    label: str
    definition: str = ""
    range: tuple[float | None, float | None] | None = None
    better: Better = "higher"
    detail: bool = False
    """Kept in the records and the database, and left out of tables."""
    source: str = ""

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
        low, high = self.range
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
