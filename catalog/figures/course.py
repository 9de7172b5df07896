"""From step to step: how one number of each model goes, such as its utility as more is to be forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.figures.drawing import Scale, framed
from catalog.figures.rows import RIGHT, WIDTH, Rows

_SMALLEST, _LARGEST = 2.5, 6.0


@dataclass(frozen=True)
class Path:
    """One model's value at each step."""

    label: str
    values: tuple[float, ...]


def course_figure(
    paths: Sequence[Path], standalone: bool, *, label: str, steps: Sequence[str], goal: float | None, ident: str
) -> str:
    """One row per model, one mark per step, larger from step to step; the last is filled.

    Args:
        paths: in the order in which they are to stand.
        standalone: a file of its own, with its colors; else a fragment for a page.
        label: what is measured.
        steps: what the steps are called.
        goal: the retrained model's value, drawn as a line.
        ident: what the ids inside begin with; unique on a page.
    """
    values = [value for path in paths for value in path.values]
    rows = Rows([path.label for path in paths])
    across = Scale.over([*values, *([] if goal is None else [goal])], rows.left, RIGHT)
    words = "; ".join(f"{path.label}: {', '.join(f'{value:.2f}' for value in path.values)}" for path in paths)
    return framed(
        [*rows.axis(across, label, goal), *_marks(rows, paths, across, steps)],
        width=WIDTH,
        height=rows.height,
        title=f"{label} at {', '.join(steps)}",
        words=words,
        ident=ident,
        alone=standalone,
    )


def _marks(rows: Rows, paths: Sequence[Path], across: Scale, steps: Sequence[str]) -> Iterator[str]:
    for row, path in enumerate(paths):
        places = [across.place(value) for value in path.values]
        yield rows.name(row)
        yield rows.change(row, min(places), max(places))
        last = len(places) - 1
        for step, (x, value) in enumerate(zip(places, path.values, strict=True)):
            radius = _SMALLEST + (_LARGEST - _SMALLEST) * step / max(1, last)
            look = "figure-method" if step == last else "figure-behind"
            yield rows.mark(row, x, look, f"{path.label} at {steps[step]}: {value:.2f}", radius)
