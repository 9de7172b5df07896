"""What the generator puts on pages, looked at before MkDocs has its turn."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import html5lib
import pytest

from catalog.catalog import Catalog
from catalog.guide import Guide
from catalog.leaderboard import read_metrics
from catalog.project import Project
from catalog.site.pages import Pages, Settings, margin

XHTML = "{http://www.w3.org/1999/xhtml}"


def pages(project: Project, catalog: Catalog, **settings: str) -> Pages:
    metrics = read_metrics(project.reference_impls)
    return Pages(catalog, project.templates / "site", Settings(**settings), metrics)  # type: ignore[arg-type]


def text_of(made: Pages, path: str) -> str:
    return made.render(next(page for page in made.all() if page.path == path))


def test_a_correction_leads_to_the_form_with_the_record_filled_in(project: Project, catalog: Catalog) -> None:
    made = pages(project, catalog, repository="https://example.org/somebody/catalog")
    tree = html5lib.parse(text_of(made, "papers/zhang2024negative.md"), treebuilder="etree")
    (address,) = (one.get("href") for one in tree.iter(f"{XHTML}a") if one.text == "Suggest a correction")
    parts = urlsplit(address)
    assert parts.path == "/somebody/catalog/issues/new"
    fields = parse_qs(parts.query)
    assert fields == {"template": ["correct-record.yml"], "record": ["zhang2024negative"]}
    form = (project.root / ".github" / "ISSUE_TEMPLATE" / fields["template"][0]).read_text(encoding="utf-8")
    assert "id: record" in form
    (edit,) = (one.get("href") for one in tree.iter(f"{XHTML}a") if one.get("rel") == "edit")
    assert edit.endswith("/edit/main/papers/2024/zhang2024negative.yaml")


def test_attacks_on_a_method_have_a_heading_of_their_own(project: Project, catalog: Catalog) -> None:
    one, paper = next(
        (one, paper)
        for one in catalog.methods
        for relation, paper in catalog.papers_of[one.id]
        if relation == "evaluates" and "attack" in paper.contributions
    )
    text = text_of(pages(project, catalog), f"methods/{one.id}.md")
    section = text.split("<h3>Attacked by</h3>")[1].split("</section>")[0]
    assert f"papers/{paper.id}.html" in section


def test_paths_leave_out_what_a_catalog_does_not_hold(project: Project, catalog: Catalog) -> None:
    made = pages(project, replace(catalog, papers=()))
    assert {stop.step.kind for route in made.overview.routes for stop in route.stops} <= {
        "method",
        "task",
        "attack",
        "page",
    }
    assert "No path has been written yet." in text_of(pages(project, replace(catalog, guide=Guide())), "start.md")


@pytest.mark.parametrize(
    ("half", "mean", "said"),
    [
        (0.000804, 0.588, "0.001"),
        (0.012, 0.58, "0.012"),
        (0.0, 0.414, "0.000"),
        (1.44e-8, 8.85e-9, "1.44e-08"),
        (0.000116, 4.22e-5, "0.000116"),
        (12.34, 0.5, "12.3"),
    ],
)
def test_an_interval_has_as_many_digits_as_its_mean(half: float, mean: float, said: str) -> None:
    assert margin(half, mean) == said
