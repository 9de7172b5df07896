"""Both commands run in one frame: no terminal, pipe or disk brings a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_checkout import REPOSITORY

COMMANDS = [("catalog", ("show", "zhang2024negative")), ("reference_impls", ("list",))]
commands = pytest.mark.parametrize(("module", "words"), COMMANDS)


def run(module: str, *words: str, environment: dict[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})}
    call = [sys.executable, "-m", module, *words]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    return subprocess.Popen(call, cwd=REPOSITORY, env=known, text=True, **pipes)


@commands
@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"TERM": "dumb"}, {"TERM": "", "COLUMNS": "1"}, {"LC_ALL": "C"}]
)
def test_any_terminal_will_do(module: str, words: tuple[str, ...], environment: dict[str, str]) -> None:
    out, err = (process := run(module, *words, environment=environment)).communicate()
    assert (process.returncode, err) == (0, "")
    assert out


@commands
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_message(module: str, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        process = run(module, *words, stdout=full)
        _, err = process.communicate()
    assert process.returncode == 2
    assert "No space left on device" in err
    assert "Traceback" not in err


@commands
def test_a_reader_that_goes_away_is_no_error(module: str, words: tuple[str, ...]) -> None:
    process = run(module, *words)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() in (0, 1)  # the library of the command line ends with 1
    assert err == ""


@pytest.mark.parametrize(
    ("module", "words", "name"),
    [("catalog", ("show", "nobody2031x"), "catalog: "), ("reference_impls", ("show", "npoo"), "unlearn: ")],
)
def test_wrong_use_is_one_message_and_status_2(module: str, words: tuple[str, ...], name: str) -> None:
    process = run(module, *words)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith(name)
    assert len(err.strip().splitlines()) == 1


@commands
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-", "2>/dev/full"])
def test_a_stream_that_was_never_there_is_no_error(module: str, words: tuple[str, ...], closed: str) -> None:
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    for asked, status in ((" ".join(words), 0), ("show nobody2031x", 2)):
        call = ["sh", "-c", f"{sys.executable} -m {module} {asked} {closed}"]
        for unbuffered in ("", "1"):
            environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
            done = subprocess.run(call, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == status, done.stderr
            assert "Traceback" not in done.stderr
