"""The locks agree with what the project asks for, name hashes and no index, and are what is installed."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import manage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from small_checkout import REPOSITORY
from workflow_rules import UNCHECKED

LOCKS = sorted(path.stem for path in (REPOSITORY / "locks").glob("*.txt"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
ASKED = {
    "build": PROJECT["build-system"]["requires"],
    "catalog": PROJECT["project"]["dependencies"],
    "run-test": [*EXTRAS["run"], *EXTRAS["ask"], *EXTRAS["test"]],
    "node": EXTRAS["node"],
    **PROJECT["dependency-groups"],
}
"""What is asked for, by the lock that answers; torch has its own."""


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def locked(*locks: str) -> dict[str, list[manage.Entry]]:
    found: dict[str, list[manage.Entry]] = {}
    for lock in locks:
        for entry in manage.read(lock):
            found.setdefault(entry.name, []).append(entry)
    return found


# They agree -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ASKED)
def test_what_is_asked_for_is_locked_in_a_version_that_was_asked_for(lock: str) -> None:
    found = locked(*([lock] if lock in PROJECT["dependency-groups"] else manage.WHOLE))
    for requirement in map(Requirement, ASKED[lock]):
        entries = found.get(canonicalize_name(requirement.name), [])
        assert entries, f"{requirement} is in no lock: make lock"
        assert all(requirement.specifier.contains(one.version) for one in entries), f"{requirement}: make lock"


def test_nothing_is_locked_that_nobody_asked_for() -> None:
    found = locked(*manage.WHOLE)
    asked = {canonicalize_name(Requirement(one).name) for lock in manage.WHOLE if lock in ASKED for one in ASKED[lock]}
    assert {name for name, entries in found.items() if any(manage.OURS in one.wanted_by for one in entries)} == asked
    names = {manage.OURS, *found}
    assert all(set(one.wanted_by) <= names for entries in found.values() for one in entries)
    assert all(one.wanted_by for entries in found.values() for one in entries)


def test_versions_are_those_of_the_constraints() -> None:
    found = locked(*manage.WHOLE)
    asked_elsewhere = {canonicalize_name(Requirement(one).name) for extra in EXTRAS.values() for one in extra}
    for name, version in constraints().items():
        assert name in found or name in asked_elsewhere, f"constraints.txt names {name}, which nothing needs"
        assert {one.version for one in found.get(name, [])} <= {version}, f"{name}: make lock"
    (cpu,) = {one.version for one in manage.read("torch-cpu")}
    assert cpu == constraints()["torch"] + "+cpu"


def test_no_package_is_locked_twice_for_one_machine() -> None:
    entries = [(one.name, one.marker) for lock in manage.WHOLE for one in manage.read(lock)]
    assert len(entries) == len(set(entries))
    assert all(len({one.version for one in same if not one.marker}) <= 1 for same in locked(*manage.WHOLE).values())


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_hashes_and_no_index(lock: str) -> None:
    text = (REPOSITORY / f"locks/{lock}.txt").read_text(encoding="utf-8")
    entries = manage.parse(text)
    assert text == manage.HEAD + "".join(map(str, entries)), "a lock is made by make lock, not by hand"
    assert not re.search(r"://|^\s*-(?!-hash=sha256:)|@", text, re.MULTILINE)
    for entry in entries:
        assert entry.name == canonicalize_name(entry.name)
        assert not entry.marker or Marker(entry.marker)
        assert len(set(entry.hashes)) == len(entry.hashes) > 0


def test_torch_brings_what_it_needs_only_where_it_is_not_the_cpu_build() -> None:
    heavy = {name for name in locked("torch") if name != "torch"}
    assert heavy == {name for name in heavy if re.match("nvidia-|cuda-|triton", name)}
    assert all("linux" in one.marker for name in heavy for one in locked("torch")[name])
    assert not heavy & set(locked("catalog", "run-test"))


def test_javascript_has_checksums_and_no_address() -> None:
    lock = json.loads((REPOSITORY / "site/package-lock.json").read_text(encoding="utf-8"))
    asked = json.loads((REPOSITORY / "site/package.json").read_text(encoding="utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert all(one["integrity"].startswith("sha512-") and "resolved" not in one for one in packages.values())
    for name, version in {**asked["dependencies"], **asked["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version


@pytest.mark.parametrize("file", ["Makefile", ".ci/run", ".ci/wheel", ".devcontainer/devcontainer.json"])
def test_nothing_is_installed_around_the_locks(file: str) -> None:
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    assert not [fault for pattern, fault in UNCHECKED.items() if re.search(pattern, text)]


# They are read ----------------------------------------------------------------------------------------

HASH = "0" * 64
WORD = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
NEEDED_BY = st.lists(WORD.filter(lambda word: word not in ("via", "for")), min_size=1, max_size=3, unique=True)
MARKERS = ("", "sys_platform == 'linux'", "(platform_machine == 'x86_64' or extra == 'a') and python_version < '3.12'")


@settings(max_examples=25)
@given(
    st.lists(
        st.builds(
            manage.Entry,
            WORD,
            st.from_regex(r"[0-9]\.[0-9]{1,3}(\.post1|\+cpu)?", fullmatch=True),
            st.sampled_from(MARKERS),
            st.lists(st.from_regex(r"[0-9a-f]{64}", fullmatch=True), min_size=1, max_size=3).map(tuple),
            st.lists(WORD.filter(lambda word: word not in ("via", "for")), min_size=1, max_size=3, unique=True).map(
                tuple
            ),
        ),
        max_size=4,
    )
)
def test_what_is_written_is_read_again(entries: list[manage.Entry]) -> None:
    assert manage.parse(manage.HEAD + "".join(map(str, entries))) == entries


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--extra-index-url=https://example.org/simple",
        "--find-links /somewhere",
        "-e .",
        "click",
        "click==8.5.1",
        f"click>=8 --hash=sha256:{HASH}",
        f"click==8.5.1 --hash=md5:{HASH[:32]}",
        f"click==8.5.1 --hash=sha256:{HASH[:63]}",
        f"click @ https://example.org/click.whl --hash=sha256:{HASH}",
    ],
)
def test_what_is_no_lock_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a package with its version and its hashes"):
        manage.parse(line + "\n")


# They are installed -----------------------------------------------------------------------------------


class Pip:
    """Stands for pip: keeps what it was asked for, and fails where it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failing = ("", "")

    def __call__(self, command: list[str], *, check: bool, **_: Any) -> subprocess.CompletedProcess[str]:
        said = " ".join(command[command.index("--disable-pip-version-check") + 1 :])
        self.asked.append(said)
        part, reason = self.failing
        failed = bool(part) and part in said
        if failed and check:
            raise subprocess.CalledProcessError(1, command, stderr=reason)
        return subprocess.CompletedProcess(command, int(failed))


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    made = Pip()
    monkeypatch.setattr("manage.subprocess.run", made)
    machine(monkeypatch, (3, 11), "linux", "x86_64")
    return made


def machine(monkeypatch: pytest.MonkeyPatch, python: tuple[int, int], system: str, processor: str) -> None:
    here = SimpleNamespace(version_info=python, platform=system, executable=sys.executable, exit=sys.exit)
    monkeypatch.setattr(manage, "sys", here)
    monkeypatch.setattr(platform, "machine", lambda: processor)


def test_all_is_installed_by_hashes_and_in_order(pip: Pip) -> None:
    manage.install("everything")
    checked = "--require-hashes --no-deps --no-build-isolation"
    assert pip.asked == [
        f"{checked} -r locks/build.txt",
        f"{checked} -r locks/catalog.txt -r locks/run-test.txt",
        f"{checked} -r locks/torch-cpu.txt",
        "--no-index --no-deps --no-build-isolation -e .",
    ]


def test_without_a_cpu_build_the_other_is_taken_and_its_size_said(pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    pip.failing = ("torch-cpu", "ERROR: No matching distribution found for torch==2.13.0+cpu")
    manage.install("everything")
    assert [one for one in pip.asked if "locks/torch.txt" in one]
    assert "PyPI's comes with NVIDIA's libraries, several GB" in capsys.readouterr().out


def test_a_file_that_is_not_the_locked_one_ends_it(pip: Pip) -> None:
    pip.failing = ("torch-cpu", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.")
    with pytest.raises(SystemExit, match="DO NOT MATCH THE HASHES"):
        manage.install("everything")
    pip.failing = ("locks/catalog.txt", "")
    with pytest.raises(SystemExit):
        manage.install("catalog")
    assert not [one for one in pip.asked if "-e ." in one or "locks/torch.txt" in one]


@pytest.mark.parametrize(
    ("python", "system", "processor"),
    [((3, 14), "darwin", "arm64"), ((3, 12), "win32", "AMD64"), ((3, 13), "linux", "aarch64")],
)
def test_where_no_cpu_build_is_locked_none_is_asked_for(
    python: tuple[int, int], system: str, processor: str, pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, python, system, processor)
    manage.install("everything")
    assert not [one for one in pip.asked if "torch-cpu" in one]
    assert [one for one in pip.asked if "locks/torch.txt" in one]


@pytest.mark.parametrize(
    ("python", "system", "processor"),
    [((3, 15), "linux", "x86_64"), ((3, 12), "darwin", "x86_64"), ((3, 11), "linux", "riscv64")],
)
def test_elsewhere_it_says_that_nothing_is_checked(
    python: tuple[int, int],
    system: str,
    processor: str,
    pip: Pip,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine(monkeypatch, python, system, processor)
    manage.install("everything")
    assert pip.asked == ["-c constraints.txt -e .[run,ask,test]"]
    said = capsys.readouterr().out
    assert f"on {system} {processor}" in said
    assert "the files go unchecked" in said
    with pytest.raises(SystemExit, match=r"locks/tools\.txt does not cover"):
        manage.install("tools")


def test_the_wheel_takes_the_place_of_the_checkout(pip: Pip, tmp_path: Path) -> None:
    manage.install("catalog", tmp_path / "one.whl")
    assert pip.asked[-1] == f"--no-index --no-deps --no-build-isolation {tmp_path / 'one.whl'}"


def test_what_only_torch_needs_is_found_through_what_that_needs() -> None:
    def entry(name: str, marker: str, *wanted_by: str) -> manage.Entry:
        return manage.Entry(name, "1", marker, (HASH,), wanted_by)

    linux = "sys_platform == 'linux'"
    entries = [
        entry("torch", "", "pyproject.toml"),
        entry("sympy", "", "torch"),
        entry("toolkit", linux, "torch"),
        entry("blas", linux, "toolkit", "dnn"),
        entry("dnn", linux, "torch"),
        entry("shared", linux, "torch", "click"),
        entry("colorama", "sys_platform == 'win32'", "torch"),
    ]
    assert manage.comes_with(entries, "torch") == {"toolkit", "blas", "dnn"}


def test_its_help_needs_nothing_installed() -> None:
    command = [sys.executable, "-I", "-S", str(REPOSITORY / "locks/manage.py"), "--help"]
    assert "renew" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
