"""What people get who install the package: everything that it reads, and nothing of the checkout around it."""

from __future__ import annotations

import ast
import re
import tomllib
from fnmatch import fnmatch

import pytest
from small_checkout import REPOSITORY

SETTINGS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


@pytest.mark.parametrize("package", ["catalog", "reference_impls"])
def test_all_files_of_a_package_come_along(package: str) -> None:
    folder = REPOSITORY / package
    data = {path for pattern in SETTINGS["package-data"][package] for path in folder.glob(pattern)}
    there = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    modules = {path for path in there if path.suffix == ".py"}
    there -= {path for path in there if any(part.startswith(".") for part in path.relative_to(folder).parts)}
    assert {str(path.relative_to(REPOSITORY)) for path in there - modules - data} == set()
    assert any(path.suffix == ".safetensors" for path in data) == (package == "reference_impls")


def test_nothing_else_comes_along() -> None:
    patterns = SETTINGS["packages"]["find"]["include"]
    folders = {path.name for path in REPOSITORY.iterdir() if path.is_dir()}
    assert {name for name in folders if any(fnmatch(name, one) for one in patterns)} == {"catalog", "reference_impls"}


def test_what_runs_reads_no_folder_beside_its_package() -> None:
    """A wheel has none there; what adds to a checkout is given one."""
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in REPOSITORY.glob("reference_impls/**/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.BinOp) and re.search(r"PACKAGE\.parent\b", ast.unparse(node))
    ]
    assert found == []
