"""``catalog site serve``: on this machine only, and up to date."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.base.project import Project

pytestmark = pytest.mark.slow


def get(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, ConnectionError):
        return ""


PATIENCE = 300
"""Seconds after which waiting is given up: long, as a machine may do much else."""


def wait_for(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE} s"
        time.sleep(0.2)


def test_an_edited_record_is_on_screen(project: Project, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("papers", "templates", "site", "reference_impls", "catalog"):
        shutil.copytree(project.root / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        # Where a shell started the tests in the background, interrupts would be ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pathlib import Path; from catalog.base.project import Project; "
        "from catalog.outputs.site import serve_site; "
        f"serve_site(Project(Path({str(checkout)!r})), {port})"
    )
    log = tmp_path / "log"
    with log.open("wb") as sink:
        running = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=checkout,
            env=os.environ | {"PYTHONPATH": str(checkout)},
            stdout=sink,
            stderr=sink,
        )
    try:
        record = checkout / "papers" / "2024" / "zhang2024negative.yaml"
        address = f"http://127.0.0.1:{port}/papers/zhang2024negative.html"
        wait_for(lambda: "Negative Preference Optimization" in get(address), "the page")
        text = record.read_text(encoding="utf-8")
        record.write_text(text.replace("Catastrophic Collapse", "Graceful Collapse"), encoding="utf-8")
        wait_for(lambda: "Graceful Collapse" in get(address), "the new title")
        wait_for(lambda: "Built zhang2024negative; lists and search follow" in log.read_text(), "the page alone")
        group = address.replace("papers/zhang2024negative", "venue/colm")
        record.write_text(text.replace("Catastrophic Collapse", "Further Graceful Collapse"), encoding="utf-8")
        wait_for(lambda: "Further Graceful Collapse" in get(address), "the title after that")
        wait_for(lambda: "Further Graceful Collapse" in get(group), "the new title in a list")
        wait_for(lambda: log.read_text().count(" papers into ") >= 2, "word of it")

        record.write_text("title: [broken", encoding="utf-8")
        wait_for(lambda: "papers/2024/zhang2024negative.yaml" in log.read_text(), "the problem")
        assert "Graceful Collapse" in get(address), "the last good site stays"
        assert "Traceback" not in log.read_text()
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(timeout=PATIENCE)
