"""Install what this project needs from its locks, and renew these: every file by its hash, from any index.

    python locks/manage.py install everything    # into the Python that runs this; or catalog, node, tools, fuzz
    python locks/manage.py install everything --wheel build/dist/llm_unlearning-0.1.0-py3-none-any.whl
    python locks/manage.py renew [--upgrade]     # writes locks/*.txt anew; `make lock` calls it

``pyproject.toml`` says what is needed, ``constraints.txt`` which versions of that, and a lock what else these need and
which files may be installed. No lock names an index: the hashes are those of the files on PyPI, wherever they are taken
from. torch is by itself: with the CPU build comes nothing, with PyPI's for Linux come NVIDIA's libraries.

It needs nothing but Python and pip, since nothing is installed when it runs.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "locks"
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
"""The versions of CPython for which PyPI has a wheel of all that is locked (rouge-score is built from its source)."""
PLATFORMS = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")}
"""The same of systems and processors; macOS from version 14."""
EXTRAS = ("run", "ask", "test")
"""What `make` installs besides what the catalog itself needs."""
PARTS = {
    "everything": ("catalog", "run-test"),
    "catalog": ("catalog",),
    "node": ("node",),
    "tools": ("tools",),
    "fuzz": ("fuzz",),
}
"""What can be installed, and its locks. Before them comes ``build``, after everything torch."""
WHOLE = ("build", "catalog", "run-test", "torch", "node")
"""The locks whose versions go together; no package stands in two of them for the same machines."""
HEAD = "# Made by `make lock` from pyproject.toml and constraints.txt. Change these, and not this file.\n"


@dataclass(frozen=True)
class Entry:
    """One package of a lock, in one version, perhaps for some machines only."""

    name: str
    version: str
    marker: str
    """For which machines, as in ``sys_platform == 'linux'``; empty for all."""
    hashes: tuple[str, ...]
    """SHA-256 of the files that may be installed, in hexadecimal."""
    wanted_by: tuple[str, ...]
    """Names of packages that need it; ``pyproject.toml`` where the project itself does."""

    def __str__(self) -> str:
        marker = f" ; {self.marker}" if self.marker else ""
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in self.hashes)
        return f"{self.name}=={self.version}{marker}{hashes}\n    # for {', '.join(self.wanted_by)}\n"


def parse(text: str) -> list[Entry]:
    """The entries of a lock, as written here or by ``uv pip compile``.

    Raises:
        ValueError: a line that no lock has, such as one that names an index.
    """
    entries: list[Entry] = []
    for block in re.split(r"^(?=[^\s#])", re.sub(r"\\\n", "", text), flags=re.MULTILINE):
        line, *comments = block.splitlines() or [""]
        if not line or line.startswith("#"):
            continue
        pinned = re.fullmatch(r"([\w.-]+)==([\w.+!]+)(?: ; (.+?))?((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line)
        if pinned is None:
            raise ValueError(f"not a package with its version and its hashes: {line.strip()}")
        name, version, marker, hashes = pinned.groups()
        said = " ".join(comment.strip().lstrip("# ") for comment in comments)
        said = re.sub(r"^(via|for)\b", "", said).replace(",", " ")
        said = re.sub(r"llm-unlearning \(pyproject\.toml(:\w+)?\)", OURS, said)
        said = re.sub(r"-[cr] \S+", lambda given: OURS if given[0].startswith("-r") else "", said)
        wanted_by = tuple(dict.fromkeys(said.split()))
        entries.append(Entry(name, version, marker or "", tuple(re.findall("[0-9a-f]{64}", hashes)), wanted_by))
    return entries


OURS = "pyproject.toml"


def read(lock: str) -> list[Entry]:
    """The entries of a lock of this project.

    Raises:
        OSError, ValueError: there is none, or it is none.
    """
    return parse((LOCKS / f"{lock}.txt").read_text(encoding="utf-8"))


# Install ----------------------------------------------------------------------------------------------


def covered() -> bool:
    """Whether the locks are for the Python and the machine that this runs on."""
    machine = (sys.platform, platform.machine())
    return platform.python_implementation() == "CPython" and sys.version_info[:2] in PYTHONS and machine in PLATFORMS


def install(what: str, wheel: Path | None = None) -> None:
    """Install a lock, and the project itself where it is the catalog's or everything.

    Args:
        what: a key of :data:`PARTS`.
        wheel: the project as it was built; without one, this checkout is installed.

    Raises:
        SystemExit: pip failed, with its exit status.
    """
    extras = {"everything": f"[{','.join(EXTRAS)}]", "catalog": "", "node": "[node]"}.get(what)
    if not covered():
        here = f"{platform.python_implementation()} {platform.python_version()} on {sys.platform} {platform.machine()}"
        if extras is None or wheel is not None:
            sys.exit(f"locks/{what}.txt does not cover {here}; locks/manage.py says what it covers.")
        print(f"The locks do not cover {here}: the versions are those of constraints.txt, the files go unchecked.")
        _pip("-c", "constraints.txt", "-e", f".{extras}")
        return
    _locked("build")  # before what comes as source, and is built with it
    _locked(*PARTS[what])
    if what == "everything":
        _install_torch()
    if what in ("everything", "catalog"):
        _pip("--no-index", "--no-deps", "--no-build-isolation", *(["-e", "."] if wheel is None else [str(wheel)]))


def _install_torch() -> None:
    """The CPU build where the lock knows it and the index offers it; otherwise what PyPI has for this machine."""
    here = _only(sys.version_info[:2], sys.platform, platform.machine())
    if any(entry.marker == here for entry in read("torch-cpu")):
        try:
            _locked("torch-cpu", quiet=True)
        except subprocess.CalledProcessError as error:
            if "No matching distribution found" not in error.stderr:  # another file than the lock's, say
                sys.exit(error.stderr)
        else:
            return
    (torch,) = (entry for entry in read("torch") if entry.name == "torch")
    if sys.platform == "linux":
        print(
            f"No CPU build of torch {torch.version} is locked for this Python and offered by the index: PyPI's comes "
            "with NVIDIA's libraries, several GB."
        )
    _locked("torch")


def _locked(*locks: str, quiet: bool = False) -> None:
    files = (option for lock in locks for option in ("-r", f"locks/{lock}.txt"))
    _pip("--require-hashes", "--no-deps", "--no-build-isolation", *files, quiet=quiet)


def _pip(*options: str, quiet: bool = False) -> None:
    """Run ``pip install``.

    Raises:
        SystemExit: it failed, and has said why.
        CalledProcessError: it failed, and what it said is kept.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    if quiet:
        subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.PIPE, text=True)
    elif status := subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(status)


# Renew ------------------------------------------------------------------------------------------------


def renew(upgrade: bool) -> None:
    """Write all locks anew; versions stay where nothing asks for others.

    Args:
        upgrade: take the newest versions of all that ``constraints.txt`` does not pin.

    Raises:
        SystemExit: no versions go together, or the index cannot be reached.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for file in ("pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / file, folder)
        (folder / "build.in").write_text("\n".join(project["build-system"]["requires"]), encoding="utf-8")
        extras = [option for extra in (*EXTRAS, "node") for option in ("--extra", extra)]
        inputs = ("pyproject.toml", "build.in", "-c", "constraints.txt")
        whole = _compile(folder, WHOLE, upgrade, *inputs, *extras)
        (folder / "whole.txt").write_text("".join(map(str, whole)), encoding="utf-8")
        build = _compile(folder, [], False, "build.in", "-c", "whole.txt")
        catalog = _compile(folder, [], False, "pyproject.toml", "-c", "whole.txt")
        groups = {
            group: _compile(folder, [group], upgrade, "--group", group, "-c", "constraints.txt")
            for group in project["dependency-groups"]
        }
        of_node = {_name(requirement) for requirement in project["project"]["optional-dependencies"]["node"]}
        of_torch = {"torch"} | comes_with(whole, "torch")
        # Who needs a package is told of all, not of the catalog's half.
        resolved = {(entry.name, entry.marker): entry for entry in whole}
        catalog = [resolved.get((entry.name, entry.marker), entry) for entry in catalog]
        elsewhere = {(entry.name, entry.marker) for entry in (*build, *catalog)}
        rest = [entry for entry in whole if entry.name not in of_node | of_torch]
        _write("build", build)
        _write("catalog", catalog)
        _write("run-test", (entry for entry in rest if (entry.name, entry.marker) not in elsewhere))
        _write("torch", (entry for entry in whole if entry.name in of_torch))
        _write("node", (entry for entry in whole if entry.name in of_node))
        for group, entries in groups.items():
            _write(group, entries)
        (torch,) = (entry for entry in whole if entry.name == "torch")
        _write("torch-cpu", _cpu_builds(torch.version))


def comes_with(entries: Sequence[Entry], name: str) -> set[str]:
    """What a package alone needs, and on some machines only, with what that needs: NVIDIA's libraries, for torch."""
    names = {name}
    while True:
        more = {
            entry.name
            for entry in entries
            if entry.marker and set(entry.wanted_by) <= names and "linux" in entry.marker
        }
        if more <= names:
            return names - {name}
        names |= more


def _compile(folder: Path, previous: Iterable[str], upgrade: bool, *inputs: str) -> list[Entry]:
    """Resolve for all machines and Pythons; versions of the previous locks stay where they fit."""
    out = folder / "out.txt"
    kept = (LOCKS / f"{lock}.txt" for lock in previous)
    out.write_text("" if upgrade else "".join(lock.read_text("utf-8") for lock in kept if lock.is_file()), "utf-8")
    options = ["--universal", "--python-version", ".".join(map(str, PYTHONS[0])), "--generate-hashes", "--no-header"]
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", *options, *inputs, "-o", "out.txt"]
    if status := subprocess.run(command, cwd=folder, check=False, stdout=subprocess.DEVNULL).returncode:
        sys.exit(status)
    return parse(out.read_text(encoding="utf-8"))


def _write(lock: str, entries: Iterable[Entry]) -> None:
    text = HEAD + "".join(map(str, entries))
    (LOCKS / f"{lock}.txt").write_text(text, encoding="utf-8", newline="\n")


def _cpu_builds(version: str) -> Iterator[Entry]:
    """The CPU builds of torch that the index offers for Linux; where it has none, those that were known before."""
    known = {entry.marker: entry for entry in read("torch-cpu") if entry.version == f"{version}+cpu"}
    for python in PYTHONS:
        marker = _only(python, "linux", "x86_64")
        digest = _cpu_build(version, python)
        if entry := Entry("torch", f"{version}+cpu", marker, (digest,), (OURS,)) if digest else known.get(marker):
            yield entry
        else:
            print(f"No CPU build of torch {version} for Python {python[0]}.{python[1]} is known, nor offered here.")


def _cpu_build(version: str, python: tuple[int, int]) -> str | None:
    """The hash of the CPU build for a Python on x86_64, as the index gives it."""
    number = f"{python[0]}.{python[1]}"
    tags = [option for abi in (28, 17) for option in ("--platform", f"manylinux_2_{abi}_x86_64")]
    options = ["--dry-run", "--no-deps", "--ignore-installed", "--only-binary", ":all:", "--target", "nowhere"]
    asked = ["--python-version", number, *tags, "--report", "-", f"torch=={version}+cpu"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, *asked]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=LOCKS)
    if ran.returncode:
        return None
    (taken,) = json.loads(ran.stdout)["install"]
    sha: str = taken["download_info"]["archive_info"]["hashes"]["sha256"]
    return sha


def _only(python: tuple[int, ...], system: str, machine: str) -> str:
    """The marker of one Python on one kind of machine."""
    version = f"{python[0]}.{python[1]}"
    return f"python_version == '{version}' and sys_platform == '{system}' and platform_machine == '{machine}'"


def _name(requirement: str) -> str:
    """A package's name, as locks write it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    installing = commands.add_parser("install", help="install a lock into the Python that runs this")
    installing.add_argument("what", choices=PARTS)
    installing.add_argument("--wheel", type=Path, help="install this wheel of the project in place of the checkout")
    renewing = commands.add_parser("renew", help="write the locks anew")
    renewing.add_argument("--upgrade", action="store_true", help="take newer versions where none are pinned")
    given = parser.parse_args()
    if given.command == "install":
        install(given.what, given.wheel and given.wheel.resolve())
    else:
        renew(given.upgrade)


if __name__ == "__main__":
    main()
