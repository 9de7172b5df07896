"""``catalog from-issue``: the answers of an issue form as a record, a correction or a result.

What an issue says is untrusted: it goes through the same checks as a file, and nothing of it is ever run.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from catalog.base.names import in_reading_order, is_group, names_in
from catalog.base.project import Project
from catalog.base.text import did_you_mean, inert, shorten
from catalog.base.web import Web
from catalog.intake.adding import Adder
from catalog.intake.draft import venue_value
from catalog.intake.forms import Answers, Form, IssueError, issue_text, read_answers, read_forms
from catalog.intake.sources import Reference, Sources, bibtex, references
from catalog.model.facets import FIELDS
from catalog.model.implementations import read_implementations
from catalog.model.metrics import off_scale, read_metrics
from catalog.model.paper import Links, Record
from catalog.model.results import RESULTS, Result, first_error, unseen_in
from catalog.model.venues import read_venue
from catalog.model.vocabulary import read_vocabularies
from catalog.parsing.problems import render
from catalog.parsing.tree import parse_tree
from catalog.parsing.validation import known_keys
from catalog.reading.entry import Entry
from catalog.reading.fmt import rewrite
from catalog.reading.load import read_entries

_METHOD = {"method": "name", "mechanism": "mechanism"}
"""Questions about a method, and the keys of a record's ``method``."""
_LONGEST_SOURCE = 300
"""Signs of a source that is noted beside a corrected value."""
_NAME = re.compile(r"(?=.{1,80}$)[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[0-9][A-Za-z0-9_-]*)*")
"""Of a task, model or method: the part of a path, and no file's name."""
_COMMAND = re.compile(r"unlearn run [a-z0-9-]+(?: [^\s`<>@#|\[\]\\!&]+)*")
"""What a person may be told to run: words that Markdown on a code host takes for nothing else, in backquotes or out."""
_ADD, _CORRECT, _REQUEST, _RESULT = "add-paper", "correct-record", "request-implementation", "add-result"


@dataclass
class Outcome:
    """Files that are to be written, and what to tell."""

    files: dict[str, str] = field(default_factory=dict)
    message: str = ""
    title: str = ""
    """For the commit and the pull request, in one plain line."""


def handle(project: Project, web: Web, text: str, today: str | None = None) -> Outcome:
    """What is to be written because of an issue.

    Raises:
        IssueError: nothing can be, and why; for the person who wrote it.
        WebError: a source cannot be asked.
    """
    form, given = read_answers(issue_text(text), read_forms(project))
    answers = Answers(given)
    outcome = _outcome(form, project, web, answers, today or datetime.date.today().isoformat())
    labels = [f"*{label}*" for label, name in form.questions.items() if name in answers.unused]
    if labels:
        answers.tell(f"No file holds what you wrote under {', '.join(labels)}; it stays in this issue.")
    outcome.message = "\n\n".join([outcome.message, *answers.told])
    return outcome


def _outcome(form: Form, project: Project, web: Web, answers: Answers, today: str) -> Outcome:
    if form.name == _ADD:
        return _add(project, web, answers, today)
    if form.name == _CORRECT:
        return _correct(project, answers, today)
    if form.name == _REQUEST:
        return _request(project, web, answers, today)
    if form.name == _RESULT:
        return _result(project, answers)
    raise IssueError(f"nothing is done automatically with the form {form.name}")


def _add(project: Project, web: Web, answers: Answers, today: str) -> Outcome:
    reference = _paper(answers)
    adder = Adder(project, today, write=False)
    if known := adder.known(reference):
        raise IssueError(known.message)
    outcome = adder.add(str(reference), Sources(web).look_up(reference), _given(project, answers))
    if outcome.status != "drafted":
        raise IssueError(outcome.message)
    reasons = "\n".join(
        f"- {suggestion['field']}: `{suggestion['term']}`, for {inert(suggestion['reason'])}"
        for suggestion in outcome.suggestions
    )
    message = f"The record is `{outcome.file}`." + (f" Suggested, to be checked:\n\n{reasons}" if reasons else "")
    return Outcome({outcome.file: outcome.text}, message, f"Add {Path(outcome.file).stem}")


def _paper(answers: Answers) -> Reference:
    """The one paper that an issue is about."""
    # BibTeX may stand in a code block; an address may be followed by a remark.
    said = _without_fence(answers.get("paper", ""))
    named = bibtex.named_in(said, "the answer") if bibtex.is_bibtex(said) else references(said)
    if not named.papers:
        raise IssueError(f"{shorten(said)!r} names no paper; give an arXiv id, a DOI, an address, or BibTeX")
    if len(named.papers) > 1:
        raise IssueError(
            f"the answer names {len(named.papers)} papers: {', '.join(map(str, named.papers))}. An issue is about one: "
            "keep one, and write another issue for each of the others; if they are the same paper, one address will do"
        )
    if named.rest:
        answers.tell(f"Beside the paper you wrote {_quoted(named.rest)}; no file holds that.")
    return named.papers[0]


def _code(answers: Answers) -> str:
    """The one address of an answer."""
    said = answers["code"]
    words = said.split()
    addresses = list(dict.fromkeys(word.strip("<>()[],;") for word in words if "://" in word))
    if len(addresses) > 1:
        raise IssueError(f"a record has one address of code, and the answer names {' and '.join(addresses)}; keep one")
    if len(words) > 1 and addresses:
        answers.tell(f"Of {_quoted(said)} the record holds the address alone.")
        return addresses[0]
    return " ".join(words)


def _given(project: Project, answers: Answers) -> dict[str, Any]:
    """The fields of a record that the person filled in; terms by id, label or alias."""
    fields: dict[str, Any] = {}
    if "type" in answers:
        fields["type"], *more = _terms(project, "type", answers["type"])
        if more:
            raise IssueError("a paper has one primary contribution; keep one, the others can be added to the record")
    for key in ("family", "targets", "datasets"):
        if key in answers:
            fields[key] = _terms(project, FIELDS[key], answers[key])
    if "summary" in answers:
        fields["summary"] = " ".join(answers["summary"].split())
    if "code" in answers:
        fields["links"] = {"code": _code(answers)}
    method = {key: " ".join(answers[name].split()) for name, key in _METHOD.items() if name in answers}
    if method:
        fields["method"] = method
    if "mechanism" in method and "name" not in method:
        said = f"You said what the method does to the model ({_quoted(method['mechanism'])}), and not what it is called"
        answers.tell(f"{said}: the record holds the mechanism; add the name if it has one.")
    return fields


def _terms(project: Project, name: str, text: str) -> tuple[str, ...]:
    vocabulary = read_vocabularies(project.vocabularies, project.root)[0][name]
    terms = []
    for word in _many(text):
        term = word if word in vocabulary else vocabulary.by_alias.get(word.casefold())
        if term is None:
            hint = did_you_mean(word, vocabulary.ids, vocabulary.by_alias) or "The page Vocabularies lists all."
            raise IssueError(f"{shorten(word)!r} is no {name} that the catalog knows. {hint}")
        terms.append(term)
    return tuple(dict.fromkeys(terms))


def _correct(project: Project, answers: Answers, today: str) -> Outcome:
    entry = _record(project, answers)
    place = tuple(answers.get("field", "").split("."))
    allowed = [*known_keys(Record, ()), *(f"links.{key}" for key in Links.model_fields)]
    if ".".join(place) not in allowed or place in (("added",), ("provenance",)):
        hint = did_you_mean(".".join(place), allowed) or f"One of: {', '.join(allowed)}."
        raise IssueError(f"{'.'.join(place)!r} is no field of a record. {hint}")
    if "value" not in answers or "source" not in answers:
        raise IssueError("a correction needs the right value, and where it says so")
    value = _value(project, place, answers["value"])
    source = " ".join(answers["source"].split())
    if len(source) > _LONGEST_SOURCE:
        raise IssueError(f"the source has {len(source)} characters; say it in at most {_LONGEST_SOURCE}")
    remark = f"# by hand: {shorten(source, _LONGEST_SOURCE)}"
    changes: dict[tuple[str | int, ...], Any] = {
        place: value,
        ("provenance", "checked"): max(today, entry.paper.provenance.checked),
    }
    text, problems = rewrite(project.root / entry.paper.file, entry.paper.file, changes, {place: remark})
    if text is None:
        raise IssueError(f"the correction makes no valid record:\n{render(problems)}")
    message = f"`{'.'.join(place)}` of `{entry.paper.file}` is corrected; the source is noted beside it."
    if isinstance(value, tuple):
        message += f" It has {len(value)}: {'; '.join(inert(shorten(one)) for one in value)}."
    return Outcome({entry.paper.file: text}, message, f"Correct {entry.paper.id}: {'.'.join(place)}")


def _request(project: Project, web: Web, answers: Answers, today: str) -> Outcome:
    """A paper whose method somebody misses has a record, or gets one."""
    said = answers.get("paper", "")
    if any(entry.paper.id == said.strip() for entry in read_entries(project)):
        return Outcome(message=f"The record `{said.strip()}` is there; whoever implements it can start from it.")
    wanted = Answers({"paper": said, **({"code": answers["official"]} if "official" in answers else {})})
    try:
        made = _add(project, web, wanted, today)
        answers.told += wanted.told
        return made
    except IssueError as error:
        if "is there already" in str(error):
            return Outcome(message=inert(str(error)))
        raise


def _result(project: Project, answers: Answers) -> Outcome:
    said = _without_fence(answers.get("result", ""))
    try:
        result = Result.model_validate_json(said)
    except ValidationError as error:
        raise IssueError(
            f"{first_error(error, 'the result')}. Paste what `unlearn run METHOD --json` printed."
        ) from None
    if not all(_NAME.fullmatch(name) for name in (result.task, result.model, result.method)):
        raise IssueError(
            "the names of task, model and method hold other signs than letters, digits, dashes, and dots before digits"
        )
    there, _ = read_implementations(project.reference_impls, project.root)
    for kind, name in (("method", result.method), ("task", result.task)):
        known = [runs.id for runs in there if runs.kind == kind]
        if name not in known:
            hint = did_you_mean(name, known) or f"There is: {', '.join(known)}."
            raise IssueError(f"there is no {kind} {name!r} here. {hint}")
    if not _COMMAND.fullmatch(result.command) or result.command.split()[2] != result.method:
        raise IssueError(
            f"the command is none that `unlearn run {result.method}` writes down, in one line and without signs of "
            "Markdown. Paste what it printed with --json, as it is"
        )
    metrics = {metric.id: metric for metric in read_metrics(project.reference_impls, project.root)[0]}
    if wrong := unseen_in(said) or next(off_scale(result, metrics), ""):
        raise IssueError(f"{wrong}. Paste what `unlearn run METHOD --json` printed, as it is.")
    file = f"{RESULTS}/{result.file}"
    if (project.root / file).exists():
        raise IssueError(f"{file} is there already, and is not overwritten; measure with another --seed")
    message = f"The result is `{file}`. Before it is merged, somebody runs `{shorten(result.command, 200)}` again."
    return Outcome({file: result.to_json()}, message, f"Add a result of {result.method} on {result.task}")


def _quoted(said: str) -> str:
    """What a person wrote, for the answer to it: none of it is markup there, and nobody is called."""
    return inert(repr(shorten(said, 300)))


def _record(project: Project, answers: Answers) -> Entry:
    """The record that an answer names by its id or by the address of its page or file."""
    said = answers.get("record", "").strip().strip("`")
    name = re.sub(r"\.(?:html|yaml|md)$", "", said.split("#")[0].rstrip("/").rpartition("/")[2])
    by_id = {entry.paper.id: entry for entry in read_entries(project)}
    if name not in by_id:
        hint = did_you_mean(name, by_id) or "Its id is the last part of its page's address."
        raise IssueError(f"there is no record {shorten(name)!r}. {hint}")
    return by_id[name]


def _value(project: Project, place: tuple[str, ...], text: str) -> Any:
    """An answer as the value of a field: text, a list by commas or lines, or YAML in brackets."""
    key = place[-1]
    if place == ("authors",) and not text.startswith("["):
        return _authors(text)
    if place[0] == "links" and len(text.split()) > 1:
        raise IssueError(f"{'.'.join(place)} holds one address or id, and {shorten(text)!r} is more")
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


def _authors(text: str) -> tuple[str, ...]:
    """The people of a list, in reading order."""
    names = tuple(in_reading_order(name) for name in names_in(text))
    for name in names:
        if "," in name and not is_group(name):
            raise IssueError(
                f"{shorten(name, 200)!r} can be read in several ways; write each author on a line of its own"
            )
    return names


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _many(text: str) -> tuple[str, ...]:
    return tuple(item for part in re.split(r"[\n,;]", text) if (item := " ".join(part.split()).removeprefix("- ")))


def _without_fence(text: str) -> str:
    fence = re.fullmatch(r"\s*```[a-z]*\n(.*?)\n?```\s*", text, re.DOTALL)
    return fence[1] if fence else text
