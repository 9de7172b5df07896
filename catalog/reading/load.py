"""From a checkout's files to the :class:`~catalog.model.catalog.Catalog`, or to everything that is wrong with them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from catalog.base.project import Project
from catalog.base.text import printable, shorten
from catalog.base.utf8 import read_text
from catalog.model.architectures import read_architectures
from catalog.model.catalog import Catalog
from catalog.model.claims import judge, read_claims
from catalog.model.guide import read_guide
from catalog.model.implementations import read_family_guides, read_implementations
from catalog.model.metrics import read_metrics
from catalog.model.paper import PAPER_ID, Paper, Record, newest_first
from catalog.model.pools import read_pools
from catalog.model.redirects import read_redirects
from catalog.model.results import read_result_files
from catalog.model.trials import read_trials
from catalog.model.venues import appearance, edition
from catalog.model.vocabulary import Vocabularies, read_vocabularies
from catalog.parsing.comments import SUGGESTED
from catalog.parsing.problems import Problem
from catalog.parsing.tree import Tree, read_tree
from catalog.parsing.validation import salvage, validate
from catalog.reading.checks import NO_ID, Corpus, run_checks
from catalog.reading.entry import Entry

_BLANK: dict[str, Any] = {
    "title": "xx",
    "authors": ("xx",),
    "date": "0001-01",
    "type": "xx",
    "links": {},
    "method": {"name": "xx"},
    "implementations": ({"id": "xx", "relation": "related"},),
    "state": {"kind": "revised"},
    "provenance": {"source": "hand", "checked": "0001-01-01"},
}
"""Stands in for what is wrong or missing. Findings about it fall on places that have a problem already."""


def load_catalog(project: Project, focus: Collection[Path] = ()) -> tuple[Catalog | None, list[Problem]]:
    """Read and check everything.

    Args:
        project: the checkout.
        focus: files in which the reader is interested: of two records in conflict, the one in focus is reported.

    Returns:
        The catalog, or None if there is an error, and every problem of every file, hints included, sorted by place.
    """
    vocabularies, problems = read_vocabularies(project.vocabularies, project.root)
    implementations, found = read_implementations(project.reference_impls, project.root)
    problems += found
    family_guides, found = read_family_guides(project.reference_impls, project.root)
    problems += found
    results, found = read_result_files(project.reference_impls / "results", project.root)
    problems += found
    claims, found = read_claims(project.reference_impls, project.root)
    problems += found
    metrics, found = read_metrics(project.reference_impls, project.root)
    problems += found
    trials, found = read_trials(project.reference_impls, project.root)
    problems += found
    pools, found = read_pools(project.reference_impls, project.root)
    problems += found
    architectures, found = read_architectures(project.reference_impls, project.root)
    problems += found
    guide, found = read_guide(project.site, project.root)
    problems += found
    entries, found = _read_records(project)
    problems += found
    entries.sort(key=lambda entry: entry.paper.file)
    if wanted := {path.resolve() for path in focus}:
        entries.sort(key=lambda entry: (project.root / entry.paper.file).resolve() in wanted)
    redirects, found = read_redirects(project, {entry.paper.id for entry in entries})
    problems += found
    problems += run_checks(
        Corpus(tuple(entries), tuple(implementations), results, vocabularies, claims, guide, family_guides), problems
    )
    if any(problem.severity == "error" for problem in problems):
        return None, sorted(problems)
    papers = newest_first(_in_words(entry.paper, vocabularies) for entry in entries)
    measured = sorted(results.values(), key=lambda one: (one.task, one.model, one.method, one.seed))
    judged = judge(tuple(claims), measured, trials)
    catalog = Catalog(
        tuple(papers),
        tuple(implementations),
        tuple(measured),
        vocabularies,
        judged,
        guide,
        metrics,
        redirects,
        family_guides,
        trials,
        pools,
        architectures,
    )
    return catalog, sorted(problems)


def _in_words(paper: Paper, vocabularies: Vocabularies) -> Paper:
    if paper.venue is None:
        return paper
    words = {"appeared": appearance(paper.venue, vocabularies), "edition": edition(paper.venue, vocabularies)}
    return paper.model_copy(update=words)


def read_record(path: Path, file: str) -> tuple[Entry | None, list[Problem]]:
    """One record by itself.

    Args:
        path: the file.
        file: how problems name it.

    Returns:
        The record as far as it could be read, or None, and every problem within it.
    """
    tree, problems = read_tree(path, file)
    if tree is None:
        return None, problems
    if not isinstance(tree.value, dict):
        message = "a record consists of keys with values, as in 'title: ...'"
        return None, [*problems, Problem(file, 1, 1, "wrong-type", "error", message, "See CONTRIBUTING.md for one.")]
    problems += _check_id(path.stem, tree)
    problems += _unchecked(path, file)
    record, wrong = validate(Record, tree)
    problems += wrong
    own = {"id": path.stem if re.fullmatch(PAPER_ID, path.stem) else NO_ID, "file": file}
    # What has been validated need not be again.
    paper = (
        Paper.model_construct(None, **record.__dict__, **own)
        if record
        else salvage(Paper, {**tree.value, **own}, _BLANK)
    )
    return (Entry(paper, tree) if paper else None), problems


def read_entries(project: Project) -> list[Entry]:
    """Every record as far as it can be read, whatever is wrong with it or with others."""
    return _read_records(project)[0]


def _check_id(stem: str, tree: Tree) -> list[Problem]:
    """The id is the file's name; a record that repeats it must agree, and need not."""
    problems = []
    if not re.fullmatch(PAPER_ID, stem):
        message = f"the file's name {shorten(stem)!r} is no id"
        hint = "An id is the first author's family name, the year and a word of the title: zhang2024negative.yaml"
        problems.append(Problem(tree.file, 1, 1, "bad-id", "error", message, hint))
    if "id" in tree.value:
        given, mark = tree.value.pop("id"), tree.mark(("id",))
        if given != stem:
            message = f"the id {shorten(str(given))!r} disagrees with the file's name {shorten(stem)!r}"
            hint = "Delete the line: the id is the file's name. Rename the file if that is wrong."
            problems.append(Problem(tree.file, mark.line, mark.column, "id-mismatch", "error", message, hint))
        else:
            hint = "Delete the line."
            message = "the id is the file's name already"
            problems.append(Problem(tree.file, mark.line, mark.column, "redundant-id", "hint", message, hint))
    return problems


def _unchecked(path: Path, file: str) -> Iterator[Problem]:
    """What ``catalog add`` suggested, and nobody has confirmed."""
    text = read_text(path)
    if SUGGESTED not in text:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(f" *{SUGGESTED}", line):
            message = f"the next line is suggested, for: {shorten(line[found.end() :], 120)}"
            hint = "Correct it if need be, and delete this comment."
            yield Problem(file, number, 1, "unchecked-suggestion", "hint", message, hint)


def _read_records(project: Project) -> tuple[list[Entry], list[Problem]]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for path in _walk(project.papers):
        file = printable(path.relative_to(project.root).as_posix())
        if stray := _stray(path, project.papers):
            message, hint = stray
            problems.append(Problem(file, 1, 1, "stray-file", "error", message, hint))
            continue
        entry, found = read_record(path, file)
        problems += found
        if entry:
            entries.append(entry)
    return entries, problems


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below, sorted; links to folders count as files, so that nothing outside is read."""
    for base, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(base, name))]
        folders[:] = sorted(name for name in folders if name not in links and not name.startswith("."))
        for name in sorted([*files, *links]):
            if not name.startswith(".") and name != "README.md":
                yield Path(base, name)


def _stray(path: Path, papers: Path) -> tuple[str, str] | None:
    """(message, hint) where the file is no record by its kind, name or place."""
    if path.is_symlink():
        return "is a symbolic link", "Put the record itself here."
    if not path.is_file():
        return "is not a plain file", "Delete it."
    if path.suffix != ".yaml":
        return "is no record: its name does not end in .yaml", "Rename it, or move it out of papers/."
    folders = path.relative_to(papers).parts[:-1]
    if len(folders) != 1 or not re.fullmatch(r"\d{4}", folders[0]):
        return "is not in a year's folder", "Move it to papers/<year>/, as in papers/2024/zhang2024negative.yaml."
    return None
