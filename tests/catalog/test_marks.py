"""How near a paper is to what runs here: one rule for lists, filters, counts and commands."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from catalog.base.project import Project
from catalog.insight.stats import statistics
from catalog.model.catalog import Catalog
from catalog.model.marks import BASE, OWN, mark_of
from catalog.model.paper import ImplementationLink, Paper, Relation
from catalog.outputs.answers.filters import Filters
from catalog.outputs.readme.lines import brief, full
from catalog.outputs.readme.sections import sections
from catalog.outputs.site import paper_list
from catalog.outputs.site.renderer import Renderer
from catalog.outputs.site.settings import read_settings
from catalog.outputs.site.site import Site
from catalog.outputs.wording import OWN_SIGN, running

ROOT = Path(__file__).parents[2]
RELATIONS: tuple[Relation, ...] = get_args(Relation)
SETS = [some for count in range(len(RELATIONS) + 1) for some in combinations(RELATIONS, count)]


def linked(catalog: Catalog, relations: tuple[Relation, ...]) -> Paper:
    """A paper that has each of some relations to a method of its own."""
    paper = next(paper for paper in catalog.papers if paper.type == "method" and paper.family and not paper.state)
    links = [ImplementationLink(id=it.id, relation=one) for it, one in zip(catalog.methods, relations, strict=False)]
    return paper.model_copy(update={"implementations": tuple(links)})


@pytest.mark.parametrize("relations", SETS, ids=" ".join)
def test_only_what_is_its_own_runs_here(catalog: Catalog, relations: tuple[Relation, ...]) -> None:
    paper = linked(catalog, relations)
    expected = OWN if "introduces" in relations else BASE if "extends" in relations else None
    assert mark_of(paper) is expected
    assert Filters(runnable=True)(paper) == (expected is OWN)
    assert paper_list.values(paper, "runs") == ((expected.id,) if expected else ())


@pytest.mark.parametrize("relations", SETS, ids=" ".join)
def test_the_readme_tells_what_is_its_own_and_lists_all_but_relatives(
    catalog: Catalog, relations: tuple[Relation, ...]
) -> None:
    paper = linked(catalog, relations)
    section = replace(next(iter(sections(catalog))), guests=frozenset())
    lines = brief(catalog, section, paper), full(catalog, section, paper, "../../", "")
    for relation, method in zip(relations, catalog.methods, strict=False):
        told = [f"{method.id}]" in line or f"{method.id}`]" in line for line in lines]
        assert told == [relation == "introduces", relation != "related"]
    assert all(line.count(OWN_SIGN) == relations.count("introduces") for line in lines)
    assert [group.words == OWN.label for group in running(catalog, paper)].count(True) == relations.count("introduces")


def test_a_row_on_the_site_has_the_mark_and_nothing_like_it(catalog: Catalog) -> None:
    renderer = Renderer(Site(catalog, read_settings(Project(ROOT))), ROOT / "templates" / "site")
    for relations in SETS:
        row = renderer.list_item(linked(catalog, relations))
        shown = [mark for mark in (OWN, BASE) if f">{mark.label}<" in row]
        assert shown == [mark for mark in (OWN, BASE) if mark_of(linked(catalog, relations)) is mark]


def test_counts_are_those_of_the_marks(catalog: Catalog) -> None:
    marked = Site(catalog, read_settings(Project(ROOT))).marked
    coverage = statistics(catalog)["coverage"]
    assert marked == {OWN.id: coverage["introduces"], BASE.id: coverage["extends"]}
    assert marked[OWN.id] == sum(Filters(runnable=True)(paper) for paper in catalog.papers)
