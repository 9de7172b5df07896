"""Numbers, dates and code as pages print them."""

from __future__ import annotations

import ast
import json
from typing import Any

_MONTHS = "January February March April May June July August September October November December".split()


def day(date: str) -> str:
    """``2024-04-08`` -> ``8 April 2024``, ``2024-04`` -> ``April 2024``."""
    year, month, *rest = date.split("-")
    return " ".join([*(str(int(day_of_month)) for day_of_month in rest), _MONTHS[int(month) - 1], year])


def month(date: str) -> str:
    """``2024-04-08`` and ``2024-04`` -> ``Apr 2024``."""
    return f"{_MONTHS[int(date[5:7]) - 1][:3]} {date[:4]}"


def number(value: float) -> str:
    """Three significant digits for small and large, two decimals between."""
    if value == 0 or 0.001 <= abs(value) < 10:
        return f"{value:.3f}"
    return f"{value:.3g}" if abs(value) < 0.001 else f"{value:,.1f}"


def margin(half: float, mean: float) -> str:
    """Half a confidence interval, with as many digits as the mean that it belongs to."""
    return f"{half:.3f}" if number(mean) == f"{mean:.3f}" and half < 10 else number(half)


def duration(seconds: float) -> str:
    """A time as people say it."""
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def size(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def literal(value: Any) -> str:
    """A default as it is typed on the command line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def code_after_docstring(source: str) -> tuple[str, int]:
    """The code below the module's docstring, which the page shows as text, and the line it starts on."""
    body = ast.parse(source).body
    start = (body[0].end_lineno or 0) if body else 0
    lines = source.splitlines()
    while start < len(lines) and not lines[start].strip():
        start += 1
    return "\n".join(lines[start:]), start + 1
