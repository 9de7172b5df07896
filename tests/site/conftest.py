"""The site, built once and looked at in a real browser that may talk to nobody but this machine."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fabricated import results
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    Route,
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
)


@pytest.fixture(scope="session")
def project() -> Project:
    return Project(ROOT)


@pytest.fixture(scope="session")
def catalog(project: Project) -> Catalog:
    """The real records and methods, with fabricated results, so that every kind of page shows some."""
    found, problems = load_catalog(project)
    assert found is not None, render(problems)
    return replace(found, results=results())


@pytest.fixture(scope="session")
def site(project: Project, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site, in a folder of a web server's: it must work from a path below the root."""
    out = tmp_path_factory.mktemp("web") / "below" / "site"
    out.parent.mkdir()
    build_site(project, catalog, out)
    return out


class _Quiet(http.server.SimpleHTTPRequestHandler):
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


class Guard:
    """What a page does that it should not: requests that leave this machine, errors on the console."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.errors: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        context.route("**/*", self._route)
        context.on("page", self._page)

    def _route(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.left.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    def _page(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._error)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _error(self, error: Error) -> None:
        self.errors.append(str(error))

    def check(self) -> None:
        assert self.left == [], "requests left the machine"
        assert self.errors == [], "errors on the console"


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
