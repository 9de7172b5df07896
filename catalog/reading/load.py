"""From a checkout's files to the :class:`~catalog.model.catalog.Catalog`, or to everything that is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from catalog.base.garbage import without_gc
from catalog.base.manifest import digest_of
from catalog.base.project import Project
from catalog.base.text import printable, shorten
from catalog.base.utf8 import decode
from catalog.model import discovery
from catalog.model.architectures import Architectures, read_architectures
from catalog.model.catalog import Catalog
from catalog.model.claims import judge, read_claims
from catalog.model.guide import read_guide
from catalog.model.implementations import read_family_guides, read_implementations
from catalog.model.metrics import Metric, read_metrics
from catalog.model.paper import Paper, Record, Venue, newest_first
from catalog.model.pools import Pools, read_pools
from catalog.model.redirects import Redirects, read_redirects
from catalog.model.registries import PAPER_ID
from catalog.model.results import read_result_files, reading_order
from catalog.model.trials import Trials, read_trials
from catalog.model.venues import appearance, edition
from catalog.model.vocabulary import Vocabularies, read_vocabularies
from catalog.parsing.comments import SUGGESTED
from catalog.parsing.problems import Problem
from catalog.parsing.tree import Tree, lost_letters, parse_tree, read_bounded, read_tree
from catalog.parsing.validation import salvage, validate
from catalog.reading.checks import NO_ID, Corpus, run_checks
from catalog.reading.entry import Entry
from catalog.reading.inputs import record_files
from catalog.reading.kept import Kept, KeptRecord, Verdict
from catalog.reading.packing import pack, unpack

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


def load_catalog(
    project: Project, focus: Collection[Path] = (), kept: Kept | None = None
) -> tuple[Catalog | None, list[Problem]]:
    """Read and check everything.

    Args:
        project: the checkout.
        focus: files in which the reader is interested: of two records in conflict, the one in focus is reported.
        kept: what earlier runs read; what this one reads is kept there. Nothing follows from it but time.

    Returns:
        The catalog, or None if there is an error, and every problem of every file, hints included, sorted by place.
    """
    with without_gc():
        examined = _examine(project, focus, kept)
        return (examined.catalog() if examined.good else None), sorted(examined.problems)


def check_records(
    project: Project, focus: Collection[Path] = (), kept: Kept | None = None
) -> tuple[int | None, list[Problem]]:
    """The same for those who want no catalog: how many papers it would have, or None, and every problem."""
    with without_gc():
        examined = _examine(project, focus, kept)
        return (len(examined.corpus.entries) if examined.good else None), sorted(examined.problems)


@dataclass(frozen=True)
class _Examined:
    """All that was read, and what is wrong with it."""

    corpus: Corpus
    metrics: tuple[Metric, ...]
    redirects: Redirects
    trials: Trials
    pools: Mapping[str, Pools]
    architectures: Architectures | None
    problems: Sequence[Problem]

    @property
    def good(self) -> bool:
        """Whether there is no error."""
        return not any(problem.severity == "error" for problem in self.problems)

    def catalog(self) -> Catalog:
        """What consumers see, where there is no error."""
        corpus = self.corpus
        measured = sorted(corpus.results.values(), key=reading_order)
        return Catalog(
            tuple(newest_first(_in_words((entry.paper for entry in corpus.entries), corpus.vocabularies))),
            corpus.implementations,
            tuple(measured),
            corpus.vocabularies,
            judge(tuple(corpus.claims), measured, self.trials, corpus.headlines),
            corpus.guide,
            self.metrics,
            self.redirects,
            corpus.family_guides,
            self.trials,
            self.pools,
            self.architectures,
        )


def _examine(project: Project, focus: Collection[Path], kept: Kept | None) -> _Examined:
    vocabularies, problems = read_vocabularies(project.vocabularies, project.root)
    implementations, faults = read_implementations(project.reference_impls, project.root)
    problems += faults
    family_guides, faults = read_family_guides(project.reference_impls, project.root)
    problems += faults
    results, faults = read_result_files(project.reference_impls / "results", project.root)
    problems += faults
    claims, faults = read_claims(project.reference_impls, project.root)
    problems += faults
    metrics, faults = read_metrics(project.reference_impls, project.root)
    problems += faults
    trials, faults = read_trials(project.reference_impls, project.root)
    problems += faults
    pools, faults = read_pools(project.reference_impls, project.root)
    problems += faults
    architectures, faults = read_architectures(project.reference_impls, project.root)
    problems += faults
    guide, faults = read_guide(project.site, project.root)
    problems += faults
    if (rules := project.root / discovery.FILE).is_file():
        problems += discovery.read_discovery(rules, discovery.FILE, discovery.DiscoveryFile)[1]
    read = list(_read_records(project, kept))
    problems += [problem for record in read for problem in record.problems]
    entries = [record.entry for record in read if record.entry]
    entries.sort(key=lambda entry: entry.paper.file)
    if wanted := {path.resolve() for path in focus}:
        entries.sort(key=lambda entry: (project.root / entry.paper.file).resolve() in wanted)
    redirects, faults = read_redirects(project, {entry.paper.id for entry in entries})
    problems += faults
    corpus = Corpus(
        tuple(entries),
        tuple(implementations),
        results,
        vocabularies,
        claims,
        guide,
        family_guides,
        trials,
        metrics,
    )
    if kept and kept.verdict and not focus:
        problems = list(kept.verdict.problems)
    else:
        known = list(problems)
        alone = _checked_alone(read, corpus)
        problems += [problem for group in alone.values() for problem in group]
        problems += run_checks(corpus, known, alone=False)
        if kept and not focus:
            _keep(kept, read, alone, problems)
    return _Examined(corpus, metrics, redirects, trials, pools, architectures, problems)


def _in_words(papers: Iterable[Paper], vocabularies: Vocabularies) -> Iterator[Paper]:
    """Papers with their venues in words; most appear where others do, too."""
    words: dict[Venue, dict[str, Any]] = {}
    for paper in papers:
        if paper.venue is None:
            yield paper
            continue
        if paper.venue not in words:
            named = {"appeared": appearance(paper.venue, vocabularies), "edition": edition(paper.venue, vocabularies)}
            words[paper.venue] = named
        yield paper.model_copy(update=words[paper.venue])


def read_record(path: Path, file: str) -> tuple[Entry | None, list[Problem]]:
    """One record by itself.

    Args:
        path: the file.
        file: how problems name it.

    Returns:
        The record as far as it could be read, or None, and every problem within it.
    """
    data, problems = read_bounded(path, file)
    return (None, problems) if data is None else _record(path.stem, file, data)


def _record(stem: str, file: str, data: bytes) -> tuple[Entry | None, list[Problem]]:
    """A record from the bytes of its file."""
    tree, problems = parse_tree(data, file)
    if tree is None:
        return None, problems
    problems += lost_letters(tree)
    if not isinstance(tree.value, dict):
        message = "a record consists of keys with values, as in 'title: ...'"
        return None, [*problems, Problem(file, 1, 1, "wrong-type", "error", message, "See CONTRIBUTING.md for one.")]
    problems += _check_id(stem, tree)
    problems += _unchecked(decode(data), file)
    record, wrong = validate(Record, tree)
    problems += wrong
    own = {"id": stem if re.fullmatch(PAPER_ID, stem) else NO_ID, "file": file}
    # What has been validated need not be again.
    paper = (
        Paper.model_construct(None, **record.__dict__, **own)
        if record
        else salvage(Paper, {**tree.value, **own}, _BLANK)
    )
    return (Entry(paper, tree) if paper else None), problems


def read_entries(project: Project) -> list[Entry]:
    """Every record as far as it can be read, whatever is wrong with it or with others."""
    return [record.entry for record in _read_records(project, Kept.there(project)) if record.entry]


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


def _unchecked(text: str, file: str) -> Iterator[Problem]:
    """What ``catalog add`` suggested, and nobody has confirmed."""
    if SUGGESTED not in text:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(f" *{SUGGESTED}", line):
            message = f"the next line is suggested, for: {shorten(line[match.end() :], 120)}"
            hint = "Correct it if need be, and delete this comment."
            yield Problem(file, number, 1, "unchecked-suggestion", "hint", message, hint)


@dataclass(frozen=True)
class _Read:
    """A file of ``papers/`` as far as it could be read."""

    name: str
    file: str
    entry: Entry | None
    problems: Sequence[Problem]
    digest: str = ""
    """Of what was read; empty where nothing was."""
    kept: KeptRecord | None = None
    """Where it is as an earlier run read it."""


def _read_records(project: Project, kept: Kept | None) -> Iterator[_Read]:
    before = kept.records if kept else {}
    for name, where in kept.files if kept else ((name, path) for name, path, _ in record_files(project)):
        file = printable(name)
        if record := before.get(name):
            paper = unpack(Paper, json.loads(record.paper)) if record.paper else None
            entry = Entry(paper, partial(_tree, where, file)) if paper else None
            yield _Read(name, file, entry, record.reading, record.digest, record)
            continue
        path = Path(where)
        if stray := _stray(path, project.papers):
            message, hint = stray
            yield _Read(name, file, None, [Problem(file, 1, 1, "stray-file", "error", message, hint)])
            continue
        data, problems = read_bounded(path, file)
        if data is None:
            yield _Read(name, file, None, problems)
            continue
        entry, problems = _record(path.stem, file, data)
        yield _Read(name, file, entry, problems, digest_of(data))


def _tree(path: str, file: str) -> Tree:
    return read_tree(Path(path), file)[0] or Tree(file)


def _checked_alone(read: Sequence[_Read], corpus: Corpus) -> dict[str, tuple[Problem, ...]]:
    """What is wrong in each record by itself, by the name of its file; only records that are new are looked at."""
    new = [record for record in read if not record.kept and record.entry]
    known = [problem for record in new for problem in record.problems]
    fresh = replace(corpus, entries=tuple(record.entry for record in new if record.entry))
    by_file: dict[str, list[Problem]] = {}
    for problem in run_checks(fresh, known, alone=True):
        by_file.setdefault(problem.file, []).append(problem)
    return {record.name: record.kept.alone if record.kept else tuple(by_file.get(record.file, ())) for record in read}


def _keep(kept: Kept, read: Sequence[_Read], alone: Mapping[str, tuple[Problem, ...]], problems: list[Problem]) -> None:
    records = {
        record.name: KeptRecord(
            record.digest,
            json.dumps(pack(record.entry.paper)) if record.entry else "",
            tuple(record.problems),
            alone[record.name],
        )
        for record in read
        if record.digest and not record.kept
    }
    verdict = Verdict(len(read), tuple(sorted(problems)))
    kept.keep(records, verdict if verdict.good else replace(verdict, records=None))


def _stray(path: Path, papers: Path) -> tuple[str, str] | None:
    """(message, hint) where the file is no record by its kind, name or place."""
    if path.is_symlink():
        return "is a symbolic link", "Put the record itself here."
    if not path.is_file():
        return "is not a plain file", "Delete it."
    if path.suffix != ".yaml":
        return "is no record: its name does not end in .yaml", "Rename it, or move it out of papers/."
    folders = path.relative_to(papers).parts[:-1]
    if len(folders) != 1 or not re.fullmatch("[0-9]{4}", folders[0]):
        return "is not in a year's folder", "Move it to papers/<year>/, as in papers/2024/zhang2024negative.yaml."
    return None
