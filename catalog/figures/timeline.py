"""How many papers there were, quarter by quarter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape

from catalog.figures.drawing import framed, round_step

_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 6, 16, 24


def quarters(dates: Sequence[str], first: int, last: int) -> list[int]:
    """How many dates fall into each quarter of the years from ``first`` to ``last``.

    >>> quarters(["2024-04", "2024-06-30", "2025-01"], 2024, 2025)
    [0, 2, 0, 0, 1, 0, 0, 0]
    """
    counts = [0] * (4 * (last - first + 1))
    for date in dates:
        place = 4 * (int(date[:4]) - first) + (int(date[5:7]) - 1) // 3
        if 0 <= place < len(counts):
            counts[place] += 1
    return counts


def timeline_figure(
    counts: Sequence[int],
    first: int,
    *,
    title: str,
    ident: str,
    most: int | None = None,
    width: int = 300,
    height: int = 104,
    narrow: bool = False,
) -> str:
    """Columns, one per quarter, as a fragment for a page.

    Args:
        counts: one per quarter, from the first of the year ``first`` on.
        first: that year.
        title: what is counted, for those who cannot see it.
        ident: what the ids inside begin with; unique on a page.
        most: the highest count that the axis has to hold, so that figures compare.
        width: in user units.
        height: likewise.
        narrow: it stands for the figure before it where a screen is small.
    """
    tick = max(1, round(round_step(max(most or 0, *counts, 1) / 2.5)))
    top = tick * math.ceil(max(most or 0, *counts, 1) / tick)
    floor, step = height - _BOTTOM, (width - _LEFT - _RIGHT) / max(len(counts), 1)

    def up(count: float) -> float:
        return floor - (floor - _TOP) * count / top

    years = [sum(counts[start : start + 4]) for start in range(0, len(counts), 4)]
    words = ", ".join(f"{count} in {first + place}" for place, count in enumerate(years))
    return framed(
        [
            *_axis(range(0, top + 1, tick), up, width),
            *_years(len(years), first, step, floor),
            *_columns(counts, first, step, floor, up),
        ],
        width=width,
        height=height,
        title=title,
        words=words,
        ident=ident,
        alone=False,
        narrow=narrow,
    )


def _axis(values: Iterable[int], up: Callable[[float], float], width: int) -> Iterator[str]:
    for value in values:
        y = up(value)
        yield f'<line class="figure-grid" x1="{_LEFT}" y1="{y:.1f}" x2="{width - _RIGHT}" y2="{y:.1f}"/>'
        yield f'<text class="figure-tick" x="{_LEFT - 7}" y="{y + 4.5:.1f}" text-anchor="end">{value}</text>'


def _years(count: int, first: int, step: float, floor: float) -> Iterator[str]:
    for place in range(count):
        x = _LEFT + 4 * step * (place + 0.5)
        yield f'<text class="figure-tick" x="{x:.1f}" y="{floor + 18:.1f}" text-anchor="middle">{first + place}</text>'


def _columns(
    counts: Sequence[int], first: int, step: float, floor: float, up: Callable[[float], float]
) -> Iterator[str]:
    for place, count in enumerate(counts):
        if count:
            about = escape(f"{first + place // 4}, quarter {place % 4 + 1}: {count}")
            yield (
                f'<rect class="figure-bar" x="{_LEFT + step * (place + 0.1):.1f}" y="{up(count):.1f}" '
                f'width="{0.8 * step:.1f}" height="{floor - up(count):.1f}"><title>{about}</title></rect>'
            )
