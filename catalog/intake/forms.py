"""The issue forms, and an issue's text as the answers to one of them: none is cut, and none gets lost without a word.

The forms are ``.github/ISSUE_TEMPLATE/*.yml``: their labels are the headings of an issue's text, their ids say what an
answer means. So a question can be worded anew without touching Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from catalog.base.project import Project
from catalog.base.utf8 import read_text

FORMS = ".github/ISSUE_TEMPLATE"
MAX_CHARACTERS = 200_000
_NO_ANSWER = "_No response_"


class IssueError(Exception):
    """An issue cannot be turned into files; the message is for the person who wrote it."""


@dataclass(frozen=True)
class Form:
    """A form: its name, and the ids of its questions by their labels."""

    name: str
    questions: Mapping[str, str]


def read_forms(project: Project) -> list[Form]:
    """The forms of a checkout."""
    forms = []
    for path in sorted((project.root / FORMS).glob("*.yml")):
        body = yaml.safe_load(read_text(path)).get("body", ())
        asked = {part["attributes"]["label"]: part["id"] for part in body if "id" in part}
        if asked:
            forms.append(Form(path.stem, asked))
    return forms


def issue_text(content: str) -> str:
    """The text of an issue: as it is, or out of the event that the code host hands to workflows.

    Raises:
        IssueError: it is neither.
    """
    if content.lstrip().startswith("{"):
        try:
            content = json.loads(content)["issue"]["body"] or ""
        except (ValueError, KeyError, TypeError, RecursionError):
            raise IssueError("the event holds no issue") from None
    if not isinstance(content, str) or len(content) > MAX_CHARACTERS:
        raise IssueError("the issue is too long")
    return content.replace("\r\n", "\n")


def read_answers(text: str, forms: list[Form]) -> tuple[Form, dict[str, str]]:
    """The form that an issue was written with, and its answers by the questions' ids; unanswered ones are absent.

    Raises:
        IssueError: it was written with none of them.
    """
    matches = list(re.finditer(r"^### +(.+?) *$", text, flags=re.MULTILINE))
    headings = {match[1] for match in matches}
    form = max(forms, key=lambda candidate: len(headings & set(candidate.questions)), default=None)
    if form is None or len(headings & set(form.questions)) < 2:
        raise IssueError("the issue was not written with one of the forms, so nothing can be made of it")
    asked = _asked(form, matches)
    answers: dict[str, str] = {}
    for heading, after in zip(asked, [*(following.start() for following in asked[1:]), len(text)], strict=True):
        answer = text[heading.end() : after].strip()
        if answer and answer not in (_NO_ANSWER, "None"):
            answers[form.questions[heading[1]]] = answer
    return form, answers


def _asked(form: Form, headings: list[re.Match[str]]) -> list[re.Match[str]]:
    """The headings that are the form's questions; any other is a part of the answer that it stands in."""
    in_order: list[re.Match[str]] = []
    for label in form.questions:
        start = in_order[-1].end() if in_order else 0
        in_order += [heading for heading in headings if heading[1] == label and heading.start() >= start][:1]
    first: dict[str, re.Match[str]] = {}
    for heading in headings:
        if heading[1] in form.questions:
            first.setdefault(heading[1], heading)
    # The code host writes the questions in the form's order; a person may have moved them.
    return in_order if len(in_order) == len(first) else list(first.values())


class Answers(Mapping[str, str]):
    """The answers of an issue by their questions' ids. It knows which of them nobody took, so that this can be told."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given, self._taken = given, set[str]()
        self.told: list[str] = []
        """What the person should know about what became of the answers."""

    def __getitem__(self, name: str) -> str:
        self._taken.add(name)
        return self._given[name]

    def __contains__(self, name: object) -> bool:
        return name in self._given

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    @property
    def unused(self) -> set[str]:
        """The ids of the questions whose answers nobody took."""
        return set(self._given) - self._taken

    def tell(self, what: str) -> None:
        """Note a sentence for the person who wrote the issue."""
        self.told.append(what)
