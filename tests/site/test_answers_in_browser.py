"""The questions that people come with, in a real browser: which method, how it is run, how two differ."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from guard import Guard
from playwright.sync_api import Browser, Page, expect

from catalog.model.catalog import Catalog
from catalog.model.choosing import candidates, ranked

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TALLEST = 5_000
"""Pixels of a method's page at a width of 1440."""


def fitting(page: Page) -> list[str]:
    rows = page.locator("[data-candidates] tbody tr:not([data-fit=no])")
    methods: list[str] = rows.evaluate_all("rows => rows.map(row => row.dataset.method)")
    return methods


# Choose


def test_what_fits_comes_first_with_its_reasons(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "choose.html")
    expect(page.locator(".chooser__status")).to_have_text(
        f"{len(catalog.methods)} of {len(catalog.methods)} methods fit."
    )
    page.get_by_label("Only prompts and answers").check()
    by_prompts = {one.id for one in catalog.methods if one.needs.access == "prompts"}
    expect(page.locator(".chooser__status")).to_have_text(f"{len(by_prompts)} of {len(catalog.methods)} methods fit.")
    assert set(fitting(page)) == by_prompts
    first = page.locator("[data-candidates] tbody tr").first
    expect(first).to_contain_text("works on the prompt alone")
    expect(page.locator("tr[data-method=npo]")).to_contain_text("needs the model's weights")
    expect(page).to_have_url(served + "choose.html?access=prompts")
    expect(page.locator(".chooser .command code")).to_have_text("unlearn plan --access prompts")
    page.go_back()
    expect(page.locator(".chooser__status")).to_have_text(
        f"{len(catalog.methods)} of {len(catalog.methods)} methods fit."
    )


@pytest.mark.parametrize(
    "situation",
    [
        {"access": "weights", "retain": "no", "forget": "authors"},
        {"memory": "none", "guarantee": "approximate", "requests": "many"},
        {"guarantee": "exact"},
        {"access": "prompts", "guarantee": "exact"},
    ],
)
def test_the_page_answers_as_the_command_line(
    page: Page, served: str, catalog: Catalog, situation: dict[str, str]
) -> None:
    page.goto(served + "choose.html?" + "&".join(f"{name}={answer}" for name, answer in situation.items()))
    expected = ranked(candidates(catalog.methods, catalog.tasks, catalog.results), situation)
    expect(page.locator("[data-candidates] tbody tr").first).to_have_attribute("data-method", expected[0].method.id)
    rows = page.locator("[data-candidates] tbody tr")
    shown = rows.evaluate_all("rows => rows.map(row => [row.dataset.method, row.dataset.fit])")
    assert shown == [[one.method.id, one.fit(situation)] for one in expected]
    for place, one in enumerate(expected[:3]):
        for verdict in one.reasons(situation):
            expect(rows.nth(place)).to_contain_text(verdict.why)


def test_an_answer_that_is_none_is_left_open_and_one_can_start_over(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "choose.html?access=teleport&retain=no")
    expect(page.locator("input[name=access]:checked")).to_have_value("")
    expect(page.locator("input[name=retain]:checked")).to_have_value("no")
    page.get_by_role("button", name="Start over").click()
    expect(page).to_have_url(served + "choose.html")
    assert len(fitting(page)) == len(catalog.methods)


def test_the_search_finds_both_pages(page: Page, served: str) -> None:
    page.goto(served + "index.html")
    for text, address in (("choose a method", "./choose.html"), ("compare methods", "./compare.html")):
        page.get_by_role("combobox", name="Search").fill(text)
        expect(page.locator(f".search__result[href='{address}']")).to_be_visible()


# Without script


def test_without_script_everything_stands_in_tables(
    browser: Browser, guard: Guard, served: str, catalog: Catalog
) -> None:
    with browser.new_context(java_script_enabled=False, viewport={"width": 1440, "height": 900}) as context:
        guard.watch(context)
        page = context.new_page()
        page.goto(served + "choose.html")
        expect(page.locator(".chooser")).to_be_hidden()
        assert page.locator("[data-candidates] tbody tr").count() == len(catalog.methods)
        expect(page.locator("tr[data-method=icul]")).to_contain_text("Prompts alone")
        page.goto(served + "compare.html")
        expect(page.locator(".picker")).to_be_hidden()
        assert page.locator("tbody .row--method").count() == len(catalog.methods)
        page.goto(served + "methods/index.html")
        expect(page.locator(".rows-filter")).to_be_hidden()
        expect(page.locator("#methods-table tbody tr:visible")).to_have_count(len(catalog.methods))
        page.goto(served + "methods/npo.html")
        own = page.locator(".tabs__panel--own")
        expect(own).to_be_hidden()
        page.get_by_text("My model", exact=True).click()
        expect(own).to_be_visible()
        expect(page.locator(".tabs__panel--embedded")).to_be_hidden()
        page.locator("#hyper-parameters").click()
        expect(page.locator("[aria-label='Hyper-parameters']")).to_be_visible()


# The table of methods


ROWS = "#methods-table tbody tr:visible"


def test_the_table_leaves_the_methods_with_all_words_typed(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "methods/index.html")
    expect(page.locator(ROWS)).to_have_count(len(catalog.methods))
    expect(page.locator(".rows-filter__status")).to_have_text(f"{len(catalog.methods)} methods")
    page.get_by_label("Only methods with these words").fill("Localization prompts")
    expect(page.locator(ROWS)).to_have_count(0)
    page.get_by_label("Only methods with these words").fill("localization pruning")
    family = [one.name for one in catalog.methods if one.family == "localization"]
    shown = page.locator(f"{ROWS} th a").all_inner_texts()
    assert set(family) <= set(shown)
    assert len(shown) < len(catalog.methods) / 4
    expect(page.locator(".rows-filter__status")).to_have_text(f"{len(shown)} of {len(catalog.methods)} methods")
    expect(page).to_have_url(served + "methods/index.html?q=localization+pruning")
    page.reload()
    expect(page.locator(ROWS)).to_have_count(len(shown))


def test_the_table_of_methods_sorts_by_what_was_measured(page: Page, served: str) -> None:
    page.goto(served + "methods/index.html")
    page.get_by_role("button", name="Keeps").click()
    page.get_by_role("button", name="Keeps").click()
    cells = page.locator("#methods-table tbody tr td[data-label=Keeps]")
    values = [float(value) for value in cells.evaluate_all("all => all.map(one => one.dataset.value)") if value]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 1


@pytest.mark.parametrize("width", [390, 1440])
def test_rows_that_do_not_fit_are_gone_at_any_width(page: Page, served: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(served + "methods/index.html?q=mixture+experts")
    expect(page.locator(f"{ROWS} th a")).to_contain_text(["SEUF"])
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#methods-table").evaluate("table => table.offsetHeight") < 1000


# Get it, and a method's page


@pytest.mark.parametrize("address", ["index.html", "start.html", "methods/npo.html"])
def test_three_lines_are_copied_together(page: Page, served: str, address: str) -> None:
    page.goto(served + address)
    page.locator(".get-it .copy").click()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [line.split()[0] for line in copied] == ["git", "cd", "make"]


def test_tabs_are_chosen_with_the_keyboard_and_by_address(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    page.locator("#embedded-model").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tabs__panel--own .command").first).to_contain_text(
        "--model DIR_OR_NAME --forget forget.jsonl"
    )
    page.goto(served + "methods/rmu.html#my-model")
    expect(page.locator(".tabs__panel--own")).to_be_visible()


def test_a_link_opens_what_is_folded(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    expect(page.locator("[aria-label='Hyper-parameters']")).to_be_hidden()
    page.get_by_role("navigation", name="On this page").get_by_role("link", name="Hyper-parameters").click()
    expect(page.locator("[aria-label='Hyper-parameters']")).to_be_visible()


def test_no_methods_page_is_endless(page: Page, served: str, site: Path, catalog: Catalog) -> None:
    """The longest have most to show."""
    page.set_viewport_size({"width": 1440, "height": 900})
    pages = [site / "methods" / f"{method.id}.html" for method in catalog.methods]
    longest = sorted(pages, key=lambda path: path.stat().st_size)[-15:]
    tall = {}
    for path in longest:
        page.goto(f"{served}methods/{path.name}")
        height = page.evaluate("document.documentElement.scrollHeight")
        if height >= TALLEST:
            tall[path.stem] = height
    assert tall == {}


# Compare


def test_two_methods_are_picked_in_a_table_and_stand_side_by_side(page: Page, served: str) -> None:
    page.goto(served + "results.html")
    page.get_by_label("Compare NPO").first.check()
    bar = page.get_by_role("region", name="Methods to compare")
    expect(bar).to_contain_text("NPO: pick another one")
    page.get_by_label("Compare GradDiff").first.check()
    bar.get_by_role("link", name="Compare").click()
    expect(page).to_have_url(served + "compare.html?methods=npo,grad-diff")
    sides = page.locator(".side")
    expect(sides).to_have_count(2)
    expect(sides.first).to_contain_text("Negative preference optimization (NPO)")
    expect(sides.first.locator("math").first).to_be_visible()
    expect(page.locator(".comparison .command code")).to_have_text("unlearn compare npo grad-diff")
    expect(page.get_by_role("region", name="Hyper-parameters")).to_contain_text("beta")
    measured = page.get_by_role("region", name="Fictional authors")
    utility = measured.locator("tr", has_text="Model utility")
    expect(utility.locator(".differs--nearer")).to_contain_text("0.865")
    expect(utility.locator(".differs--behind")).to_contain_text("0.715")
    near = measured.locator("tr", has_text="Forget probability")
    expect(near.locator(".differs")).to_have_count(0)


def test_a_comparisons_address_says_what_is_picked(page: Page, served: str) -> None:
    page.goto(served + "compare.html?methods=npo,sim-npo,nothing-such")
    expect(page.locator(".side")).to_have_count(2)
    expect(page.locator(".picker__status")).to_contain_text("No method here is called nothing-such.")
    page.locator(".picker__one", has_text=re.compile("^RMU$")).click()
    expect(page).to_have_url(served + "compare.html?methods=npo,sim-npo,rmu")
    expect(page.locator(".side")).to_have_count(3)
    page.go_back()
    expect(page.locator(".side")).to_have_count(2)


def test_a_method_is_found_to_compare_with_and_left_out_again(page: Page, served: str) -> None:
    page.goto(served + "compare.html?methods=npo,sim-npo")
    expect(page.locator(".side")).to_have_count(2)
    top = page.locator("[data-comparison]").evaluate("one => one.getBoundingClientRect().top")
    assert top < page.evaluate("innerHeight"), "what one came for is in sight"
    page.get_by_label("Only methods with these words").fill("misdirection for")
    found = page.locator(".picker__one:visible")
    assert 0 < found.count() < 20
    found.filter(has_text=re.compile("^RMU$")).click()
    expect(page).to_have_url(served + "compare.html?methods=npo,sim-npo,rmu")
    page.get_by_role("button", name="Leave out NPO", exact=True).click()
    expect(page).to_have_url(served + "compare.html?methods=sim-npo,rmu")
    expect(page.locator(".side")).to_have_count(2)


def test_claims_are_found_by_their_words(page: Page, served: str) -> None:
    page.goto(served + "claims.html?q=relearning+not+seen")
    rows = page.locator("#claims-table tbody tr:visible")
    expect(page.locator(".rows-filter__status")).to_contain_text(f"{rows.count()} of ")
    assert 0 < rows.count() < 40
    for text in rows.all_inner_texts():
        assert "not seen" in text.lower()


def test_a_methods_page_leads_to_a_comparison_with_what_it_builds_on(page: Page, served: str) -> None:
    page.goto(served + "methods/sim-npo.html")
    page.get_by_role("link", name="Compare with NPO, on which it builds").click()
    expect(page).to_have_url(served + "compare.html?methods=sim-npo,npo")
    expect(page.locator(".side")).to_have_count(2)


def test_comparing_and_choosing_work_from_a_disk(page: Page, site: Path, catalog: Catalog) -> None:
    page.goto((site / "compare.html").as_uri() + "?methods=npo,sim-npo")
    expect(page.locator(".side")).to_have_count(2)
    page.goto((site / "choose.html").as_uri() + "?access=prompts")
    by_prompts = sum(one.needs.access == "prompts" for one in catalog.methods)
    expect(page.locator(".chooser__status")).to_contain_text(f"{by_prompts} of")
