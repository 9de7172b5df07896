"""Leaderboards as people read them in Chromium: what stays in sight, columns, rows, and marks in figures."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TASK = "tasks/authors.html"


def test_names_of_columns_and_the_models_to_compare_with_stay_in_sight(page: Page, served: str) -> None:
    page.goto(served + TASK)
    frame = page.locator(".table--board").first
    frame.evaluate("one => { one.scrollTop = 3000; }")
    top = frame.evaluate("one => one.getBoundingClientRect().top")
    for line in range(3):
        row = frame.locator("thead tr").nth(line)
        assert row.evaluate("one => one.getBoundingClientRect().top") >= top - 1
    assert frame.locator("tbody tr").first.evaluate("one => one.getBoundingClientRect().bottom") < top
    height = page.evaluate("innerHeight")
    assert frame.evaluate("one => one.getBoundingClientRect().height") < height


def test_the_first_columns_fit_and_others_are_asked_for_and_remembered(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(served + "results.html")
    frame = page.locator(".table--board").first
    assert frame.evaluate("one => one.scrollWidth <= one.clientWidth"), "nothing is cut before one asks for more"
    expect(frame).not_to_have_class(re.compile("table--goes-on"))
    seeds = frame.get_by_role("columnheader", name="Seeds")
    expect(seeds).to_be_hidden()
    opener = page.get_by_role("button", name="Columns:").first
    opener.click()
    box = page.get_by_role("checkbox", name="Seeds").first
    box.check()
    expect(seeds).to_be_visible()
    expect(frame.locator("tbody tr").first.locator("td").last).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(opener).to_be_focused()
    page.goto(served + TASK)
    expect(page.locator(".table--board").first.get_by_role("columnheader", name="Seeds")).to_be_visible()
    page.get_by_role("button", name="Columns:").first.click()
    page.get_by_role("button", name="All").first.click()
    wide = page.locator(".table--board").first
    page.set_viewport_size({"width": 700, "height": 900})
    expect(wide).to_have_class(re.compile("table--goes-on"))
    wide.evaluate("one => { one.scrollLeft = 9999; }")
    expect(wide).not_to_have_class(re.compile("table--goes-on"))


def test_without_script_no_column_is_missing(context: BrowserContext, served: str) -> None:
    assert context.browser
    with context.browser.new_context(java_script_enabled=False) as plain:
        page = plain.new_page()
        page.goto(served + "results.html")
        expect(page.locator(".table--board").first.get_by_role("columnheader", name="Seeds")).to_be_visible()


def test_rows_are_found_by_name_and_by_family(page: Page, served: str) -> None:
    page.goto(served + TASK)
    field = page.get_by_label("Only methods with these words").first
    rows = page.locator(".table--board").first.locator("tbody tr:visible")
    many = rows.count()
    field.fill("simnpo")
    expect(rows).to_have_count(1)
    expect(page.locator(".rows-filter__status").first).to_have_text(f"1 of {many} methods")
    field.fill("preference optimization")
    expect(rows.get_by_role("link", name="NPO", exact=True)).to_have_count(1)
    expect(rows.get_by_role("link", name="RMU", exact=True)).to_have_count(0)


def test_results_show_the_nearest_and_lead_to_all(page: Page, served: str) -> None:
    page.goto(served + "results.html")
    shown = page.locator(".table--board").first.locator("tbody tr").count()
    assert shown == 25
    page.get_by_role("link", name="methods", exact=False).filter(has_text="All").first.click()
    expect(page.locator(":target")).to_have_count(1)
    assert page.locator(".table--board").first.locator("tbody tr").count() > 200


def test_pointing_at_a_mark_names_it(page: Page, served: str) -> None:
    page.goto(served + "results.html")
    plot = page.locator(".plot").first
    mark = plot.locator(".figure-target").locator("visible=true").first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2 + 4, box["y"] + box["height"] / 2 + 4)
    name = plot.locator(".plot__name")
    expect(name).to_contain_text("Target: forget 0.97")
    page.mouse.move(box["x"], box["y"] + 400)
    expect(name).to_be_hidden()


def test_touching_a_mark_names_it_on_a_phone(context: BrowserContext, served: str) -> None:
    assert context.browser
    with context.browser.new_context(has_touch=True, viewport={"width": 390, "height": 800}) as phone:
        page = phone.new_page()
        page.goto(served + "results.html")
        plot = page.locator(".plot").first
        mark = plot.locator(".figure-narrow .figure-target").first
        mark.scroll_into_view_if_needed()
        box = mark.bounding_box()
        assert box
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        name = plot.locator(".plot__name")
        expect(name).to_contain_text("Target")
        held = name.bounding_box()
        assert held
        assert held["x"] >= 0
        assert held["x"] + held["width"] <= 390
