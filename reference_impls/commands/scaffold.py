"""``unlearn new``: all that makes a new method, attack, metric or task run and be shown, ready to fill in.

What it writes runs as it is, with something simple inside, and passes every check. The texts are in ``templates/new``.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog.base.files import write_whole
from catalog.base.project import Project
from catalog.base.text import did_you_mean
from catalog.model.paper import Paper
from catalog.model.vocabulary import read_vocabularies
from catalog.parsing.problems import render
from catalog.reading.fmt import rewrite
from catalog.reading.load import read_record
from reference_impls.errors import UsageError
from reference_impls.running.registry import PACKAGE

KINDS = ("method", "attack", "metric", "task")
DEFINITIONS = "reference_impls/metrics/metrics.yaml"


@dataclass(frozen=True)
class Addition:
    """What is to be added, and where."""

    name: str
    """Its id, in small letters with dashes."""
    project: Project
    paper: str | None = None
    """Id of the record that it follows."""
    family: str | None = None
    """A method's family; that of its paper by default."""

    @property
    def module(self) -> str:
        """The id as Python imports it."""
        return self.name.replace("-", "_")

    def text(self, template: str, **words: str) -> str:
        """A template with its words in capitals filled in."""
        known = {
            "MODULE": self.module,
            "MEASURE": self.module,
            "CLASS": "".join(word.capitalize() for word in self.name.split("-")),
            "LABEL": self.name.replace("-", " ").capitalize(),
            "SHORT": self.name,
            "ID": self.name,
            "PAPER": self.paper or "",
            **words,
        }
        path = self.project.templates / "new" / f"{template}.txt"
        pattern = "|".join(rf"\b{word}(?=\b|_|Attack|Task)" for word in sorted(known, key=len, reverse=True))
        return re.sub(pattern, lambda match: known[match[0]], path.read_text(encoding="utf-8"))


@dataclass
class _Files:
    """What is written: new files, and files that change, by their paths below the checkout."""

    new: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)


def add(
    kind: str, name: str, paper: str | None = None, family: str | None = None, root: Path = PACKAGE.parent
) -> list[str]:
    """Write all of the core of an addition, or nothing; returns the files, those that changed last.

    Args:
        kind: one of ``KINDS``.
        name: its id, as in ``unlearn run NAME``.
        paper: id of the record that it follows; a metric needs none.
        family: a method's, if its paper's is not meant.
        root: the checkout.

    Raises:
        UsageError: the name cannot be one or is taken, a paper or family is missing or unknown, or this is no checkout.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot be an id. Use small letters, digits and dashes, such as 'sim-npo'.")
    project = Project(root)
    if not (project.root / "tests" / "reference_impls").is_dir():
        raise UsageError(f"There are no tests in {project.root}: things are added to a checkout of the project.")
    addition = Addition(name, project, paper, family)
    files = _WRITERS[kind](addition)
    for file in files.new:
        if (project.root / file).exists():
            raise UsageError(f"{file} is there already.")
    _write(project.root, files)
    return [*files.new, *files.changed]


def _write(root: Path, files: _Files) -> None:
    """All or nothing: what was written is taken back when something cannot be."""
    before = {file: (root / file).read_bytes() for file in files.changed}
    written: list[str] = []
    try:
        for file, text in {**files.new, **files.changed}.items():
            written.append(file)
            write_whole(root / file, text)
    except OSError as error:
        for file in written:
            if file in before:
                write_whole(root / file, before[file])
            else:
                (root / file).unlink(missing_ok=True)
        raise UsageError(f"cannot write {error.filename}: {error.strerror}. Nothing was added.") from None


def _method(addition: Addition) -> _Files:
    paper = _paper(addition)
    family = _family(addition, paper).replace("-", "_")
    folder = f"reference_impls/methods/{family}"
    files = _Files(changed=_linked(addition, paper))
    files.new[f"{folder}/{addition.module}.py"] = addition.text("method.py")
    files.new[f"tests/{folder}/test_{addition.module}.py"] = addition.text("method_test.py", FAMILY=family)
    if not (addition.project.root / folder / "__init__.py").exists():
        label = family.replace("_", " ").capitalize()
        files.new[f"{folder}/__init__.py"] = addition.text("family.py", LABEL=label)
    return files


def _attack(addition: Addition) -> _Files:
    files = _Files(changed=_linked(addition, _paper(addition)))
    files.changed |= _defined(addition, "attack_definition.yaml")
    files.new[f"reference_impls/attacks/{addition.module}.py"] = addition.text("attack.py")
    files.new[f"tests/reference_impls/attacks/test_{addition.module}.py"] = addition.text("attack_test.py")
    return files


def _metric(addition: Addition) -> _Files:
    files = _Files(changed=_defined(addition, "metric_definition.yaml"))
    files.new[f"reference_impls/metrics/{addition.module}.py"] = addition.text("metric.py")
    files.new[f"tests/reference_impls/metrics/test_{addition.module}.py"] = addition.text("metric_test.py")
    return files


def _task(addition: Addition) -> _Files:
    files = _Files(changed=_linked(addition, _paper(addition)))
    folder = f"reference_impls/tasks/{addition.module}"
    files.new[f"{folder}/__init__.py"] = addition.text("task.py")
    files.new[f"{folder}/search.yaml"] = addition.text("task_search.yaml")
    files.new[f"tests/reference_impls/tasks/test_{addition.module}.py"] = addition.text("task_test.py")
    return files


_WRITERS: Mapping[str, Callable[[Addition], _Files]] = {
    "method": _method,
    "attack": _attack,
    "metric": _metric,
    "task": _task,
}


def _paper(addition: Addition) -> Paper:
    """The record that an addition follows.

    Raises:
        UsageError: none is named, or there is none of that id.
    """
    if addition.paper is None:
        raise UsageError("Say which paper it follows: --paper ID, the id of its record (`catalog search` finds it).")
    path = _record_path(addition)
    if path is None:
        ids = [path.stem for path in addition.project.papers.glob("*/*.yaml")]
        hint = did_you_mean(addition.paper, ids) or "Add it first: `catalog add`."
        raise UsageError(f"There is no record {addition.paper!r}. {hint}")
    entry, problems = read_record(path, path.relative_to(addition.project.root).as_posix())
    errors = [problem for problem in problems if problem.severity == "error"]
    if entry is None or errors:
        raise UsageError(render(errors))
    return entry.paper


def _record_path(addition: Addition) -> Path | None:
    return next(iter(sorted(addition.project.papers.glob(f"*/{addition.paper}.yaml"))), None)


def _family(addition: Addition, paper: Paper) -> str:
    family = addition.family or next(iter(paper.family), None)
    known = read_vocabularies(addition.project.vocabularies, addition.project.root)[0]["family"].ids
    if family is None:
        raise UsageError(f"The record {paper.id!r} names no family. Say it: --family, one of {', '.join(known)}.")
    if family not in known:
        hint = did_you_mean(family, known) or f"There is: {', '.join(known)}."
        raise UsageError(f"There is no family {family!r}. {hint}")
    return family


def _linked(addition: Addition, paper: Paper) -> dict[str, str]:
    """The paper's record with a link to the addition, in the layout of ``catalog fmt``."""
    links = [{"id": link.id, "relation": link.relation} for link in paper.implementations]
    if any(link["id"] == addition.name for link in links):
        return {}
    changed = (*links, {"id": addition.name, "relation": "introduces"})
    path = addition.project.root / paper.file
    text, problems = rewrite(path, paper.file, {("implementations",): changed})
    if text is None:
        raise UsageError(f"The record cannot be linked:\n{render(problems)}")
    return {paper.file: text}


def _defined(addition: Addition, template: str) -> dict[str, str]:
    """The definitions of metrics with one more at the end.

    Raises:
        UsageError: something of that name is defined already.
    """
    text = (addition.project.root / DEFINITIONS).read_text(encoding="utf-8")
    if re.search(rf"(?m)^- id: {addition.module}$", text):
        raise UsageError(f"{DEFINITIONS} defines {addition.module!r} already.")
    return {DEFINITIONS: f"{text.rstrip()}\n{addition.text(template)}"}
