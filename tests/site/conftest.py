"""The site, built once and looked at in a real browser that may talk to nobody but this machine."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import results, throng
from filelock import FileLock
from guard import Guard
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.site import build_site
from catalog.parsing.problems import render
from catalog.reading.load import load_catalog

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60_000
"""Milliseconds until something that does not come counts as a failure: a machine may do much else. How fast pages are
is measured in benchmarks/, not here."""
expect.set_options(timeout=PATIENCE)
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *Guard.ARGUMENTS,
)


@pytest.fixture(scope="session")
def project() -> Project:
    return Project(ROOT)


@pytest.fixture(scope="session")
def catalog(project: Project) -> Catalog:
    """The real records and methods, with fabricated results, so that every page shows some or many."""
    found, problems = load_catalog(project)
    assert found is not None, render(problems)
    return replace(found, results=results() + throng(method.id for method in found.methods))


@pytest.fixture(scope="session")
def few(catalog: Catalog) -> Catalog:
    """Every twentieth paper, those that stand in for one of them, and one that tests look at; the methods with results.

    For what does not depend on how many there are: most of what a site costs are the pages of its methods.
    """
    measured = {result.method for result in results()}
    implementations = tuple(one for one in catalog.implementations if one.kind != "method" or one.id in measured)
    there = {one.id for one in implementations}
    some = [*catalog.papers[::20], catalog.by_id["zhang2024negative"]]
    chosen = {paper.id for paper in some} | {paper.state.by for paper in some if paper.state}
    papers = (
        paper.model_copy(update={"implementations": tuple(link for link in paper.implementations if link.id in there)})
        for paper in catalog.papers
        if paper.id in chosen
    )
    claims = tuple(one for one in catalog.claims if one.claim.method in there)
    return replace(catalog, papers=tuple(papers), implementations=implementations, claims=claims, results=results())


@pytest.fixture(scope="session")
def site(project: Project, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site, in a folder of a web server's: it must work from a path below the root. Not to be changed.

    Processes that share the tests share it: the first one builds it, and the others wait.
    """
    own = tmp_path_factory.getbasetemp()
    out = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "web" / "below" / "site"
    out.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(out.parents[1] / "lock"):
        if not out.exists():
            build_site(project, catalog, out)
    return out


@pytest.fixture(scope="session")
def kinds(site: Path) -> tuple[str, ...]:
    """Addresses of a page of each kind, from what was built: those in no folder, and of each folder its index and
    its largest page, on which most can be wrong."""
    by_folder: dict[str, list[Path]] = {}
    for path in sorted(site.rglob("*.html")):
        # Served for any address, or left at an old one.
        if path.name != "404.html" and 'http-equiv="refresh"' not in path.read_text(encoding="utf-8"):
            by_folder.setdefault(path.parent.relative_to(site).as_posix(), []).append(path)
    chosen = by_folder.pop(".")
    for pages in by_folder.values():
        sizes = {path: path.stat().st_size for path in pages if path.stem != "index"}
        chosen += [path for path in pages if path not in sizes or sizes[path] == max(sizes.values())]
    return tuple(sorted({path.relative_to(site).as_posix() for path in chosen}))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # as any server of pages: a connection is kept

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """The address of the site on a server, ending in a slash."""
    handler = functools.partial(_Quiet, directory=str(site.parents[1]))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/below/site/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    executable = next((path for name in NAMES if (path := shutil.which(name))), None)
    if executable is None:
        pytest.fail(
            "The browser tests need Chromium, and none was found on the PATH. "
            "Install the system package: apt-get install chromium (Debian, Ubuntu), dnf install chromium (Fedora), "
            "or brew install --cask chromium (macOS).",
            pytrace=False,
        )
    with playwright.chromium.launch(executable_path=executable, args=ARGUMENTS) as running:
        yield running


@pytest.fixture
def guard() -> Iterator[Guard]:
    found = Guard()
    yield found
    found.check()


@pytest.fixture
def context(browser: Browser, guard: Guard) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light") as found:
        found.set_default_timeout(PATIENCE)
        found.grant_permissions(["clipboard-read", "clipboard-write"])
        guard.watch(found)
        yield found


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
