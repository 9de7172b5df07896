"""What every page owes its readers: accessibility (axe-core), a strict Content-Security-Policy, paper, any width."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from catalog.base.project import Project

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KINDS = (
    "index.html",
    "papers/index.html",
    "papers/index.html?q=negative preferense&type=method",
    "papers/zhang2024negative.html",
    "papers/maini2024tofu.html",
    "methods/index.html",
    "methods/npo.html",
    "tasks/authors.html",
    "attacks/relearning.html",
    "results.html",
    "browse.html",
    "coverage.html",
    "family/preference-optimization.html",
    "dataset/tofu.html",
    "venue/neurips.html",
    "year/2024.html",
    "getting-started.html",
    "record-format.html",
    "vocabularies.html",
    "machines.html",
    "problems.html",
)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def axe(project: Project) -> str:
    path = project.site / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.fail("axe-core is not there. Fetch it with: catalog site parts", pytrace=False)
    return path.read_text(encoding="utf-8")


def violations(page: Page, axe: str) -> list[str]:
    """What axe-core finds that is serious or critical, with the first place of each."""
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}}).then(found => found.violations)", WCAG
    )
    return [
        f"{one['id']}: {one['help']}, {len(one['nodes'])} times, as in {one['nodes'][0]['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_kind_of_page(
    browser: Browser,
    guard,  # type: ignore[no-untyped-def]
    served: str,
    axe: str,
    scheme: Any,
) -> None:
    found = {}
    with browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}) as context:
        guard.watch(context)
        page = context.new_page()
        for kind in KINDS:
            page.goto(served + kind)
            if "finder" in page.content():
                expect(page.locator("[data-finder]:not([aria-busy])")).to_have_count(1 if "papers/index" in kind else 0)
            if list_of := violations(page, axe):
                found[kind] = list_of
    assert found == {}


def test_axe_finds_nothing_serious_in_an_open_search_and_an_open_menu(page: Page, served: str, axe: str) -> None:
    page.goto(served + "index.html")
    page.get_by_role("combobox", name="Search").fill("negative preference")
    expect(page.locator(".search__result").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    assert violations(page, axe) == []
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(served + "papers/index.html?year=2024")
    page.locator("label.site-menu").click()
    expect(page.get_by_role("navigation", name="Navigation").get_by_role("link", name="Results")).to_be_visible()
    assert violations(page, axe) == []


@pytest.fixture(scope="module")
def guarded(site: Path) -> Iterator[str]:
    """The site on a server that sends the headers that the build has written."""
    lines = (site / "_headers").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "/*"
    headers = [line.strip().partition(": ")[::2] for line in lines[1:]]

    class Strict(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in headers:
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Strict, directory=str(site.parents[1]))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/below/site/"
        server.shutdown()
        thread.join()


def test_the_policy_is_strict(site: Path) -> None:
    policy = (site / "_headers").read_text(encoding="utf-8")
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy.replace("https:", "")
    assert 1 <= policy.count("'sha256-") <= 8, "the scripts that the theme has in its pages"


def test_every_kind_of_page_keeps_the_policy(page: Page, guarded: str) -> None:
    """The guard finds violations on the console, too."""
    page.add_init_script(
        "window.broken = []; document.addEventListener('securitypolicyviolation',"
        " event => window.broken.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));"
    )
    for kind in KINDS:
        page.goto(guarded + kind)
        page.get_by_role("combobox", name="Search").fill("negative preferense")
        expect(page.locator(".search__result").first).to_be_visible()
        assert page.evaluate("window.broken") == [], kind


def test_the_theme_works_under_the_policy(page: Page, guarded: str) -> None:
    page.goto(guarded + "papers/zhang2024negative.html")
    page.locator("label[title*='Switch to light']").click()
    page.reload()
    expect(page.locator("body")).to_have_attribute("data-md-color-media", "(prefers-color-scheme: light)")
    page.goto(guarded + "papers/index.html?family=preference-optimization")
    with page.expect_download():
        page.get_by_role("button", name="BibTeX").click()


def test_a_printed_page_holds_what_is_read_and_nothing_that_is_pressed(page: Page, served: str) -> None:
    page.emulate_media(media="print")
    page.goto(served + "papers/index.html")
    expect(page.locator(".paper").first).to_be_visible()
    for hidden in (".md-header", ".finder__facets", ".finder__bar", ".site-footer"):
        expect(page.locator(hidden)).to_be_hidden()
    page.goto(served + "papers/zhang2024negative.html")
    expect(page.locator("h1")).to_be_visible()
    assert page.locator("body").evaluate("element => getComputedStyle(element).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
        "rgb(251, 250, 247)",
    )


@pytest.mark.parametrize("width", [320, 1280, 2560])
def test_nothing_overflows_at_any_width(page: Page, served: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for kind in KINDS:
        page.goto(served + kind)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind


def test_the_list_does_not_jump_while_it_answers(page: Page, served: str) -> None:
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(one => {"
        " if (!one.hadRecentInput) window.shift += one.value; })).observe({type: 'layout-shift', buffered: true});"
    )
    page.goto(served + "papers/index.html?q=tofu&family=preference-optimization")
    expect(page.locator(".finder__status")).to_contain_text("of")
    page.wait_for_timeout(300)
    assert page.evaluate("window.shift") < 0.1
