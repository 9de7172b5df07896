"""Filters that mean what they say, the way back, and everything that is listed as a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import combinations

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from seen import addresses

from catalog.model.catalog import Catalog
from catalog.model.facets import terms_of
from catalog.model.paper import Paper
from catalog.outputs.export import bibtex, records, ris, table
from catalog.outputs.export.citation import citable
from catalog.outputs.site.feeds import selected
from catalog.outputs.site.groups import PER_PAGE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RENDERED: dict[str, Callable[[Sequence[Paper]], str]] = {
    "BibTeX": bibtex.render,
    "RIS": ris.render,
    "CSV": table.render,
    "JSON": records.render,
}


def results(page: Page) -> int:
    """How many papers the list says that it has found, once it has."""
    expect(page.locator("[data-finder]:not([aria-busy])")).to_be_visible()
    return int(page.locator(".finder__status").inner_text().split()[0])


def shown(page: Page) -> list[str]:
    """The ids of the papers on screen, in order."""
    return [address.rpartition("/")[2].removesuffix(".html") for address in addresses(page, ".paper .paper__title a")]


def saved(page: Page, kind: str) -> str:
    """What the button of a format saves."""
    with page.expect_download() as file:
        page.get_by_role("button", name=kind, exact=True).click()
    return file.value.path().read_text(encoding="utf-8")


def test_an_edition_is_the_main_program_and_workshops_are_apart(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/index.html")
    box = page.locator("[data-facet=edition]")
    box.locator("summary").click()
    expected = [one for one in catalog.papers if one.appeared and one.appeared.label == "ICLR 2025"]
    workshops = [one for one in catalog.papers if terms_of(one, "edition") == ("iclr-2025-workshops",)]
    assert expected
    assert workshops
    box.get_by_label("ICLR 2025", exact=False).nth(0).check()
    assert results(page) == len(expected)
    assert shown(page) == [paper.id for paper in expected][:20]
    assert "edition=iclr-2025" in page.url
    page.goto(served + "papers/index.html?edition=iclr-2025&dataset=wmdp")
    wanted = [paper for paper in expected if "wmdp" in paper.datasets]
    assert results(page) == len(wanted)
    assert saved(page, "BibTeX") == bibtex.render(wanted)
    page.goto(served + "papers/index.html?edition=iclr-2025-workshops")
    assert results(page) == len(workshops)
    assert shown(page) == [paper.id for paper in workshops]


def test_two_settings_are_wanted_together_and_any_is_a_choice(page: Page, served: str, catalog: Catalog) -> None:
    pairs = combinations(catalog.vocabularies["setting"].ids, 2)
    both = {pair: [one for one in catalog.papers if {*pair} <= {*one.settings}] for pair in pairs}
    first, second = next(pair for pair, papers in both.items() if papers)
    either = [one for one in catalog.papers if {first, second} & {*one.settings}]
    page.goto(f"{served}papers/index.html?setting={first}&setting={second}")
    assert results(page) == len(both[first, second]) < len(either)
    # What a third one would leave is what its count says.
    third = page.locator("[data-facet=setting] label.check:not(:has(:checked))").all()
    for label in third:
        value = label.locator("input").get_attribute("value")
        left = [one for one in both[first, second] if value in one.settings]
        expect(label.locator(".count")).to_have_text(str(len(left)))
    page.get_by_role("radio", name="any of these").check()
    expect(page.locator(".finder__status")).to_contain_text(f"{len(either)} of ")
    assert "any=setting" in page.url
    page.reload()
    assert results(page) == len(either)
    expect(page.get_by_role("radio", name="any of these")).to_be_checked()
    page.go_back()
    assert results(page) == len(both[first, second])


def test_two_data_sets_can_be_wanted_together(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/index.html?dataset=tofu&dataset=wmdp&all=dataset")
    assert results(page) == sum({"tofu", "wmdp"} <= {*one.datasets} for one in catalog.papers)
    page.goto(served + "papers/index.html?dataset=tofu&dataset=wmdp")
    assert results(page) == sum(bool({"tofu", "wmdp"} & {*one.datasets}) for one in catalog.papers)


def test_back_undoes_one_choice_after_the_other(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "index.html")
    page.goto(served + "papers/index.html")
    total = len(catalog.papers)
    page.get_by_role("checkbox", name="Has code").check()
    with_code = results(page)
    page.locator("[data-facet=type]").get_by_label("Survey").check()
    expect(page.locator(".finder__status")).not_to_have_text(f"{with_code} of {total} papers")
    page.get_by_placeholder("Title, author").press_sequentially("survey")
    results(page)
    assert "q=survey" in page.url
    page.go_back()  # all that was typed at a time is one step
    expect(page.get_by_placeholder("Title, author")).to_have_value("")
    assert "type=survey" in page.url
    page.go_back()
    expect(page.locator(".finder__status")).to_have_text(f"{with_code} of {total} papers")
    expect(page.locator("[data-facet=type]").get_by_label("Survey")).not_to_be_checked()
    page.go_back()
    expect(page.locator(".finder__status")).to_have_text(f"{total} papers")
    assert shown(page) == [paper.id for paper in catalog.papers[:20]]
    page.go_forward()
    expect(page.locator(".finder__status")).to_have_text(f"{with_code} of {total} papers")
    page.go_back()
    page.go_back()
    expect(page).to_have_url(served + "index.html")


@pytest.mark.parametrize("query", ["", "?type=method", "?q=unlearning"])
def test_back_from_a_paper_leads_to_its_place(page: Page, served: str, query: str) -> None:
    page.goto(served + "papers/index.html" + query)
    expect(page.locator("[data-finder]:not([aria-busy])")).to_be_visible()
    for _ in range(2):
        before = page.locator(".papers > .paper").count()
        page.locator(".finder__more").click()
        expect(page.locator(".papers > .paper")).to_have_count(before + 20)
    link = page.locator(".paper__title a").nth(50)
    link.scroll_into_view_if_needed()
    title, y = link.inner_text(), page.evaluate("scrollY")
    assert y > 2000
    link.click()
    expect(page.locator("h1")).to_contain_text(title[:20])
    page.go_back()
    expect(page.locator(".papers > .paper")).to_have_count(60)
    page.wait_for_function("y => Math.abs(scrollY - y) < 4", arg=y)


@pytest.mark.parametrize("kind", RENDERED)
def test_what_is_listed_is_exported_as_the_command_does(page: Page, served: str, catalog: Catalog, kind: str) -> None:
    page.goto(served + "papers/index.html?family=relabeling")
    papers = catalog.by_family["relabeling"]
    assert results(page) == len(papers)
    assert saved(page, kind) == RENDERED[kind](papers)


def test_nothing_is_a_file_too(page: Page, served: str) -> None:
    page.goto(served + "papers/index.html?q=xyzzyplugh")
    assert results(page) == 0
    assert json.loads(saved(page, "JSON")) == []
    assert saved(page, "BibTeX") == ""


@pytest.mark.parametrize("facet", ["type", "family", "target", "dataset", "setting", "modality", "venue", "year"])
def test_a_groups_papers_are_exported_from_its_page(page: Page, served: str, catalog: Catalog, facet: str) -> None:
    terms = [one for paper in catalog.papers for one in terms_of(paper, facet)]
    term = max(set(terms), key=terms.count)
    papers = [paper for paper in catalog.papers if term in terms_of(paper, facet)]
    page.goto(f"{served}{facet}/{term}.html")
    for kind, render in RENDERED.items():
        assert saved(page, kind) == render(papers)
    expect(page.locator(".exports__note")).to_contain_text(f"{len(papers)} papers exported.")
    page.get_by_role("link", name="Filter further").click()
    expect(page.locator(".finder__status")).to_contain_text(f"{len(papers)} of ")


def test_a_large_group_is_read_page_by_page(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "modality/text.html")
    papers = [paper for paper in catalog.papers if "text" in paper.modalities]
    seen = shown(page)
    for number in range(2, -(-len(papers) // PER_PAGE) + 1):
        page.get_by_role("link", name="Older").click()
        expect(page.locator(".pager [aria-current]")).to_have_text(str(number))
        seen += shown(page)
    assert seen == [paper.id for paper in papers]
    expect(page.get_by_role("link", name="Older")).to_have_count(0)


def test_an_authors_papers_are_exported(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "author/sijia-liu.html")
    papers = [paper for paper in catalog.papers if "Sijia Liu" in paper.authors]
    assert saved(page, "BibTeX") == bibtex.render(papers)
    expect(page.locator(".exports__note")).to_contain_text(f"{len(citable(papers))} papers exported.")


def test_rows_lead_to_authors_venues_and_terms(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/index.html?q=zhang2024negative")
    results(page)
    row = page.locator(".paper").first
    expect(row.locator("time")).to_have_text("Apr 2024")
    row.get_by_role("link", name="COLM 2024").click()
    expect(page).to_have_url(served + "venue/colm.html#papers-2024")
    row = page.locator(".paper", has_text="Negative Preference Optimization: From")
    row.get_by_role("link", name="Preference optimization", exact=True).click()
    expect(page).to_have_url(served + "family/preference-optimization.html")
    row = page.locator(".paper", has_text="Negative Preference Optimization: From")
    row.get_by_role("link", name="Runs here").click()
    expect(page).to_have_url(served + "papers/zhang2024negative.html#runs-here")
    page.go_back()
    row.get_by_role("link", name="Licong Lin").click()
    expect(page.locator("h1")).to_contain_text("L")


def test_a_saved_search_is_what_the_list_shows(page: Page, served: str, catalog: Catalog) -> None:
    for search in catalog.guide.searches:
        page.goto(f"{served}papers/index.html?{search.list}")
        held = {paper.id for paper in selected(catalog, search.list)}
        assert results(page) <= len(held)
        assert set(shown(page)) <= held, search.id
        if "q=" not in search.list:  # of words, `catalog search` knows more names of terms than the list
            assert results(page) == len(held), search.id
    page.goto(served + "feeds.html")
    row = page.locator(".feeds li", has_text=catalog.guide.searches[0].title)
    row.get_by_role("link").first.click()
    expect(page.locator(".finder__status")).to_contain_text(" of ")


def test_on_a_phone_filters_wait_behind_a_button(context: BrowserContext, served: str) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served + "papers/index.html")
    first = page.locator(".paper").first.bounding_box()
    assert first
    assert first["y"] < 500
    expect(page.get_by_role("checkbox", name="Has code")).to_be_hidden()
    page.locator(".finder__sheet > summary").click()
    page.get_by_role("checkbox", name="Has code").check()
    expect(page.locator(".finder__status")).to_contain_text(" of ")
