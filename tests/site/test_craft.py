"""What every page owes its readers: accessibility (axe-core), a strict Content-Security-Policy, paper, any width."""

from __future__ import annotations

import functools
import http.server
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from guard import Guard
from playwright.sync_api import Browser, Page, expect

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.site.pages import all_pages
from catalog.outputs.site.settings import read_settings
from catalog.outputs.site.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUERY = "papers/index.html?q=negative preferense&type=method"
"""The paper list while it answers."""
WIDTHS = (320, 768, 1280, 2560)
EVERYTHING = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLORS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""All that a theme can be wrong in."""


@pytest.fixture(scope="module")
def axe(project: Project) -> str:
    path = project.site / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.fail("axe-core is not there. Fetch it with: catalog site parts", pytrace=False)
    return path.read_text(encoding="utf-8")


def violations(page: Page, axe: str, rules: Mapping[str, Any] = EVERYTHING) -> list[str]:
    """What axe-core finds that is serious or critical, with the first place of each."""
    # Of a long list the first twelve are enough, and of code the first lines: the others are made by the same template.
    page.evaluate(
        "[['ol, ul, tbody', 12], ['pre > code', 200]].forEach(([long, enough]) =>"
        " document.querySelectorAll(long).forEach(list =>"
        " Array.from(list.children).slice(enough).forEach(one => one.remove())))"
    )
    if page.evaluate("!window.axe"):
        page.evaluate(axe)
    # What passes need not be described.
    found: list[dict[str, Any]] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations'], selectors: false})"
        ".then(found => found.violations)",
        rules,
    )
    return [
        f"{one['id']}: {one['help']}, {len(one['nodes'])} times, as in {one['nodes'][0]['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_the_kinds_of_pages_are_all_there(kinds: tuple[str, ...], project: Project, catalog: Catalog) -> None:
    """So that the tests below leave out none: every template has made one of them."""
    site = Site(catalog, read_settings(project))
    made = {page.path.replace(".md", ".html"): page.template for page in all_pages(site)}
    templates = {path.name for path in (project.templates / "site").glob("[!_]*.j2")}
    assert {made[kind] for kind in kinds if kind in made} == templates == set(made.values())


@pytest.fixture(scope="module")
def guarded(site: Path) -> Iterator[str]:
    """The site on a server that sends the headers that the build has written."""
    lines = (site / "_headers").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "/*"
    headers = [line.strip().partition(": ")[::2] for line in lines[1:]]

    class Strict(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

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


@dataclass
class Visit:
    """What was found on a page that was opened once: loading it is what takes time."""

    violations: list[str] = field(default_factory=list)
    too_wide: list[int] = field(default_factory=list)
    """The widths at which it has to be scrolled sideways."""
    twice: list[str] = field(default_factory=list)
    """Ids that several elements have."""
    titled: bool = False
    skips: bool = False
    """Whether the first key leads past the header."""
    broken: list[str] = field(default_factory=list)
    """What the page wanted that its Content-Security-Policy does not allow."""


@pytest.fixture(scope="module")
def visits(browser: Browser, guarded: str, axe: str, kinds: tuple[str, ...]) -> dict[str, Visit]:
    """Every kind of page, and the list while it answers."""
    found: dict[str, Visit] = {}
    depths: set[int] = set()
    guard = Guard()
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        guard.watch(context)
        page = context.new_page()
        page.add_init_script(
            "window.broken = []; document.addEventListener('securitypolicyviolation',"
            " event => window.broken.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));"
        )
        for kind in (*kinds, QUERY):
            # The search is the same everywhere, but for the way to its files.
            searched = kind.count("/") not in depths
            depths.add(kind.count("/"))
            found[kind] = visit(page, guarded + kind, axe, searched)
    guard.check()
    assert len(depths) > 1
    return found


def visit(page: Page, address: str, axe: str, searched: bool) -> Visit:
    """Open a page, and look at all that is looked at; search from it, too."""
    seen = Visit()
    page.emulate_media(color_scheme="light")
    page.goto(address)
    if "finder" in page.content():
        settled = page.locator("[data-finder]:not([aria-busy])")
        expect(settled).to_have_count(1 if "papers/index" in address else 0)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        seen.too_wide += [width] if page.evaluate("document.documentElement.scrollWidth") > width else []
    page.set_viewport_size({"width": 1280, "height": 900})
    ids = Counter(page.evaluate("Array.from(document.querySelectorAll('[id]'), element => element.id)"))
    seen.twice = [ident for ident, count in ids.items() if count > 1]
    seen.titled = page.locator("h1").count() == 1 and "LLM-Unlearning" in page.title()
    seen.broken = page.evaluate("window.broken")  # before axe looks, which is no part of the page
    seen.violations = violations(page, axe)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
    seen.violations += [f"dark: {one}" for one in violations(page, axe, COLORS)]
    page.keyboard.press("Tab")  # last: the link comes into view by degrees, and is pale on its way
    skip = page.evaluate("document.activeElement.matches('.md-skip') && document.activeElement.hash.slice(1)")
    seen.skips = skip in ids
    if searched:
        page.get_by_role("combobox", name="Search").fill("negative preferense")
        expect(page.locator(".search__result").first).to_be_visible()
        seen.broken += [one for one in page.evaluate("window.broken") if one not in seen.broken]
    return seen


def test_axe_finds_nothing_serious_on_any_kind_of_page_in_either_theme(visits: dict[str, Visit]) -> None:
    assert {kind: seen.violations for kind, seen in visits.items() if seen.violations} == {}


def test_every_kind_of_page_is_titled_skipped_to_and_fits_any_width(visits: dict[str, Visit]) -> None:
    wrong = {
        kind: seen
        for kind, seen in visits.items()
        if seen.too_wide or seen.twice or not seen.titled or (not seen.skips and kind != QUERY)
    }
    assert wrong == {}


def test_nothing_is_missing_without_scripts(
    browser: Browser, guard: Guard, served: str, kinds: tuple[str, ...]
) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        guard.watch(context)
        page = context.new_page()
        for kind in kinds:
            page.goto(served + kind)
            expect(page.locator("h1")).to_be_visible()
            assert len(page.locator("article").inner_text()) > 100, kind


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


def test_the_policy_is_strict(site: Path) -> None:
    policy = (site / "_headers").read_text(encoding="utf-8")
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy.replace("https:", "")
    assert 1 <= policy.count("'sha256-") <= 8, "the scripts that the theme has in its pages"


def test_every_kind_of_page_keeps_the_policy(visits: dict[str, Visit]) -> None:
    """The guard finds violations on the console, too."""
    assert {kind: seen.broken for kind, seen in visits.items() if seen.broken} == {}


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


def test_the_list_does_not_jump_while_it_answers(page: Page, served: str) -> None:
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(one => {"
        " if (!one.hadRecentInput) window.shift += one.value; })).observe({type: 'layout-shift', buffered: true});"
    )
    page.goto(served + "papers/index.html?q=tofu&family=preference-optimization")
    expect(page.locator(".finder__status")).to_contain_text("of")
    page.wait_for_timeout(300)
    assert page.evaluate("window.shift") < 0.1
