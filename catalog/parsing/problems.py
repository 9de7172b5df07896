"""A problem in a record: what is wrong, where, and what to do, as data.

The command line, the annotations on the code host and the tests all print this one object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from catalog.base.text import sentence

Severity = Literal["error", "hint"]
Format = Literal["text", "json", "github"]


@dataclass(frozen=True, order=True)
class Problem:
    """One finding about one place in one file; sorts by place.

    ``line`` and ``column`` count from 1. ``code`` is a stable kebab-case id (``unknown-dataset``), listed in
    the documentation. ``message`` says what is wrong and names every party; ``hint`` says what to do.
    """

    file: str
    line: int
    column: int
    code: str
    severity: Severity
    message: str
    hint: str = ""


def render(problems: Iterable[Problem], form: Format = "text") -> str:
    """All problems, sorted by place, as text for people, JSON for scripts or annotations for GitHub."""
    ordered = sorted(problems)
    if form == "json":
        return json.dumps([asdict(problem) for problem in ordered], indent=2, ensure_ascii=False)
    line = _github if form == "github" else _text
    return "\n".join(line(problem) for problem in ordered)


def _text(problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}:{problem.column}"
    head = f"{place}: {problem.severity}[{problem.code}] {problem.message}"
    return f"{head}\n    {problem.hint}" if problem.hint else head


def _github(problem: Problem) -> str:
    """A workflow command, escaped as its documentation asks (``%``, newlines; also ``:`` and ``,`` in values)."""
    kind = "error" if problem.severity == "error" else "notice"
    body = f"{sentence(problem.message)} {problem.hint}" if problem.hint else problem.message
    place = f"file={_property(problem.file)},line={problem.line},col={problem.column}"
    return f"::{kind} {place},title={_property(problem.code)}::{_data(body)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
