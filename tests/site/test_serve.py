"""``catalog site serve``: on this machine only, and up to date."""

from __future__ import annotations

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
from small_checkout import REPOSITORY, small_checkout_with_pages

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


def test_an_edited_record_template_or_page_is_on_screen(tmp_path: Path) -> None:
    checkout = small_checkout_with_pages(tmp_path / "checkout")
    for part in ("templates", "site/docs"):  # they are edited here
        (checkout.root / part).unlink()
        shutil.copytree(REPOSITORY / part, checkout.root / part)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        # Where a shell started the tests in the background, interrupts would be ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pathlib import Path; from catalog.base.project import Project; "
        "from catalog.outputs.site import serve_site; "
        f"serve_site(Project(Path({str(checkout.root)!r})), {port})"
    )
    log = tmp_path / "log"
    with log.open("wb") as sink:
        running = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=checkout.root,
            stdout=sink,
            stderr=sink,
        )
    try:
        page = f"http://127.0.0.1:{port}/papers/lindqvist2031fading.html"
        wait_for(lambda: "Gentle Forgetting" in get(page), "the page")
        checkout.change(checkout.fading, "Gentle Forgetting", "Slow Forgetting")
        wait_for(lambda: "Slow Forgetting" in get(page), "the new title")
        wait_for(lambda: "Built papers/lindqvist2031fading; all others follow" in log.read_text(), "the page alone")
        group = page.replace("papers/lindqvist2031fading", "family/gradient-ascent")
        checkout.change(checkout.fading, "Slow Forgetting", "Steady Forgetting")
        wait_for(lambda: "Steady Forgetting" in get(page), "the title after that")
        wait_for(lambda: "Steady Forgetting" in get(group), "the new title in a list")
        wait_for(lambda: log.read_text().count(" papers into ") >= 2, "word of it")

        template = checkout.root / "templates" / "site" / "paper.html.j2"
        get(page)
        template.write_text(template.read_text().replace("<header ", '<header data-edited="yes" ', 1), encoding="utf-8")
        wait_for(lambda: 'data-edited="yes"' in get(page), "the edited template")
        guide = checkout.root / "site" / "docs" / "tending.md"
        guide.write_text(guide.read_text() + "\nA line at the end.\n", encoding="utf-8")
        wait_for(lambda: "A line at the end." in get(page.replace("papers/lindqvist2031fading", "tending")), "the line")
        other = page.replace("papers/lindqvist2031fading", "papers/okonkwo2032gardens")
        wait_for(lambda: 'data-edited="yes"' in get(other), "the template on a page that nobody looked at")

        # An address that leads out of the site is nobody's page, whatever is edited after it.
        checkout.add("beyond.md", "Not a page.\n")
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(b"GET /../../beyond.html HTTP/1.0\r\n\r\n")
            assert b"404" in plain.recv(200)
        before = log.read_text().count("all others follow")
        template.write_text(template.read_text().replace('data-edited="yes"', 'data-edited="again"'), encoding="utf-8")
        wait_for(lambda: log.read_text().count("all others follow") > before, "a page")  # nobody asks for another
        assert "/beyond;" not in log.read_text()

        checkout.fading.write_text("title: [broken", encoding="utf-8")
        wait_for(lambda: "papers/2031/lindqvist2031fading.yaml" in log.read_text(), "the problem")
        assert "Steady Forgetting" in get(page), "the last good site stays"
        assert "Traceback" not in log.read_text()
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(timeout=PATIENCE)
