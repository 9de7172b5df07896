"""What a search has tried: nearness to the retrained model against utility, with the edge of what was reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from catalog.figures.drawing import Scale, framed

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 14, 56
_WIDTH, _HEIGHT = 480, 330
_RADIUS = 5.5


@dataclass(frozen=True)
class Attempt:
    """One mark."""

    label: str
    closeness: float
    """To the retrained model, from the target's 0 to 1."""
    kept: float
    """What is left of the target's utility, or of sense where that is less, in [0, 1]."""
    best: bool = False
    published: bool = False


def tradeoff_figure(attempts: Sequence[Attempt], standalone: bool, *, ident: str) -> str:
    """All attempts, the best filled, those as published as diamonds, and the edge that none went past.

    Args:
        attempts: in any order.
        standalone: a file of its own, with its colors; else a fragment for a page.
        ident: what the ids inside begin with; unique on a page.
    """
    across = Scale.over([attempt.closeness for attempt in attempts], _LEFT, _WIDTH - _RIGHT)
    up = Scale.over([attempt.kept for attempt in attempts], _HEIGHT - _BOTTOM, _TOP)
    return framed(
        [*_axes(across, up), _edge(attempts, across, up), *(_mark(attempt, across, up) for attempt in attempts)],
        width=_WIDTH,
        height=_HEIGHT,
        title="What is kept against nearness to the retrained model, for each setting that was tried",
        words="; ".join(_in_words(attempt) for attempt in attempts),
        ident=ident,
        alone=standalone,
    )


def _in_words(attempt: Attempt) -> str:
    marks = [word for word, holds in (("chosen", attempt.best), ("as published", attempt.published)) if holds]
    return f"{attempt.label}: {attempt.closeness:.2f} of the way, {attempt.kept:.2f} kept" + "".join(
        f", {m}" for m in marks
    )


def _axes(across: Scale, up: Scale) -> Iterator[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for x, text in across.ticks():
        yield f'<line class="figure-grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text class="figure-tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>'
    for y, text in up.ticks():
        yield f'<line class="figure-grid" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
        yield f'<text class="figure-tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    middle, height = (_LEFT + right) / 2, (_TOP + bottom) / 2
    yield (
        f'<text class="figure-axis" x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">'
        "Nearness to the retrained model →</text>"
    )
    yield (
        f'<text class="figure-axis" transform="rotate(-90 14 {height})" x="14" y="{height}" text-anchor="middle">'
        "Utility or sense kept →</text>"
    )


def _edge(attempts: Sequence[Attempt], across: Scale, up: Scale) -> str:
    """The border of the area that some attempt beats in both, from the left end to the bottom, as a path of steps."""
    reached: list[tuple[float, float]] = []
    for attempt in sorted(attempts, key=lambda mark: (-mark.closeness, -mark.kept)):
        if not reached or attempt.kept > reached[-1][1]:
            reached.append((attempt.closeness, attempt.kept))
    if not reached:
        return ""
    path = [f"M{across.place(reached[0][0]):.1f},{up.place(0):.1f}"]
    for closeness, utility in reached:
        path += [f"H{across.place(closeness):.1f}", f"V{up.place(utility):.1f}"]
    return f'<path class="figure-edge" d="{" ".join([*path, f"H{across.place(0):.1f}"])}"/>'


def _mark(attempt: Attempt, across: Scale, up: Scale) -> str:
    x, y = across.place(attempt.closeness), up.place(attempt.kept)
    look = "figure-mark figure-method" if attempt.best else "figure-mark figure-behind"
    about = f"<title>{escape(_in_words(attempt))}</title>"
    if not attempt.published:
        return f'<circle class="{look}" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}">{about}</circle>'
    reach = _RADIUS + 1.5
    corners = ((x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return f'<polygon class="{look}" points="{points}">{about}</polygon>'
