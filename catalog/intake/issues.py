"""``catalog from-issue``: the answers of an issue form as a record, a correction or a result.

The forms are ``.github/ISSUE_TEMPLATE/*.yml``: their labels are the headings of an issue's text, their ids say what an
answer means. So a question can be worded anew without touching Python. What an issue says is untrusted: it goes through
the same checks as a file, and nothing of it is ever run.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from catalog.base.project import Project
from catalog.base.text import did_you_mean, shorten
from catalog.base.web import Web
from catalog.intake.adding import Adder
from catalog.intake.draft import venue_value
from catalog.intake.sources import Sources, parse_reference
from catalog.model.facets import FIELDS
from catalog.model.paper import Links, Record
from catalog.model.results import Result, first_error
from catalog.model.venues import read_venue
from catalog.model.vocabulary import read_vocabularies
from catalog.parsing.problems import render
from catalog.parsing.tree import parse_tree
from catalog.parsing.validation import known_keys
from catalog.reading.entry import Entry
from catalog.reading.fmt import rewrite
from catalog.reading.load import read_entries

FORMS = ".github/ISSUE_TEMPLATE"
MAX_CHARACTERS = 200_000
_NO_ANSWER = "_No response_"
_ADD, _CORRECT, _REQUEST, _RESULT = "add-paper", "correct-record", "request-implementation", "add-result"


class IssueError(Exception):
    """An issue cannot be turned into files; the message is for the person who wrote it."""


@dataclass(frozen=True)
class Form:
    """A form: its name, and the ids of its questions by their labels."""

    name: str
    questions: Mapping[str, str]


@dataclass
class Outcome:
    """Files that are to be written, and what to tell."""

    files: dict[str, str] = field(default_factory=dict)
    message: str = ""
    title: str = ""
    """For the commit and the pull request, in one plain line."""


def read_forms(project: Project) -> list[Form]:
    """The forms of a checkout."""
    forms = []
    for path in sorted((project.root / FORMS).glob("*.yml")):
        body = yaml.safe_load(path.read_text(encoding="utf-8")).get("body", ())
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
    parts = re.split(r"^### +(.+?) *$", text, flags=re.MULTILINE)
    given = [(parts[index].strip(), parts[index + 1].strip()) for index in range(1, len(parts) - 1, 2)]
    headings = {heading for heading, _ in given}
    form = max(forms, key=lambda one: len(headings & set(one.questions)), default=None)
    if form is None or len(headings & set(form.questions)) < 2:
        raise IssueError("the issue was not written with one of the forms, so nothing can be made of it")
    answers: dict[str, str] = {}
    for heading, answer in given:
        name = form.questions.get(heading)
        # The first answer counts: an answer may hold what looks like a heading.
        if name and name not in answers and answer and answer not in (_NO_ANSWER, "None"):
            answers[name] = answer
    return form, answers


def handle(project: Project, web: Web, text: str, today: str | None = None) -> Outcome:
    """What is to be written because of an issue.

    Raises:
        IssueError: nothing can be, and why; for the person who wrote it.
        WebError: a source cannot be asked.
    """
    form, answers = read_answers(issue_text(text), read_forms(project))
    today = today or datetime.date.today().isoformat()
    if form.name == _ADD:
        return _add(project, web, answers, today)
    if form.name == _CORRECT:
        return _correct(project, answers, today)
    if form.name == _REQUEST:
        return _request(project, web, answers, today)
    if form.name == _RESULT:
        return _result(project, answers)
    raise IssueError(f"nothing is done automatically with the form {form.name}")


def _add(project: Project, web: Web, answers: Mapping[str, str], today: str) -> Outcome:
    # BibTeX may stand in a code block; an address may be followed by a remark.
    said = _without_fence(answers.get("paper", ""))
    reference = parse_reference(said) or parse_reference(said.partition("\n")[0].partition(" ")[0])
    if reference is None:
        raise IssueError(f"{shorten(said)!r} names no paper; give an arXiv id, a DOI, an address, or BibTeX")
    adder = Adder(project, today, write=False)
    if known := adder.known(reference):
        raise IssueError(known.message)
    outcome = adder.add(str(reference), Sources(web).look_up(reference), _given(project, answers))
    if outcome.status != "drafted":
        raise IssueError(outcome.message)
    reasons = "\n".join(f"- {one['field']}: `{one['term']}`, for {one['reason']}" for one in outcome.suggestions)
    message = f"The record is `{outcome.file}`." + (f" Suggested, to be checked:\n\n{reasons}" if reasons else "")
    return Outcome({outcome.file: outcome.text}, message, f"Add {Path(outcome.file).stem}")


def _given(project: Project, answers: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a record that the person filled in; terms by id, label or alias."""
    given: dict[str, Any] = {}
    if "type" in answers:
        given["type"] = _terms(project, "type", answers["type"])[0]
    for key in ("family", "targets", "datasets"):
        if key in answers:
            given[key] = _terms(project, FIELDS[key], answers[key])
    if "summary" in answers:
        given["summary"] = " ".join(answers["summary"].split())
    if "code" in answers:
        given["links"] = {"code": answers["code"].split()[0]}
    if "method" in answers:
        given["method"] = {"name": " ".join(answers["method"].split())}
        if "mechanism" in answers:
            given["method"]["mechanism"] = " ".join(answers["mechanism"].split())
    return given


def _terms(project: Project, name: str, text: str) -> tuple[str, ...]:
    vocabulary = read_vocabularies(project.vocabularies, project.root)[0][name]
    found = []
    for one in _many(text):
        term = one if one in vocabulary else vocabulary.by_alias.get(one.casefold())
        if term is None:
            hint = did_you_mean(one, vocabulary.ids, vocabulary.by_alias) or "The page Vocabularies lists all."
            raise IssueError(f"{shorten(one)!r} is no {name} that the catalog knows. {hint}")
        found.append(term)
    return tuple(dict.fromkeys(found))


def _correct(project: Project, answers: Mapping[str, str], today: str) -> Outcome:
    entry = _record(project, answers)
    place = tuple(answers.get("field", "").split("."))
    allowed = [*known_keys(Record, ()), *(f"links.{key}" for key in Links.model_fields)]
    if ".".join(place) not in allowed or place == ("provenance",):
        hint = did_you_mean(".".join(place), allowed) or f"One of: {', '.join(allowed)}."
        raise IssueError(f"{'.'.join(place)!r} is no field of a record. {hint}")
    if "value" not in answers or "source" not in answers:
        raise IssueError("a correction needs the right value, and where it says so")
    value = _value(project, place, answers["value"])
    remark = f"# by hand: {shorten(answers['source'], 100)}"
    changes: dict[tuple[str | int, ...], Any] = {
        place: value,
        ("provenance", "checked"): max(today, entry.paper.provenance.checked),
    }
    text, problems = rewrite(project.root / entry.paper.file, entry.paper.file, changes, {place: remark})
    if text is None:
        raise IssueError(f"the correction makes no valid record:\n{render(problems)}")
    message = f"`{'.'.join(place)}` of `{entry.paper.file}` is corrected; the source is noted beside it."
    return Outcome({entry.paper.file: text}, message, f"Correct {entry.paper.id}: {'.'.join(place)}")


def _request(project: Project, web: Web, answers: Mapping[str, str], today: str) -> Outcome:
    """A paper whose method somebody misses has a record, or gets one."""
    said = answers.get("paper", "")
    if any(entry.paper.id == said.strip() for entry in read_entries(project)):
        return Outcome(message=f"The record `{said.strip()}` is there; whoever implements it can start from it.")
    try:
        return _add(project, web, {"paper": said}, today)
    except IssueError as error:
        if "is there already" in str(error):
            return Outcome(message=str(error))
        raise


def _result(project: Project, answers: Mapping[str, str]) -> Outcome:
    try:
        result = Result.model_validate_json(_without_fence(answers.get("result", "")))
    except ValidationError as error:
        raise IssueError(
            f"{first_error(error, 'the result')}. Paste what `unlearn run METHOD --json` printed."
        ) from None
    names = (result.task, result.model, result.method)
    if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", name) for name in names):
        raise IssueError("the names of task, model and method hold other signs than letters, digits, dots and dashes")
    file = f"reference_impls/results/{result.file}"
    if (project.root / file).exists():
        raise IssueError(f"{file} is there already, and is not overwritten; measure with another --seed")
    message = f"The result is `{file}`. Before it is merged, somebody runs `{shorten(result.command, 200)}` again."
    return Outcome({file: result.to_json()}, message, f"Add a result of {result.method} on {result.task}")


def _record(project: Project, answers: Mapping[str, str]) -> Entry:
    """The record that an answer names by its id or by the address of its page or file."""
    said = answers.get("record", "").split("\n")[0].strip().strip("`")
    name = re.sub(r"\.(?:html|yaml|md)$", "", said.split("#")[0].rstrip("/").rpartition("/")[2])
    by_id = {entry.paper.id: entry for entry in read_entries(project)}
    if name not in by_id:
        hint = did_you_mean(name, by_id) or "Its id is the last part of its page's address."
        raise IssueError(f"there is no record {shorten(name)!r}. {hint}")
    return by_id[name]


def _value(project: Project, place: tuple[str, ...], text: str) -> Any:
    """An answer as the value of a field: text, a list by commas or lines, or YAML in brackets."""
    key = place[-1]
    if text.startswith(("[", "{")) or (text.startswith("- ") and key not in ("summary", "title")):
        tree, problems = parse_tree(f"{key}:\n{_indented(text)}\n".encode(), "the correction")
        if tree is None or problems:
            raise IssueError(f"the value cannot be read:\n{render(problems)}")
        return tree.value[key]
    if place == ("venue",):
        known = read_venue(text, read_vocabularies(project.vocabularies, project.root)[0])
        if known is None:
            raise IssueError(f"{shorten(text)!r} names no venue and year that the catalog knows, as COLM 2024 does")
        return venue_value(known)
    if len(place) == 1 and "tuple" in str(Record.model_fields[key].annotation):
        return _many(text)
    return " ".join(text.split())


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _many(text: str) -> tuple[str, ...]:
    return tuple(one for part in re.split(r"[\n,;]", text) if (one := " ".join(part.split()).removeprefix("- ")))


def _without_fence(text: str) -> str:
    found = re.fullmatch(r"\s*```[a-z]*\n(.*?)\n?```\s*", text, re.DOTALL)
    return found[1] if found else text
