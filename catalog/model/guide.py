"""What people wrote to find one's way: reading paths, glossary, saved searches and navigation, YAML files of ``site/``.

A path is a list of steps, each a record, something that runs or a page of the navigation, with a sentence that says why
it comes there. The glossary defines the field's terms; :mod:`catalog.outputs.site.glossary_links` links their first use
on a page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from catalog.base.text import did_you_mean
from catalog.model.navigation import CONFIG_FILE, Navigation, read_navigation
from catalog.model.paper import Known, Model, Prose, Slug, Text
from catalog.model.selection import Selection
from catalog.parsing.problems import Problem
from catalog.parsing.tree import Mark, Place, read_tree
from catalog.parsing.validation import validate

PATHS_FILE, GLOSSARY_FILE, SEARCHES_FILE = "reading-paths.yaml", "glossary.yaml", "searches.yaml"
STEP_KINDS = ("paper", "method", "task", "attack", "page")


class Step(Model):
    """One thing to read or run: exactly one of the five that name it, and why it comes here."""

    paper: Known | None = None
    method: Known | None = None
    task: Known | None = None
    attack: Known | None = None
    page: Known | None = None
    """A page of the navigation."""
    why: Prose

    @model_validator(mode="after")
    def _one(self) -> Step:
        if sum(getattr(self, kind) is not None for kind in STEP_KINDS) != 1:
            raise ValueError(f"bad-value: names not exactly one thing; give one of {', '.join(STEP_KINDS)}")
        return self

    @property
    def kind(self) -> str:
        """Which of the five it names."""
        return next(kind for kind in STEP_KINDS if getattr(self, kind) is not None)

    @property
    def id(self) -> str:
        """What it names."""
        return str(getattr(self, self.kind))


def _selects(address: str) -> str:
    Selection.parsed(address)
    return address


class Entry(Model):
    """Anything with an id of its own, which is also its place on the page."""

    id: Slug


class ReadingPath(Entry):
    """A way through the catalog for somebody."""

    title: Text
    audience: Prose
    """Whom it is for, and what they want."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class SavedSearch(Entry):
    """A selection of papers that has a feed of its own."""

    title: Text
    list: Annotated[str, StringConstraints(max_length=500), AfterValidator(_selects)]
    """What stands behind the question mark in the paper list's address."""


class Definition(Entry):
    """A term of the glossary."""

    term: Text
    forms: tuple[Text, ...] = ()
    """Other words that link to it where they are first used."""
    definition: Prose
    paper: Known | None = None
    """A record to read on."""
    see: tuple[Slug, ...] = ()
    """Other terms."""
    linked: Literal["first-use", "never"] = "first-use"
    """``never`` for words so common that links would be in the way."""


@dataclass(frozen=True)
class Guide:
    """All of it, with the place of every entry."""

    paths: tuple[ReadingPath, ...] = ()
    glossary: tuple[Definition, ...] = ()
    marks: Mapping[tuple[str, Place], Mark] = field(default_factory=dict)
    """By file, relative to the checkout, and place in it."""
    navigation: Navigation = field(default_factory=lambda: Navigation({}))
    searches: tuple[SavedSearch, ...] = ()


M = TypeVar("M", bound=Entry)


def read_guide(site: Path, root: Path) -> tuple[Guide, list[Problem]]:
    """All of it as far as it can be read, with problems; empty where there is no such file.

    Args:
        site: the folder of the files.
        root: what problems name files relative to.
    """
    marks: dict[tuple[str, Place], Mark] = {}
    paths, wrong = _entries(site / PATHS_FILE, root, ReadingPath, marks)
    glossary, also_wrong = _entries(site / GLOSSARY_FILE, root, Definition, marks)
    searches, wrong_too = _entries(site / SEARCHES_FILE, root, SavedSearch, marks)
    navigation, unread = read_navigation(site, root)
    problems = wrong + also_wrong + wrong_too + unread
    if navigation is None:
        return Guide(paths, glossary, marks, searches=searches), problems
    problems += _unknown_pages(paths, navigation, marks, (site / PATHS_FILE).relative_to(root).as_posix())
    return Guide(paths, glossary, marks, navigation, searches), problems


def _unknown_pages(
    paths: tuple[ReadingPath, ...], navigation: Navigation, marks: Mapping[tuple[str, Place], Mark], file: str
) -> Iterator[Problem]:
    """Steps to pages that the navigation does not have."""
    for path in paths:
        for index, step in enumerate(path.steps):
            if step.page is not None and step.page not in navigation.by_id:
                mark = marks[file, (path.id, index)]
                hint = did_you_mean(step.page, navigation.by_id) or f"One of: {', '.join(navigation.by_id)}."
                message = f"names the page {step.page!r}, which the navigation in {CONFIG_FILE} does not have"
                yield Problem(file, mark.line, mark.column, "unknown-value", "error", message, hint)


def _entries(
    path: Path, root: Path, model: type[M], marks: dict[tuple[str, Place], Mark]
) -> tuple[tuple[M, ...], list[Problem]]:
    if not path.is_file():
        return (), []
    file = path.relative_to(root).as_posix()
    tree, unread = read_tree(path, file)
    if tree is None:
        return (), unread
    problems: list[Problem] = [*unread]
    by_id: dict[str, M] = {}
    if not isinstance(tree.value, tuple):
        hint = "Start each entry with '- id: ...'."
        return (), [*problems, Problem(file, 1, 1, "wrong-type", "error", "this file is a list", hint)]
    for index in range(len(tree.value)):
        entry, wrong = validate(model, tree, (index,))
        problems += wrong
        if entry is None:
            continue
        mark = tree.mark((index, "id"))
        if entry.id in by_id:
            message, hint = f"the id {entry.id!r} is already taken", "Give each entry an id of its own."
            problems.append(Problem(file, mark.line, mark.column, "duplicate-term", "error", message, hint))
            continue
        by_id[entry.id] = entry
        marks[file, (entry.id,)] = mark
        for step in range(len(entry.steps)) if isinstance(entry, ReadingPath) else ():
            marks[file, (entry.id, step)] = tree.mark((index, "steps", step))
    return tuple(by_id.values()), problems
