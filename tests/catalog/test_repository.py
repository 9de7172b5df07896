"""The records of this repository."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from small_checkout import REPOSITORY

from catalog import __version__ as catalog_version
from catalog.base.project import Project
from catalog.base.text import same_title
from catalog.intake.discovery import read_rules
from catalog.model.catalog import Catalog
from catalog.outputs.search import Search
from catalog.reading.fmt import format_record
from catalog.reading.load import load_catalog, read_record

SEED = {
    "2402.08787": "rethinking",
    "2401.06121": "tofu",
    "2403.03218": "wmdp",
    "2310.02238": "harry potter",
    "2309.11852": "sanitization",
    "2310.07579": "in-context unlearning",
    "2210.01504": "mitigating privacy risks",
    "2310.10683": "large language model unlearning",
    "2305.06535": "kga",
    "2309.17410": "sensitive information deleted",
    "2212.09573": "privacy adhering",
    "2205.13636": "quark",
    "2212.04089": "task arithmetic",
    "2306.14870": "composing parameter-efficient",
    "2404.05868": "npo",
    "2203.12817": "continual learning private unlearning",
}
"""The papers of the README that this catalog grew from, with words that one would look for."""


AKIN_TO_NONE = {"chen2026tracer", "li2025analyzing", "vidal2025machine"}
"""Methods to which nothing that runs is akin, by their abstracts: items of a recommender get other codes, an output
head is corrected against hallucination, a contrastive image model is calibrated."""


def test_seed_papers_are_found_and_lead_to_code_that_runs(catalog: Catalog) -> None:
    search = Search(catalog)
    for arxiv, words in SEED.items():
        (paper,) = (paper for paper in catalog.papers if paper.links.arxiv == arxiv)
        assert paper in search(words).papers[:5], words
        assert search(arxiv).papers == (paper,)
        assert paper.implementations, paper.id
    assert any(paper.links.url == "https://ai.stanford.edu/~kzliu/blog/unlearning" for paper in catalog.papers)


def test_every_method_is_introduced_by_a_paper(catalog: Catalog) -> None:
    for one in catalog.methods:
        assert ("introduces", catalog.by_id[one.paper]) in catalog.papers_of[one.id], one.id


def test_every_method_leads_to_something_that_runs(catalog: Catalog) -> None:
    leading_nowhere = {one.id for one in catalog.papers if "method" in one.contributions and not one.implementations}
    assert leading_nowhere == AKIN_TO_NONE


def test_every_paper_of_the_list_is_here(catalog: Catalog) -> None:
    """What is left out is listed with its reason, and the record that stands for it or where it is."""
    excluded = yaml.safe_load((REPOSITORY / "site/docs/excluded.yaml").read_text(encoding="utf-8"))
    assert len(catalog.papers) + len(excluded) >= 647
    for one in excluded:
        assert one["id"] not in catalog.by_id
        assert one.get("see", "") in {*catalog.by_id, ""}
        assert {"see", "link"} & set(one) or one["reason"].startswith("No address")
        assert one["reason"].endswith(".")
        alike = [paper.id for paper in catalog.papers if same_title(one["title"]) == same_title(paper.title)]
        assert "see" in one or alike == []


def test_what_discovery_rules_out_is_no_record(catalog: Catalog) -> None:
    rules = read_rules(REPOSITORY / "catalog/discovery.yaml")
    assert rules.not_relevant
    assert [paper.id for paper in catalog.papers if rules.ruled_out(paper.links.ids)] == []


def test_a_code_host_shows_all_pages_whole() -> None:
    assert (REPOSITORY / "README.md").stat().st_size < 200_000
    for page in (REPOSITORY / "lists").rglob("*.md"):
        assert page.stat().st_size < 300_000, page


def test_hints_are_few_and_known(catalog: Catalog) -> None:
    """A hint is advice; what is left are methods of which only the title was seen."""
    _, problems = load_catalog(Project(REPOSITORY))
    assert {problem.code for problem in problems} <= {"no-family"}


def test_records_are_in_the_canonical_layout() -> None:
    for path in sorted((REPOSITORY / "papers").rglob("*.yaml")):
        text, problems = format_record(path, path.name)
        assert text == path.read_text(encoding="utf-8"), (path.name, problems)


def test_the_record_in_contributing_is_valid(tmp_path: Path) -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(    title: .*?)\n    ```", text, re.DOTALL)
    assert found
    path = tmp_path / "zhang2024negative.yaml"
    path.write_text(textwrap.dedent(found[1]) + "\n", encoding="utf-8")
    assert read_record(path, "CONTRIBUTING.md")[1] == []


def test_citation_file_agrees_with_the_project() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"] == catalog_version
    assert citation["license"] == project["license"]


def imported(folder: str) -> set[str]:
    """What the Python files of a folder import from outside of the project and of Python."""
    names: set[str] = set()
    for path in (REPOSITORY / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.split(".")[0])
    own = {
        "catalog",
        "reference_impls",
        *(path.stem for path in (REPOSITORY / "tests").rglob("*.py")),
        "generated",
        "manage",
    }
    return names - own - set(sys.stdlib_module_names) - {"search"}


def declared(*extras: str) -> set[str]:
    """The packages that the project asks for, as they are called on the index."""
    read = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    groups = {**read["project"]["optional-dependencies"], **read["dependency-groups"]}
    asked = [*read["project"]["dependencies"], *(one for extra in extras for one in groups[extra])]
    return {re.split(r"[^\w.-]", one)[0].lower().replace("_", "-") for one in asked}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("catalog", ()),
        ("reference_impls", ("run", "ask", "data", "cluster")),
        ("tests", ("run", "ask", "test", "fuzz")),
        ("benchmarks", ("run", "test")),
    ],
)
def test_what_is_imported_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    packages = packages_distributions()
    asked = declared(*extras)
    missing = [
        name
        for name in sorted(imported(folder))
        if not {package.lower().replace("_", "-") for package in packages.get(name, [name])} & asked
    ]
    assert missing == []


def test_every_family_in_which_something_runs_has_a_guide_that_names_all_its_methods(catalog: Catalog) -> None:
    families = {method.family for method in catalog.methods}
    assert set(catalog.family_guides) == families
    for family, guide in catalog.family_guides.items():
        named = set(re.findall(r"`([a-z0-9-]+)`", guide.body))
        assert {method.id for method in catalog.methods if method.family == family} <= named, family
        sections = [line for line in guide.body.splitlines() if line.startswith("## ")]
        assert sections == ["## How they relate", "## Read first", "## What to expect"], family
        known = catalog.implementation_by_id
        assert [one for one in named if one not in known and not one.startswith(("reference", "p"))] == [], family
