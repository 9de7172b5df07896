"""The README: the whole catalog on one page of a code host, in sections, with what runs behind each paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import jinja2

from catalog import leaderboard
from catalog.catalog import Catalog
from catalog.implementations import Implementation
from catalog.project import Project
from catalog.schema import Paper, Relation
from catalog.stats import statistics

TASK = "authors"
"""The task whose results the README shows."""
_COLUMNS = ("forget_quality", "forget_probability", "forget_rouge", "retain_probability", "model_utility")
_AUTHORS = 3
_LONG = 12
_OVERVIEWS = ("survey", "position", "blog")
_MEASURES = ("benchmark", "evaluation")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~$&#@])")
_WORDS: dict[Relation, str] = {
    "introduces": "Runs here",
    "extends": "Builds on what runs here",
    "related": "Related, and runs here",
    "uses": "Uses what runs here",
    "evaluates": "Evaluates what runs here",
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
    environment.filters |= {"md": escape, "url": escape_url}
    text = environment.get_template("readme.md.j2").render(
        catalog=catalog,
        stats=statistics(catalog),
        sections=list(sections(catalog)),
        results=results_table(project, catalog),
        task=catalog.implementation_by_id.get(TASK),
        runs_in=lambda section: [one for one in catalog.methods if section.family and one.family == section.family],
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
        return Section(title, text, tuple(paper for paper in catalog.papers if paper.type in names))

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


# Results ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Measured results, ready to print."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    seeds: int
    """The most seeds that a row is the mean of."""


def results_table(project: Project, catalog: Catalog) -> Table | None:
    """The results on :data:`TASK`, references first; None where nothing has been measured."""
    boards = leaderboard.boards(catalog, leaderboard.read_metrics(project.reference_impls))
    board = next((one for one in boards if one.task == TASK), None)
    if board is None:
        return None
    metrics = [metric for name in _COLUMNS for metric in board.metrics if metric.id == name]
    header = ("Method", *(f"{metric.label} {metric.arrow}" for metric in metrics), "Seconds")
    rows = []
    for row in board.rows:
        cells = [f"{cell.mean:.2f}" if (cell := row.cells[metric.id]) else "–" for metric in metrics]
        rows.append((row.label, *cells, f"{row.seconds:.0f}" if row.kind == "method" else "–"))
    return Table(header, tuple(rows), max(len(row.seeds) for row in board.rows))
