"""What all figures share: colors, scales, and the frame that says in words what is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

_RULES = """\
.figure { font-family: var(--figure-font, system-ui, "Segoe UI", "Liberation Sans", sans-serif); font-size: 14px;
  max-width: 100%; height: auto; }
.figure text { fill: var(--figure-ink, #33404d); }
.figure .figure-tick { font-size: 13px; fill: var(--figure-faint, #66707d); }
.figure .figure-grid { stroke: var(--figure-line, #e2ded4); stroke-width: 1; }
.figure .figure-leader { stroke: var(--figure-faint, #66707d); stroke-width: 1; }
.figure .figure-method { fill: var(--figure-method, #0b6b66); }
.figure .figure-far { stroke-width: 0.8; stroke-opacity: 0.55; }
.figure .figure-number { font-size: 11.5px; font-weight: 600; }
.figure .figure-line { font-size: 13px; }
.figure .figure-change { stroke: var(--figure-method, #0b6b66); stroke-width: 2; }
.figure .figure-goal { stroke: var(--figure-retrained, #8a6a00); stroke-width: 1.5; stroke-dasharray: 5 4; }
.figure .figure-target { fill: var(--figure-target, #b4441a); }
.figure .figure-retrained { fill: var(--figure-retrained, #8a6a00); }
.figure .figure-mark { stroke: var(--figure-ground, #fbfaf7); stroke-width: 1.5; }
.figure .figure-behind { fill: var(--figure-ground, #fbfaf7); stroke: var(--figure-method, #0b6b66); }
.figure .figure-marked { fill: var(--figure-method, #0b6b66); stroke: var(--figure-ink, #33404d);
  stroke-width: 2; }
.figure .figure-label { font-weight: 600; paint-order: stroke; stroke: var(--figure-ground, #fbfaf7);
  stroke-width: 3; stroke-linejoin: round; }
.figure .figure-edge { fill: none; stroke: var(--figure-edge, #a9a494); stroke-width: 1.3; }
.figure .figure-node { fill: var(--figure-ground, #fbfaf7); stroke: var(--figure-faint, #66707d); }
.figure .figure-runs { fill: var(--figure-soft, #e2f0ee); stroke: var(--figure-method, #0b6b66); }
.figure a:hover .figure-node, .figure a:focus-visible .figure-node { stroke-width: 2.5; }
.figure a:hover text { text-decoration: underline; }
.figure .figure-box { font-size: 13px; font-weight: 600; }
.figure .figure-bar { fill: var(--figure-method, #0b6b66); }
.figure .figure-band { fill: var(--figure-soft, #e2f0ee); fill-opacity: 0.45; }
.figure .figure-minor { font-size: 12.5px; font-weight: 400; fill: var(--figure-faint, #66707d); }
"""
STYLE = _RULES.replace(".figure ", ":is(.figure, .figure-narrow) ")
"""The rules of every figure. The variables may be set by the page around it."""

_ALONE = """\
svg { background: var(--figure-ground, #fbfaf7); }
@media (prefers-color-scheme: dark) {
  svg { --figure-ink: #dfe4e9; --figure-faint: #98a3ae; --figure-line: #2c3640; --figure-ground: #12171d;
    --figure-method: #63c7bd; --figure-target: #f0946b; --figure-retrained: #e3c25a; }
}
"""


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is, on the safe side (as in a wide typeface): fonts differ, nothing is measured here.

    Args:
        text: one line.
        size: of the type, in user units; so is what is returned.
        bold: whether it is.
    """
    return size * sum(_advance(letter) for letter in text) * (1.1 if bold else 1.0)


def _advance(letter: str) -> float:
    """Of one letter, per unit of size."""
    if letter in "iljtfr.,:;!|'()[]- ":
        return 0.38
    if letter in "mwMWO":
        return 0.86
    return 0.68 if letter.isupper() else 0.61


def framed(
    parts: Iterable[str],
    *,
    width: int,
    height: int,
    title: str,
    words: str,
    ident: str,
    alone: bool,
    linked: bool = False,
    narrow: bool = False,
) -> str:
    """A figure around its parts.

    Args:
        parts: SVG elements.
        width: in user units, like all lengths.
        height: likewise.
        title: its name, for those who cannot see it.
        words: what it shows, in words.
        ident: what the ids inside begin with; unique on a page.
        alone: a file of its own, with its colors; else a fragment for a page that links :data:`STYLE`.
        linked: parts are links, which an image as a whole would hide from those who cannot see it.
        narrow: it stands for the figure before it where a screen is small.
    """
    role = "group" if linked else "img"
    look = "figure-narrow" if narrow else "figure"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{look}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="{role}" aria-labelledby="{ident}-title {ident}-text">',
        f'<title id="{ident}-title">{escape(title)}</title>',
        f'<desc id="{ident}-text">{escape(words)}</desc>',
        *([f"<style>{STYLE}{_ALONE}</style>"] if alone else []),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + ("\n" if alone else "")


@dataclass(frozen=True)
class Scale:
    """From values to places along an axis."""

    low: float
    high: float
    start: float
    end: float
    step: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> Scale:
        """From 0 to 1 if all values are in between, so that figures compare; else round ends with some air."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        if low >= 0 and high <= 1:
            return cls(-0.04, 1.04, start, end, 0.2)
        return cls._spread(low, high, start, end)

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float) -> Scale:
        """As :meth:`over`, but where values from 0 to 1 fill less than 60% of that, only as far as they reach."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        if low < 0 or high > 1 or not 0.05 <= high - low < 0.6:
            return cls.over(values, start, end)
        return cls._spread(low, high, start, end)

    @classmethod
    def _spread(cls, low: float, high: float, start: float, end: float) -> Scale:
        """Round ends with some air; values closer than can be told apart are spread around their middle."""
        span = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-6)
        middle = (low + high) / 2
        low, high = middle - 0.62 * span, middle + 0.62 * span
        step = round_step((high - low) / 5)
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, start, end, step)

    def side(self, value: float) -> int:
        """-1 for what lies below its ends, 1 for what lies above them, 0 for what is between."""
        return (value > self.high) - (value < self.low)

    def place(self, value: float) -> float:
        """Where a value is."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Places and texts of the round values."""
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        number = math.ceil(self.low / self.step - 1e-9)
        while number * self.step <= self.high + 1e-9:
            yield self.place(number * self.step), f"{number * self.step:.{digits}f}"
            number += 1


def main_reach(values: Sequence[float], always: Sequence[float] = ()) -> tuple[float, float]:
    """The ends of what holds nearly all of many values: one in eight may be left out, if that saves two fifths.

    >>> main_reach([0.1, *[0.50, 0.52, 0.54, 0.56, 0.58, 0.60, 0.62]])
    (0.5, 0.62)

    Args:
        values: some.
        always: those that must be held.
    """
    ordered = sorted(values)
    reach = min([*values, *always], default=0.0), max([*values, *always], default=1.0)
    for out in range(1, len(ordered) // 8 + 1):
        rests = [[*ordered[below : len(ordered) - out + below], *always] for below in range(out + 1)]
        low, high = min(((min(rest), max(rest)) for rest in rests), key=lambda ends: ends[1] - ends[0])
        if high - low <= 0.6 * (reach[1] - reach[0]):
            reach = low, high
    return reach


def round_step(width: float) -> float:
    """The next 1, 2 or 5 times a power of ten: a step for an axis."""
    power: float = 10.0 ** math.floor(math.log10(width))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= width - 1e-12)
