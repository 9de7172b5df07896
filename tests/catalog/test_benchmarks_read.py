"""Published benchmarks and recipes, as the catalog reads them from files that it never imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.model.implementations import Implementation, read_implementations
from catalog.parsing.problems import Problem

BENCHMARK = '''"""A benchmark of gardens (GARDENS).

What it is.

## What is read

Files.
"""


class GardensBenchmark(Benchmark):
    """One."""

    paper = "moon2024gardens"
    headline = "forget_accuracy"
    variants = {"roses": "forget roses", "<plant>": "forget any plant"}
'''
METHOD = '''"""A method (MOON).

What it does.
"""


class Moon(LossMethod):
    """One."""

    paper = "moon2024gardens"
    acts_on = "loss"
    published = PUBLISHED
'''


def read(tmp_path: Path, file: str, text: str) -> tuple[list[Implementation], list[Problem]]:
    path = tmp_path / "reference_impls" / file
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return read_implementations(tmp_path / "reference_impls")


def test_a_benchmark_says_its_tasks(tmp_path: Path) -> None:
    (found,), problems = read(tmp_path, "published/gardens.py", BENCHMARK)
    assert problems == []
    assert (found.kind, found.id, found.name) == ("benchmark", "gardens", "GARDENS")
    assert found.task_names == ("gardens/roses", "gardens/<plant>")
    assert found.module == "reference_impls.published.gardens"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("gardens/roses", True),
        ("gardens/tulips", True),
        ("gardens/", False),
        ("gardens", False),
        ("parks/roses", False),
    ],
)
def test_any_name_fits_a_variant_in_brackets(name: str, is_one: bool, tmp_path: Path) -> None:
    (found,), _ = read(tmp_path, "published/gardens.py", BENCHMARK)
    assert found.has_task(name) is is_one


def test_a_benchmark_without_variants_is_a_problem(tmp_path: Path) -> None:
    found, (problem,) = read(tmp_path, "published/gardens.py", BENCHMARK.replace("variants", "variant"))
    assert found == []
    assert problem.code == "undeclared"
    assert "'variants'" in problem.message


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('{"learning_rate": 0, "source": "paper"}', "learning_rate = 0"),
        ('{"learning_rate": 1e-5}', "no source"),
        ("3", "no dictionary"),
    ],
)
def test_a_recipe_that_nothing_can_run_is_a_problem_at_its_line(declared: str, message: str, tmp_path: Path) -> None:
    found, (problem,) = read(tmp_path, "methods/moons/moon.py", METHOD.replace("PUBLISHED", declared))
    assert found == []
    assert problem.code == "bad-recipe"
    assert message in problem.message
    assert problem.hint
    assert METHOD.splitlines()[problem.line - 1].strip().startswith("published")


def test_a_method_says_its_recipe_with_the_source(tmp_path: Path) -> None:
    said = '{"learning_rate": 1e-5, "epochs": 1, "source": "paper, section 4"}'
    (found,), _ = read(tmp_path, "methods/moons/moon.py", METHOD.replace("PUBLISHED", said))
    assert found.published is not None
    assert found.published.words == "learning rate 1e-05, 1 pass over the forget set"
    assert found.published.source == "paper, section 4"
