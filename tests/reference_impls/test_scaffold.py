from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.model.implementations import read_implementations
from reference_impls.commands.scaffold import new_method, with_implementation
from reference_impls.errors import UsageError
from reference_impls.running.registry import PACKAGE

ROOT = PACKAGE.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The folders of a checkout, with what a test of a method imports."""
    tests = tmp_path / "tests" / "reference_impls"
    (tests / "methods").mkdir(parents=True)
    for name in ("conftest.py", "unlearning_toys.py"):
        shutil.copy(ROOT / "tests" / "reference_impls" / name, tests)
    shutil.copytree(
        PACKAGE, tmp_path / "reference_impls", ignore=shutil.ignore_patterns("tasks", "results", "__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_files_are_where_they_belong_and_the_catalog_reads_the_method(checkout: Path) -> None:
    method, test = new_method("my-method", "zhang2024negative", checkout)
    assert method == checkout / "reference_impls" / "methods" / "my_method.py"
    assert test == checkout / "tests" / "reference_impls" / "methods" / "test_my_method.py"
    found, problems = read_implementations(checkout / "reference_impls")
    (mine,) = (one for one in found if one.id == "my-method")
    assert not problems
    assert (mine.paper, mine.name) == ("zhang2024negative", "my-method")
    assert [line for line in mine.body.splitlines() if line.startswith("## ")] == [
        "## Objective", "## Symbols", "## Facts", "## Differences",
    ]  # fmt: skip
    assert "class MyMethod(LossMethod):" in mine.source


PROVENANCE = "provenance: {source: arxiv}\n"
NPO = "implementations:\n  - {id: npo, relation: introduces}\n"
MINE = "  - {id: my-method, relation: introduces}\n"


@pytest.mark.parametrize(
    ("record", "linked"),
    [
        (f"title: A\n{PROVENANCE}", f"title: A\nimplementations:\n{MINE}{PROVENANCE}"),
        (f"title: A\n{NPO}{PROVENANCE}", f"title: A\n{NPO}{MINE}{PROVENANCE}"),
        (f"title: A\n{NPO}", f"title: A\n{NPO}{MINE}"),
        ("title: A\n", f"title: A\nimplementations:\n{MINE}"),
    ],
)
def test_the_papers_record_links_back_to_the_method(record: str, linked: str) -> None:
    assert with_implementation(record, "my-method") == linked


def test_nothing_but_the_link_changes_in_the_record(checkout: Path) -> None:
    (record,) = (ROOT / "papers").glob("*/zhang2024negative.yaml")
    copy = checkout / "papers" / record.parent.name / record.name
    copy.parent.mkdir(parents=True)
    shutil.copy(record, copy)
    new_method("my-method", "zhang2024negative", checkout)
    assert copy.read_text(encoding="utf-8").replace(MINE, "") == record.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_new_methods_test_passes_and_both_files_are_in_shape(checkout: Path) -> None:
    files = [str(path) for path in new_method("my-method", "zhang2024negative", checkout)]
    run = [sys.executable, "-m"]
    for command in (
        [*run, "ruff", "check", "--no-cache", *files],
        [*run, "ruff", "format", "--no-cache", "--check", *files],
        [*run, "pytest", "-q", "-p", "no:cacheprovider", files[1]],
    ):
        done = subprocess.run(
            command, cwd=checkout, env={"PYTHONPATH": f"{checkout}:{ROOT}"}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name", ["", "My-Method", "my_method", "my--method", "-a", "1st", "../up", "a b", "class", "é"]
)
def test_a_name_that_cannot_be_one_is_refused(name: str, checkout: Path) -> None:
    with pytest.raises(UsageError, match="cannot be a method's id"):
        new_method(name, "zhang2024negative", checkout)


def test_nothing_is_written_over(checkout: Path) -> None:
    before = (checkout / "reference_impls" / "methods" / "npo.py").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match=r"npo\.py is there already"):
        new_method("npo", "zhang2024negative", checkout)
    assert (checkout / "reference_impls" / "methods" / "npo.py").read_text(encoding="utf-8") == before


def test_an_installed_package_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="methods are added to a checkout"):
        new_method("my-method", "zhang2024negative", tmp_path)
