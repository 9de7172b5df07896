"""What comes back: how much each model knows of the forget set, before and after an attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.figures.drawing import Scale, framed
from catalog.figures.plane import Kind
from catalog.figures.rows import LEFT, RIGHT, WIDTH, Rows


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
    values = [value for one in changes for value in (one.before, one.after)]
    across = Scale.over(values, LEFT, RIGHT)
    goal = next((one.after for one in changes if one.kind == "retrained"), None)
    words = "; ".join(f"{one.label}: {one.before:.2f}, then {one.after:.2f}" for one in changes)
    rows = Rows(len(changes))
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
    for row, one in enumerate(changes):
        start, end = across.place(one.before), across.place(one.after)
        about = f"{one.label}: {one.before:.2f}, then {one.after:.2f}"
        look = "figure-method" if one.kind == "method" else f"figure-{one.kind}"
        yield rows.name(row, one.label)
        yield rows.change(row, start, end)
        yield rows.mark(row, start, "figure-behind", about)
        yield rows.mark(row, end, look, about)
