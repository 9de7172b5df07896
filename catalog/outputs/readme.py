"""The README: the whole catalog on one page of a code host, in sections, with what runs behind each paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import jinja2

from catalog.base.project import Project
from catalog.base.text import shorten
from catalog.insight import leaderboard
from catalog.insight.leaderboard import Board, Row
from catalog.insight.stats import statistics
from catalog.model.catalog import Catalog
from catalog.model.implementations import Implementation, Kind
from catalog.model.paper import Paper, Relation
from catalog.model.results import Example

TASK = "authors"
"""The task whose results the README shows."""
_COLUMNS = ("forget_quality", "forget_probability", "forget_rouge", "retain_probability", "model_utility")
_SHORT = ("forget_probability", "retain_probability", "model_utility")
_SHORT_ATTACKS = ("relearning",)
_UTILITY, _KEPT = "model_utility", 0.9
"""A method is in the short table only if this share of the target's utility is left."""
_ANSWERING = "npo"
"""The method whose answer the README shows; the first command runs it."""
_AUTHORS = 3
_LONG = 12
_OVERVIEWS = ("survey", "position", "blog")
_MEASURES = ("benchmark", "evaluation")
FIRST_READS = {
    "liu2024machineb": "what unlearning is and why it is wanted, told from the start",
    "liu2024rethinking": "what it means for language models, and what is open",
    "maini2024tofu": "the benchmark used most",
    "zhang2024negative": "a method, and why plain gradient ascent collapses",
    "shi2024muse": "six ways to look whether it worked",
    "thaker2024position": "why good numbers may still mean little",
}
"""Records to begin with, in this order, and what each is good for."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~$&#@])")
_WORDS: dict[Relation, str] = {
    "introduces": "Runs here",
    "extends": "Builds on what runs here",
    "evaluates": "Evaluates what runs here",
    "uses": "Uses what runs here",
    "related": "Related, and runs here",
}


@dataclass(frozen=True)
class Section:
    """A heading with its papers."""

    title: str
    text: str
    papers: tuple[Paper, ...]
    """Those whose main section this is."""
    also: tuple[Paper, ...] = ()
    """Those of other sections that belong here, too."""
    level: int = 2
    family: str | None = None
    """The family, if this is the list of one."""
    kind: Kind | None = None
    """What runs that belongs to the whole section: tasks to benchmarks, attacks to attacks."""

    @property
    def anchor(self) -> str:
        """The fragment that code hosts give to the heading."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")

    @property
    def years(self) -> list[tuple[int, tuple[Paper, ...]]]:
        """The papers by year, newest first."""
        found: dict[int, tuple[Paper, ...]] = {}
        for paper in self.papers:
            found[paper.year] = (*found.get(paper.year, ()), paper)
        return list(found.items())

    @property
    def folds(self) -> bool:
        """Whether the list is so long that all years but the newest are folded."""
        return len(self.papers) > _LONG

    @property
    def count(self) -> int:
        """How many papers are listed here."""
        return len(self.papers) + len(self.also)


def render_readme(project: Project, catalog: Catalog) -> str:
    """The README's text; the same catalog gives the same text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(project.templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # it is Markdown; every text goes through the filter ``md``
    )
    environment.filters |= {"md": escape, "url": escape_url, "line": _line, "question": _question}
    text = environment.get_template("readme.md.j2").render(
        catalog=catalog,
        stats=statistics(catalog),
        sections=list(sections(catalog)),
        results=measured(project, catalog),
        task=catalog.implementation_by_id.get(TASK),
        first_reads=[(catalog.by_id[one], why) for one, why in FIRST_READS.items() if one in catalog.by_id],
        runs_in=lambda section: _runs_in(catalog, section),
        by=byline,
        when=published,
        links=links,
        running=lambda paper: running(catalog, paper),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def sections(catalog: Catalog) -> Iterable[Section]:
    """Every paper once in its main section; one that also proposes a method is named in the method's family, too."""
    types = catalog.vocabularies["type"]

    def of_types(title: str, text: str, *names: str) -> Section:
        kind: Kind | None = "task" if "benchmark" in names else "attack" if "attack" in names else None
        return Section(title, text, tuple(paper for paper in catalog.papers if paper.type in names), kind=kind)

    yield of_types("Surveys and introductions", "Where to start reading.", *_OVERVIEWS)
    yield of_types("Benchmarks and evaluation", "What to forget, and how to tell whether it was forgotten.", *_MEASURES)
    yield from _methods(catalog)
    for term in types.terms:
        if term.id not in (*_OVERVIEWS, *_MEASURES, "method"):
            section = of_types(term.plural or term.label, term.definition, term.id)
            if section.papers:
                yield section


def _methods(catalog: Catalog) -> Iterable[Section]:
    text = "Sorted by mechanism: how a method makes the model forget."
    yield Section("Methods", text, ())
    proposing = [paper for paper in catalog.papers if "method" in paper.contributions]
    for family in catalog.vocabularies["family"].terms:
        own = tuple(paper for paper in proposing if paper.type == "method" and paper.family[:1] == (family.id,))
        also = tuple(paper for paper in proposing if paper.type != "method" and paper.family[:1] == (family.id,))
        if own or also:
            yield Section(family.label, family.definition, own, also, level=3, family=family.id)
    rest = tuple(paper for paper in proposing if paper.type == "method" and not paper.family)
    if rest:
        yield Section("Other methods", "Methods of no family above, or not sorted yet.", rest, level=3)


def _runs_in(catalog: Catalog, section: Section) -> list[Implementation]:
    """What runs that belongs to a section as a whole."""
    if section.family:
        return [one for one in catalog.methods if one.family == section.family]
    return [one for one in catalog.implementations if one.kind == section.kind]


# Parts of an entry --------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Plain text as Markdown: nothing in it is markup, a mention or an address."""
    text = _MARKUP.sub(r"\\\1", text)
    return re.sub(
        r"(?i)\b(https?|ftp)://|\bwww\.", lambda found: found[0].replace(":", r"\:").replace(".", r"\."), text
    )


def escape_url(address: str) -> str:
    """An address as the target of a Markdown link."""
    return re.sub(r"[()<>*_\[\]\s|]", lambda found: f"%{ord(found[0]):02X}" if found[0] != "_" else "_", address)


def byline(paper: Paper) -> str:
    """The first authors."""
    names = ", ".join(paper.authors[:_AUTHORS])
    return f"{names}, et al." if len(paper.authors) > _AUTHORS else names


def published(paper: Paper) -> str:
    """The venue, or the year of the preprint or page."""
    if paper.appeared:
        return paper.appeared.label
    return f"preprint, {paper.year}" if paper.links.arxiv or paper.links.openreview else str(paper.year)


def links(paper: Paper) -> list[tuple[str, str]]:
    """(label, address) of what comes with the paper."""
    kinds = {"code": paper.links.code, "data": paper.links.data, "project": paper.links.project}
    return [(kind, address) for kind, address in kinds.items() if address]


@dataclass(frozen=True)
class Running:
    """What runs behind a paper, in one relation."""

    words: str
    implementations: tuple[Implementation, ...]


def running(catalog: Catalog, paper: Paper) -> list[Running]:
    """What runs behind a paper, the closest relation first."""
    found: dict[str, list[Implementation]] = {}
    for relation, phrase in _WORDS.items():
        for link in paper.implementations:
            if link.relation == relation:
                one = catalog.implementation_by_id[link.id]
                if relation == "extends" and one.kind == "task":
                    words = "A small counterpart runs here"
                elif relation == "uses" and paper.type in _OVERVIEWS:
                    words = "Covers what runs here"
                else:
                    words = phrase
                found.setdefault(words, []).append(one)
    return [Running(words, tuple(ones)) for words, ones in found.items()]


def _line(text: str) -> str:
    """What a model wrote, in one short line."""
    return shorten(text, 120)


def _question(prompt: str) -> str:
    """A prompt without what frames the question."""
    return _line(re.sub(r"^\s*Question:|Answer:\s*$", "", prompt))


# Results ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Measured results, ready to print."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    files: tuple[str, ...]
    """For each row the file of its method, or ``""``."""
    seeds: int
    """The most seeds that a row is the mean of."""


@dataclass(frozen=True)
class Results:
    """What was measured on one task: a short table for the first screen, the whole one, and an answer."""

    short: Table
    whole: Table
    answer: Example | None
    """What :data:`_ANSWERING` says of something that it was to forget."""


def measured(project: Project, catalog: Catalog) -> Results | None:
    """The results on :data:`TASK`; None where nothing has been measured."""
    boards = leaderboard.boards(catalog, leaderboard.read_metrics(project.reference_impls))
    board = next((one for one in boards if one.task == TASK), None)
    if board is None:
        return None
    references = [row for row in board.rows if row.kind != "method"]
    asked = next((row.examples for row in board.rows if row.method == _ANSWERING), ())
    return Results(
        _table(catalog, board, [*references, *_best_of_families(catalog, board)], _SHORT, _SHORT_ATTACKS),
        _table(catalog, board, board.rows, _COLUMNS, ()),
        next((one for one in asked if one.split == "forget"), None),
    )


def _best_of_families(catalog: Catalog, board: Board) -> list[Row]:
    """Of each family the method nearest to the retrained model, of those that keep utility; the nearest first."""
    target, retrained = board.reference("target"), board.reference("retrained")

    def value(row: Row | None, metric: str) -> float | None:
        cell = row.cells.get(metric) if row else None
        return cell.mean if cell else None

    goal, utility = value(retrained, board.headline), value(target, _UTILITY)
    if goal is None:
        return []
    found: dict[str, tuple[float, str, Row]] = {}
    for row in board.rows:
        one, known, kept = (
            catalog.implementation_by_id.get(row.method),
            value(row, board.headline),
            value(row, _UTILITY),
        )
        if row.kind != "method" or one is None or known is None:
            continue
        if utility is not None and (kept is None or kept < _KEPT * utility):
            continue
        candidate = (abs(known - goal), row.label, row)
        found[one.family] = min(found.get(one.family, candidate), candidate, key=lambda entry: entry[:2])
    return [row for *_, row in sorted(found.values(), key=lambda entry: entry[:2])]


def _table(
    catalog: Catalog, board: Board, rows: Iterable[Row], metrics: Iterable[str], attacks: Iterable[str]
) -> Table:
    """Some rows and columns of a board."""
    shown = [(metric, "cells") for name in metrics for metric in board.metrics if metric.id == name]
    shown += [(metric, "attacks") for name in attacks for metric in board.attacks if metric.id == name]
    header = ("Method", *(f"{metric.label} {metric.arrow}" for metric, _ in shown), "Seconds")
    lines, files = [], []
    for row in rows:
        one = catalog.implementation_by_id.get(row.method)
        files.append(one.file if one else "")
        found = [getattr(row, kind).get(metric.id) for metric, kind in shown]
        cells = (f"{cell.mean:.2f}" if cell else "–" for cell in found)
        lines.append((row.label, *cells, f"{row.seconds:.0f}" if row.kind == "method" else "–"))
    return Table(header, tuple(lines), tuple(files), max((len(row.seeds) for row in board.rows), default=0))
