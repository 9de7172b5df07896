"""The pages that answer a question, before MkDocs has its turn: how to get it, a method in the order of use."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from markup_trees import XHTML, parse_html, visible
from rendered_pages import site_of, text_of

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.site.comparison import comparison_files, objective, outline
from catalog.outputs.site.settings import Settings, read_settings

GET_IT = ("index.md", "start.md", "methods/npo.md")


@pytest.mark.parametrize(
    ("repository", "lines"),
    [
        ("https://example.org/a/catalog", ("git clone https://example.org/a/catalog", "cd catalog", "make")),
        ("https://example.org/a/b.git", ("git clone https://example.org/a/b.git", "cd b", "make")),
        ("", ("git clone ADDRESS llm-unlearning", "cd llm-unlearning", "make")),
    ],
)
def test_three_lines_get_the_project(repository: str, lines: tuple[str, ...]) -> None:
    assert Settings(repository=repository).get_it == lines


@pytest.mark.parametrize("path", GET_IT)
@pytest.mark.parametrize("repository", ["https://example.org/somebody/catalog", ""])
def test_they_stand_on_every_first_page(project: Project, catalog: Catalog, path: str, repository: str) -> None:
    tree = parse_html(text_of(project, site_of(catalog, repository=repository), path))
    (block,) = (one for one in tree.iter(f"{XHTML}div") if "get-it" in one.get("class", ""))
    code = next(block.iter(f"{XHTML}code"))
    assert "".join(code.itertext()).splitlines() == list(Settings(repository=repository).get_it)
    assert ("without the repository’s address" in visible(block)) == (not repository)


def test_a_methods_page_is_in_the_order_of_use(project: Project, catalog: Catalog) -> None:
    extensions = read_settings(project).markdown_extensions
    text = text_of(project, site_of(catalog, markdown_extensions=extensions), "methods/npo.md")
    order = ["run", "measured", "attacks", "what-the-paper-claims", "papers", "formula", "hyper-parameters", "lineage"]
    places = [text.index(f'<h2 id="{ident}"') for ident in order]
    assert places == sorted(places)
    # Long lists among the papers are folded as well; what is not needed at first is folded behind them all.
    folded = text.rindex("<details", 0, text.index('<h2 id="formula"'))
    assert text.index('<h2 id="papers"') < folded


def test_my_model_is_told_what_it_needs_by_what_the_method_declares(project: Project, catalog: Catalog) -> None:
    site = site_of(catalog)
    for method in catalog.methods:
        panel = text_of(project, site, f"methods/{method.id}.md").split("tabs__panel--own")[1].split("</section>")[0]
        earlier = "" if method.needs.earlier == "unused" else " --earlier DIR_OR_NAME"
        assert f"unlearn run {method.id} --model DIR_OR_NAME{earlier} --forget forget.jsonl --retain" in panel
        assert f"About {method.needs.weights} times the weights" in panel
        least, most = method.needs.bytes_per_weight(2)
        assert f"that is {7 * least}{f' to {7 * most}' if most > least else ''} GB" in panel
        weighted = any(one.name == "retain_weight" for one in method.hyperparameters)
        assert ("--set retain_weight=0" in panel) == (method.needs.retain == "optional" and weighted), method.id


def test_a_task_is_one_row(project: Project, catalog: Catalog) -> None:
    tree = parse_html(text_of(project, site_of(catalog), "methods/npo.md"))
    (table,) = (one for one in tree.iter(f"{XHTML}div") if one.get("aria-label") == "NPO in one row per task")
    (row,) = (one for one in table.iter(f"{XHTML}tr") if one.find(f"{XHTML}td") is not None)
    assert "authors" in visible(row)
    assert "0.155" in visible(row)


def test_every_method_has_a_file_to_be_compared_by(catalog: Catalog) -> None:
    site = site_of(catalog)
    files = comparison_files(site)
    assert set(files) == {f"compare/{one.id}.js" for one in catalog.methods}
    for method in catalog.methods:
        found = re.fullmatch(
            r"catalogData\.take\(\"compare/([^\"]+)\",(.*)\);\n", files[f"compare/{method.id}.js"], re.DOTALL
        )
        assert found
        told = json.loads(found[2])
        assert (told["id"], told["name"]) == (method.id, method.name)
        assert "<math" in told["objective"], method.id
        assert [name for name, _, _ in told["settings"]] == [one.name for one in method.hyperparameters]
    (task,) = json.loads(outline(site))["tasks"]
    told = json.loads(files["compare/npo.js"].split(",", 1)[1].removesuffix(");\n"))
    assert told["tasks"]["authors"]["values"]["forget_probability"][0] == ["0.155", "0.064"]
    assert {one["id"] for one in task["measures"]} == set(told["tasks"]["authors"]["values"])


def test_what_is_measured_anew_has_another_version(catalog: Catalog) -> None:
    before = json.loads(outline(site_of(catalog)))["version"]
    assert json.loads(outline(site_of(catalog)))["version"] == before
    fewer = tuple(one for one in catalog.results if (one.method, one.seed) != ("npo", 1))
    assert json.loads(outline(site_of(replace(catalog, results=fewer))))["version"] != before


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("## Objective\n\nA.\n\n$$b$$\n\n## Symbols\n\n- c", "A.\n\n$$b$$"),
        ("## Objective\n\nA.", "A."),
        ("## Facts\n\nA.", ""),
        ("", ""),
    ],
)
def test_the_objective_ends_where_the_next_section_begins(body: str, text: str) -> None:
    assert objective(body) == text
