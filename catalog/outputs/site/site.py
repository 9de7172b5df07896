"""What pages are made from: the catalog, and what is worked out of it once for all of them."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from urllib.parse import urlencode

from catalog.insight.leaderboard import Board
from catalog.insight.lineage import Lineage
from catalog.insight.lineage import lineage as lineage_of
from catalog.model.catalog import Catalog
from catalog.model.marks import MARKS, mark_of
from catalog.model.navigation import Navigation
from catalog.model.paper import Paper
from catalog.outputs.export import bibtex
from catalog.outputs.export.citation import citable
from catalog.outputs.site.asking import Asked
from catalog.outputs.site.author_addresses import People
from catalog.outputs.site.feeds import Feeds, feeds
from catalog.outputs.site.groups import FACETS, Group, groups_of
from catalog.outputs.site.measurements import Measurements
from catalog.outputs.site.related import Relatives
from catalog.outputs.site.routes import Routes
from catalog.outputs.site.settings import Settings


class Site:
    """One catalog, looked at as a site."""

    def __init__(self, catalog: Catalog, settings: Settings, asked: Asked | None = None) -> None:
        self.catalog, self.settings, self.asked = catalog, settings, asked
        self._entries: dict[str, str] = {}

    @property
    def navigation(self) -> Navigation:
        """The pages that the navigation leads to."""
        return self.catalog.guide.navigation

    @cached_property
    def measured(self) -> Measurements:
        """Numbers as pages show them."""
        return Measurements(self.catalog, self.settings)

    @property
    def boards(self) -> tuple[Board, ...]:
        """The leaderboards."""
        return self.measured.boards

    @cached_property
    def groups(self) -> dict[str, tuple[Group, ...]]:
        """The papers of each term, by facet."""
        return {facet: tuple(groups_of(self.catalog, facet)) for facet in FACETS}

    @cached_property
    def group_by_key(self) -> dict[tuple[str, str], Group]:
        """The groups by facet and id."""
        return {(group.facet, group.id): group for groups in self.groups.values() for group in groups}

    @cached_property
    def edition_paths(self) -> dict[str, str]:
        """Where each edition of a venue stands, by its id."""
        return {
            edition.id: f"{group.page_of(edition)}#{edition.anchor}"
            for group in self.groups["venue"]
            for edition in group.editions
        }

    def edition_path(self, paper: Paper) -> str:
        """Where the papers are that appeared with one."""
        assert paper.edition
        return self.edition_paths[paper.edition.id]

    @cached_property
    def marked(self) -> dict[str, int]:
        """How many papers have each mark, by its id."""
        marks = Counter(mark.id for paper in self.catalog.papers if (mark := mark_of(paper)))
        return {mark.id: marks[mark.id] for mark in MARKS.values()}

    @cached_property
    def position(self) -> dict[str, int]:
        """The place of each paper among all of them, by which scripts know it."""
        return {paper.id: number for number, paper in enumerate(self.catalog.papers)}

    @cached_property
    def people(self) -> People:
        """The authors."""
        return People(self.catalog)

    @cached_property
    def feeds(self) -> Feeds:
        """The feeds of what is new."""
        return feeds(self.catalog)

    @cached_property
    def routes(self) -> Routes:
        """The reading paths."""
        return Routes(self.catalog)

    @cached_property
    def lineage(self) -> Lineage:
        """Which methods build on which."""
        return lineage_of(self.catalog)

    @cached_property
    def relatives(self) -> Relatives:
        """The closest papers of each."""
        return Relatives(self.catalog)

    def bibtex(self, paper: Paper) -> str | None:
        """A paper's entry, made once for page, download and export; None where it may not be cited."""
        if not citable([paper]):
            return None
        if paper.id not in self._entries:
            self._entries[paper.id] = bibtex.entry(paper)
        return self._entries[paper.id]

    def introducing(self, dataset: str) -> str | None:
        """The id of the record that introduces a data set, where its term says it."""
        return getattr(self.catalog.vocabularies["dataset"][dataset], "paper", None)

    def datasets_of(self, paper_id: str) -> list[Group]:
        """The data sets that a paper introduces."""
        return [group for group in self.groups["dataset"] if self.introducing(group.id) == paper_id]

    def issue_link(self, form: str, **fields: str) -> str | None:
        """An issue form of the repository, filled in as far as it can be."""
        if not self.settings.repository:
            return None
        return f"{self.settings.repository}/issues/new?{urlencode({'template': form, **fields})}"

    def edit_link(self, file: str) -> str | None:
        """Where a file of the repository can be edited; None while there is no such place."""
        if not self.settings.repository:
            return None
        return f"{self.settings.repository}/edit/{self.settings.branch}/{file}"
