"""What the generator puts on pages, looked at before MkDocs has its turn."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from fabricated import results
from hypothesis import given
from hypothesis import strategies as st
from markup_trees import XHTML, parse_html
from mkdocs.utils.meta import get_data
from rendered_pages import site_of, text_of

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.model.guide import Guide
from catalog.model.results import Result
from catalog.outputs.site import markdown
from catalog.outputs.site.formats import margin

MORE = (("rmu", 0.02), ("idk", 0.04))
"""Further methods, by how far they are off NPO in every measure."""


def test_a_correction_leads_to_the_form_with_the_record_filled_in(project: Project, catalog: Catalog) -> None:
    site = site_of(catalog, repository="https://example.org/somebody/catalog")
    tree = parse_html(text_of(project, site, "papers/zhang2024negative.md"))
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
    text = text_of(project, site_of(catalog), f"methods/{one.id}.md")
    section = text.split("<h3>Attacked by</h3>")[1].split("</section>")[0]
    assert f"papers/{paper.id}.html" in section
    links = text_of(project, site_of(catalog), f"papers/{paper.id}.md").split('id="runs-here"')[1]
    (run,) = (part for part in links.split('class="run__head"') if f"methods/{one.id}.html" in part)
    assert ">attacks it<" in run


def test_a_task_shows_what_happens_as_requests_follow_each_other(project: Project, catalog: Catalog) -> None:
    stages = ({"forget_probability": 0.5, "model_utility": 0.9}, {"forget_probability": 0.4, "model_utility": 0.7})
    several = tuple(
        one.model_copy(update={"requests": 2, "stages": stages})
        for one in results()
        if one.method in ("npo", "grad-diff")
    )
    site = site_of(replace(catalog, results=(*results(), *several)))
    text = text_of(project, site, "tasks/authors.md")
    assert "## In 2 requests, one after another" in text
    for metric, numbers in (("forget-probability", "0.50, 0.40"), ("model-utility", "0.90, 0.70")):
        figure = text.split(f'id="course-authors-requests-2-{metric}-title"')
        assert len(figure) == 2
        assert f"NPO: {numbers}" in figure[1].split("</svg>")[0]
    table = text.split("<caption>Model utility</caption>")[1].split("</table>")[0]
    assert re.findall(r'data-value="([0-9.]+)"', table) == ["0.9", "0.7"] * 2
    # What is told apart there is not mixed into the leaderboard.
    assert {row.seeds for board in site.boards for row in board.rows if row.kind == "method"} == {(0, 1)}


def test_a_larger_models_numbers_stand_apart_and_are_compared(project: Project, catalog: Catalog) -> None:
    def moved(result: Result, method: str, by: float) -> Result:
        metrics = {name: value + by for name, value in result.metrics.items()}
        return result.model_copy(update={"method": method, "metrics": metrics})

    def larger(result: Result) -> Result:
        metrics = {name: 1 - value if name == "model_utility" else value for name, value in result.metrics.items()}
        return result.model_copy(update={"model": "large", "metrics": metrics, "seconds": 6000.0})

    small = [*results(), *(moved(one, name, by) for one in results() if one.method == "npo" for name, by in MORE)]
    site = site_of(replace(catalog, results=(*small, *map(larger, small))))
    table = text_of(project, site, "ranking.md").split("What that says")[1].split("</table>")[0]
    row = r'">(Forget probability|Model utility)</abbr></th><td class="numeric" data-value="(-?[0-9.]+)"'
    found = {name: round(float(correlation), 6) for name, correlation in re.findall(row, table)}
    assert found == {"Forget probability": 1.0, "Model utility": -1.0}
    assert "the order holds" in table
    assert "the order is reversed" in table
    leaderboards = text_of(project, site, "results.md")
    assert leaderboards.index('id="authors-tiny"') < leaderboards.index('id="authors-large"')
    title = next(board.title for board in site.boards if board.model == "large")
    assert f">{title}</h2>" in leaderboards
    # What a run takes, on a method's page, is what it takes on the embedded model.
    page = text_of(project, site, "methods/npo.md")
    assert page.split("a run takes")[1].split("on one core")[0].strip() == "4.2 s"


def test_without_a_larger_model_there_is_nothing_to_compare(project: Project, catalog: Catalog) -> None:
    text = text_of(project, site_of(replace(catalog, results=results())), "ranking.md")
    assert "No method has been measured on another model yet." in text


def test_a_benchmarks_page_has_its_tasks_and_no_leaderboard(project: Project, catalog: Catalog) -> None:
    for one in catalog.benchmarks:
        text = text_of(project, site_of(catalog), f"benchmarks/{one.id}.md")
        for name in one.task_names:
            assert html.escape(name) in text
        assert f"papers/{one.paper}.html" in text
        assert html.escape(one.command) in text
        assert "Measured" not in text
    listed = text_of(project, site_of(catalog), "methods/index.md")
    assert all(f"benchmarks/{one.id}.html" in listed for one in catalog.benchmarks)


def test_a_methods_page_says_the_published_recipe_or_that_none_is_known(project: Project, catalog: Catalog) -> None:
    for name, says in (("npo", "TOFU with Llama-2-7B-chat"), ("kga", "No recipe for models of billions")):
        text = " ".join(text_of(project, site_of(catalog), f"methods/{name}.md").split())
        assert says in text
        assert f"unlearn tune {name} --model DIR_OR_NAME" in text


def test_paths_leave_out_what_a_catalog_does_not_hold(project: Project, catalog: Catalog) -> None:
    site = site_of(replace(catalog, papers=()))
    assert {stop.step.kind for route in site.routes.all for stop in route.stops} <= {
        "method",
        "task",
        "attack",
        "page",
    }
    assert "No path has been written yet." in text_of(project, site_of(replace(catalog, guide=Guide())), "start.md")


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


def test_formulas_go_around_the_parser_and_code_does_not() -> None:
    made = markdown.converter(["pymdownx.superfences"])(
        markdown.typeset("A *loss* $x^2$, in code:\n\n```\n<math a>b</math>\n```\n\nor `<math c>d</math>`, then $y$.")
    )
    assert made.count("<math display=") == 2
    assert "&lt;math a&gt;b&lt;/math&gt;" in made
    assert "&lt;math c&gt;d&lt;/math&gt;" in made
    assert "<em>loss</em>" in made
    assert "<!--" not in made


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="&"), min_size=1))
def test_any_content_comes_out_of_the_front_matter_as_it_went_in(content: str) -> None:
    """But for line breaks at its end; what YAML may not hold is there as HTML says it, or as an unknown character."""
    below, meta = get_data(markdown.front_matter({"title": "A title"}, content=content))
    assert (below, meta["title"]) == ("", "A title")
    shown = html.unescape(meta["content"])
    kept = content.rstrip("\n")
    assert len(shown) == len(kept)
    changed = {wanted for got, wanted in zip(shown, kept, strict=True) if got != wanted}
    assert all(unicodedata.category(letter) in ("Cc", "Cn") for letter in changed)


def test_indentation_goes_but_for_code() -> None:
    page = "\n  <p>\n    one\n\n    two</p>\n  <pre>\n    three\n</pre>\n  <p>four</p>\n"
    assert markdown.compact(page) == "<p>\none\ntwo</p>\n<pre>\n    three\n</pre>\n<p>four</p>"
