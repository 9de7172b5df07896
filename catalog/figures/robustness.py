"""What comes back: how much each model knows of the forget set, before and after an attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.figures.drawing import Scale, framed
from catalog.figures.plane import Kind
from catalog.figures.rows import RIGHT, WIDTH, Rows


@dataclass(frozen=True)
class Change:
    """One model's knowledge of the forget set, before and after an attack."""

    label: str
    before: float
    after: float
    kind: Kind = "method"


def robustness_figure(
    changes: Sequence[Change], standalone: bool, *, label: str, attack: str, ident: str = "robustness"
) -> str:
    """One row per model: a hollow mark before, a filled one after, and the retrained model after the attack as a line.

    Args:
        changes: in the order in which they are to stand.
        standalone: a file of its own, with its colors; else a fragment for a page.
        label: what is measured.
        attack: what was done.
        ident: what the ids inside begin with; unique on a page.
    """
    values = [value for change in changes for value in (change.before, change.after)]
    rows = Rows([change.label for change in changes])
    across = Scale.over(values, rows.left, RIGHT)
    goal = next((change.after for change in changes if change.kind == "retrained"), None)
    words = "; ".join(f"{change.label}: {change.before:.2f}, then {change.after:.2f}" for change in changes)
    return framed(
        [*rows.axis(across, label, goal), *_marks(rows, changes, across)],
        width=WIDTH,
        height=rows.height,
        title=f"{label} before and after: {attack}",
        words=words,
        ident=ident,
        alone=standalone,
    )


def _marks(rows: Rows, changes: Sequence[Change], across: Scale) -> Iterator[str]:
    for row, change in enumerate(changes):
        start, end = across.place(change.before), across.place(change.after)
        about = f"{change.label}: {change.before:.2f}, then {change.after:.2f}"
        look = "figure-method" if change.kind == "method" else f"figure-{change.kind}"
        yield rows.name(row)
        yield rows.change(row, start, end)
        yield rows.mark(row, start, "figure-behind", about)
        yield rows.mark(row, end, look, about)
