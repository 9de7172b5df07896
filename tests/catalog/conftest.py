"""Fixtures: the small checkout, and the command ``catalog`` inside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_runs import Run, runner
from local_server import Server
from small_checkout import REPOSITORY, Checkout, small_checkout

from catalog.base.project import Project
from catalog.cli import main
from catalog.model.catalog import Catalog
from catalog.parsing.problems import Problem
from catalog.reading.codes import ALL_CODES
from catalog.reading.load import load_catalog


@pytest.fixture(autouse=True)
def only_documented_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever makes a problem, in whatever file, gives it a code that the documentation lists."""
    known = {code.id: code.severity for code in ALL_CODES}

    make = Problem.__init__

    def made(problem: Problem, *given: Any, **named: Any) -> None:
        make(problem, *given, **named)
        assert known.get(problem.code) == problem.severity, f"catalog/reading/codes.py does not list {problem}"

    monkeypatch.setattr(Problem, "__init__", made)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The real records."""
    found, problems = load_catalog(Project(REPOSITORY))
    assert found is not None, problems
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = small_checkout(tmp_path / "checkout")
    (made.root / "templates").mkdir()
    for template in (REPOSITORY / "templates").glob("*.md.j2"):
        shutil.copy(template, made.root / "templates")
    return made


@pytest.fixture
def run(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command ``catalog`` as people call it, inside the small checkout."""
    monkeypatch.chdir(checkout.root)
    monkeypatch.setenv("COLUMNS", "120")

    return runner("catalog", main, monkeypatch, capsys)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()
