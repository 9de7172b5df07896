"""The README and the lists as files, with which paper each line is of."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import jinja2

from catalog.base.project import Project
from catalog.base.text import shorten
from catalog.model.catalog import Catalog
from catalog.model.defaults import TASK
from catalog.model.paper import Paper
from catalog.outputs.readme.layout import README_BYTES, Dated, Layout, cut_note, part_page, plan
from catalog.outputs.readme.lines import brief, full, reading_step
from catalog.outputs.readme.results import measured
from catalog.outputs.readme.sections import FOLDER, Section, sections
from catalog.outputs.wording import escape, escape_url

README, CONTENTS = "README.md", f"{FOLDER}/README.md"


@dataclass(frozen=True)
class Document:
    """A generated file of Markdown."""

    path: str
    """Relative to the checkout, with forward slashes."""
    text: str
    owners: Mapping[str, str] = field(default_factory=dict)
    """For each line that is a paper's own, the paper's id."""
    lists: frozenset[str] = frozenset()
    """The lines below which papers' own lines stand."""


def documents(project: Project, catalog: Catalog, layout: Layout | None = None) -> list[Document]:
    """The README first, then the lists and their contents; the same catalog gives the same text.

    Args:
        project: with the templates, and the results that the README shows.
        catalog: whose papers are listed.
        layout: what stands on which page; as everything fits best if absent.

    Raises:
        jinja2.TemplateError: a template is wrong.
    """
    pages = _Pages(project, catalog)
    layout = pages.layout() if layout is None else layout
    return [pages.readme(layout), *pages.lists(layout), pages.contents()]


class _Pages:
    """The pages of one catalog."""

    def __init__(self, project: Project, catalog: Catalog) -> None:
        self._catalog = catalog
        self._environment = _environment(project)
        self._sections = tuple(sections(catalog))
        self._context = {
            "catalog": catalog,
            "results": measured(project, catalog),
            "task": catalog.implementation_by_id.get(TASK),
        }
        self._home = {
            paper.id: section.page
            for section in self._sections
            for paper in section.papers
            if paper.id not in section.guests
        }
        self._briefs = {
            section.page: {brief(catalog, section, paper): paper for paper in section.papers}
            for section in self._listed()
        }

    def layout(self) -> Layout:
        """The layout in which all pages are as long as they may be."""
        briefs = {page: _dated(lines) for page, lines in self._briefs.items()}
        fulls = {section.page: _dated(self._fulls(section, section.page)) for section in self._listed()}
        lines = sum(size for dated in briefs.values() for _, size in dated)
        frame = len(self.readme(Layout()).text.encode()) - lines
        return plan(briefs, fulls, README_BYTES - frame)

    def readme(self, layout: Layout) -> Document:
        """The front page, with a line for each paper."""
        invitation, reading = self._reading()
        owners = {line: paper for line, paper in reading.items() if paper}
        parts, lists = [], {invitation, *reading} - {""}
        for section in self._sections:
            shown = {
                line: paper
                for line, paper in self._briefs.get(section.page, {}).items()
                if layout.shows(section.page, paper.date)
            }
            since = layout.since.get(section.page)
            intro = self._intro(section)
            lists |= {intro} if section.page else set()
            owners |= {line: paper.id for line, paper in shown.items()}
            note = cut_note(section.page, since) if since else ""
            parts.append({"head": section, "intro": intro, "lines": shown, "note": note})
        text = self._render("readme.md.j2", sections=parts, invitation=invitation, reading=reading)
        return Document(README, text, owners, frozenset(lists))

    def lists(self, layout: Layout) -> Iterator[Document]:
        """The pages with authors and summaries: one for each section, or one for each part of it and one above."""
        for section in self._listed():
            parts = layout.parts.get(section.page, ())
            if not parts:
                yield self._list(section, section.page, section.title)
                continue
            linked = ", ".join(f"[{part}]({_way(section.page, part_page(section.page, part))})" for part in parts)
            yield self._list(replace(section, papers=()), section.page, section.title, f"By date: {linked}.")
            for part in parts:
                page = part_page(section.page, part)
                papers = tuple(paper for paper in section.papers if layout.page(section.page, paper.date) == page)
                whole = f"All of it: [{escape(section.title)}]({_way(page, section.page)})."
                yield self._list(replace(section, papers=papers), page, f"{section.title}, {part}", whole)

    def contents(self) -> Document:
        """What a code host shows of the folder."""
        links = [(section, _way(CONTENTS, section.page) if section.page else "") for section in self._sections]
        return Document(CONTENTS, self._render("lists.md.j2", sections=links))

    def _list(self, section: Section, page: str, title: str, note: str = "") -> Document:
        lines = self._fulls(section, page)
        text = self._render("list.md.j2", section=section, title=title, note=note, root=_way(page, ""), lines=lines)
        owners = {line: paper.id for line, paper in lines.items()}
        return Document(page, text, owners, frozenset({note or escape(section.text)}))

    def _listed(self) -> Iterator[Section]:
        return (section for section in self._sections if section.page)

    def _fulls(self, section: Section, page: str) -> dict[str, Paper]:
        root = _way(page, "")
        return {
            full(self._catalog, section, paper, root, _way(page, self._home[paper.id])): paper
            for paper in section.papers
        }

    def _intro(self, section: Section) -> str:
        text = escape(section.text)
        return f"{text} [With authors and summaries]({section.page})." if section.page else text

    def _reading(self) -> tuple[str, dict[str, str]]:
        """The first reading path: for whom it is, and its steps, each with its paper's id or ``""``."""
        steps: dict[str, str] = {}
        for path in self._catalog.guide.paths[:1]:
            for step in path.steps:
                if line := reading_step(self._catalog, len(steps) + 1, step):
                    steps[line] = step.id if step.kind == "paper" else ""
            return f"{escape(path.title)}? In this order:", steps
        return "", steps

    def _render(self, template: str, **context: Any) -> str:
        text = self._environment.get_template(template).render(**self._context, **context)
        return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(project: Project) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(project.templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # it is Markdown; every text goes through the filter ``md``
    )
    environment.filters |= {"md": escape, "url": escape_url, "line": _line}
    return environment


def _dated(lines: Mapping[str, Paper]) -> Dated:
    return [(paper.date, len(line.encode()) + 1) for line, paper in lines.items()]


@cache
def _way(page: str, target: str) -> str:
    """The way from a page to a file; to the checkout's root, with a slash at its end, if no file is named."""
    way = posixpath.relpath(target or ".", posixpath.dirname(page) or ".")
    return way if target else f"{way}/"


def _line(text: str) -> str:
    """What a model wrote, in one short line."""
    return shorten(text, 120)
