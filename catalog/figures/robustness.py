"""What comes back: how much each model knows of the forget set, before and after an attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from catalog.figures.drawing import Scale, framed
from catalog.figures.scatter import Kind

_WIDTH = 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 150, 20, 12, 52
_ROW, _LOW_ROW = 24, 17
"""The height of a row, and that in a figure of many."""
_MANY = 16
_RADIUS = 5.0


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
    row = _LOW_ROW if len(changes) > _MANY else _ROW
    height = _TOP + row * len(changes) + _BOTTOM
    values = [value for one in changes for value in (one.before, one.after)]
    across = Scale.over(values, _LEFT, _WIDTH - _RIGHT)
    words = "; ".join(f"{one.label}: {one.before:.2f}, then {one.after:.2f}" for one in changes)
    return framed(
        [*_axis(across, height, label), *_goal(changes, across, height), *_rows(changes, across, row)],
        width=_WIDTH,
        height=height,
        title=f"{label} before and after: {attack}",
        words=words,
        ident=ident,
        alone=standalone,
    )


def _axis(across: Scale, height: int, label: str) -> Iterator[str]:
    bottom = height - _BOTTOM
    for x, text in across.ticks():
        yield f'<line class="figure-grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text class="figure-tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield (f'<text class="figure-axis" x="{middle}" y="{height - 10}" text-anchor="middle">{escape(label)} →</text>')


def _goal(changes: Sequence[Change], across: Scale, height: int) -> Iterator[str]:
    for one in changes:
        if one.kind == "retrained":
            x = across.place(one.after)
            yield f'<line class="figure-goal" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{height - _BOTTOM}"/>'


def _rows(changes: Sequence[Change], across: Scale, height: int) -> Iterator[str]:
    for row, one in enumerate(changes):
        y = _TOP + height * (row + 0.5)
        start, end = across.place(one.before), across.place(one.after)
        about = f"<title>{escape(one.label)}: {one.before:.2f}, then {one.after:.2f}</title>"
        look = "figure-method" if one.kind == "method" else f"figure-{one.kind}"
        yield (
            f'<text class="figure-label" x="{_LEFT - 12}" y="{y + 5:.1f}" text-anchor="end">{escape(one.label)}</text>'
        )
        yield f'<line class="figure-change" x1="{start:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}"/>'
        yield f'<circle class="figure-mark figure-behind" cx="{start:.1f}" cy="{y:.1f}" r="{_RADIUS}">{about}</circle>'
        yield f'<circle class="figure-mark {look}" cx="{end:.1f}" cy="{y:.1f}" r="{_RADIUS}">{about}</circle>'
