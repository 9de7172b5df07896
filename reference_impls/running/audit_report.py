"""An audit as one HTML file that needs nothing else, to be read, printed and filed."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from catalog.base.files import write_whole
from reference_impls.measuring.intervals import Estimate
from reference_impls.running.audit import MEANINGS, Audit, Finding

TEMPLATES = Path(__file__).parent
"""Beside this file, since people install the package without the checkout's ``templates/``."""
WIDTH, ROW = 220, 14
"""Of the drawing of a test, in its units."""


def write_report(audit: Audit, path: Path) -> None:
    """Write the report, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(path, render(audit))


def render(audit: Audit) -> str:
    """The report as HTML; the same audit gives the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"interval": interval, "drawn": drawn, "number": number}
    return environment.get_template("audit.html.j2").render(audit=audit, meanings=MEANINGS, summary=summary(audit))


def summary(audit: Audit) -> str:
    """What the tests say together, in a sentence or two, without more than they show."""
    tests = len(audit.findings)
    if not tests:
        return "Nothing could be tested."
    if not audit.control:
        return (
            f"{tests} tests were made. Without held-out data or a model that never saw the data, they can say whether "
            "less is known than before, and not whether it was forgotten."
        )
    parts = [
        (audit.count("like never seen"), "cannot tell the model from one that never saw the data"),
        (audit.count("fainter"), "find more than in such a model, and less than before"),
        (audit.count("still there"), "cannot tell it from the model before"),
        (audit.count("below never seen"), "find less than in a model that never saw the data"),
        (audit.count("says nothing"), "could tell nothing even before"),
        (audit.count("too few questions"), "have too few questions to tell anything"),
    ]
    said = "; ".join(f"{count} {words}" for count, words in parts if count)
    return f"Of {tests} tests, {said}."


def number(value: float) -> str:
    """Three digits behind the point."""
    return f"{value:.3f}"


def interval(one: Estimate) -> str:
    """A number with its interval, if it has one."""
    if one.low == one.high:
        return number(one.value)
    return f"{number(one.value)} ({number(one.low)} to {number(one.high)})"


def drawn(finding: Finding) -> Markup:
    """Before, now and never seen as points with their intervals, on a line from 0 to 1."""
    rows = [("before", finding.before), ("now", finding.after), ("never", finding.control)]
    marks = []
    for place, (name, estimate) in enumerate(rows):
        if estimate is None:
            continue
        y = ROW * place + ROW / 2
        left, middle, right = (
            round(min(1.0, max(0.0, value)) * WIDTH, 1) for value in (estimate.low, estimate.value, estimate.high)
        )
        marks.append(f'<line class="{name}" x1="{left}" x2="{right}" y1="{y:g}" y2="{y:g}"/>')
        marks.append(f'<circle class="{name}" cx="{middle}" cy="{y:g}" r="4"/>')
    said = ", ".join(f"{name} {number(estimate.value)}" for name, estimate in rows if estimate is not None)
    return Markup(
        f'<svg viewBox="-5 0 {WIDTH + 10} {3 * ROW}" width="{WIDTH + 10}" height="{3 * ROW}" role="img" '
        f'aria-label="{said}"><line class="axis" x1="0" x2="{WIDTH}" y1="{3 * ROW - 1}" y2="{3 * ROW - 1}"/>'
        + "".join(marks)
        + "</svg>"
    )
