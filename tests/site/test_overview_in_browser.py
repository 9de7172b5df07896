"""Overview, authors, data sets, venues, and what papers and methods lead to, as people meet them in Chromium."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from catalog.insight.authors import authors
from catalog.insight.lineage import lineage
from catalog.model.catalog import Catalog
from catalog.outputs.site.author_addresses import PAPERS_FOR_A_PAGE, PER_PAGE, People

HREFS = "links => links.map(link => link.getAttribute('href'))"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_overview_is_reached_from_the_navigation_and_the_home_page(page: Page, served: str) -> None:
    page.goto(served + "index.html")
    page.locator(".site-sections").get_by_role("link", name="Overview").click()
    expect(page).to_have_url(served + "overview.html")
    for name, address in (
        ("Start here", "start.html"),
        ("Lineage of methods", "lineage.html"),
        ("Coverage", "coverage.html"),
        ("Glossary", "glossary.html"),
        ("Authors", "authors/index.html"),
    ):
        page.get_by_role("navigation", name="Overview").get_by_role("link", name=name).click()
        expect(page).to_have_url(served + address)
        expect(page.locator(".site-sections a[aria-current]")).to_have_text("Overview")
    page.goto(served + "index.html")
    page.get_by_role("link", name="New to the field").click()
    expect(page).to_have_url(served + "start.html#newcomer")


def test_the_timelines_table_holds_what_the_records_say(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "overview.html")
    row = page.locator("tr", has_text="Preference optimization")
    counts = [int(text) if text.isdigit() else 0 for text in row.locator("td").all_inner_texts()]
    years = [int(text) for text in page.locator("thead a").all_inner_texts()]
    dated = Counter(paper.year for paper in catalog.by_family["preference-optimization"])
    assert dict(zip(years, counts, strict=True)) == {year: dated[year] for year in years}
    described = page.locator(".multiples svg desc").first
    assert re.match(r"\d+ in 20\d\d, ", described.text_content() or "")


def test_every_box_of_the_graph_leads_to_a_page_with_the_keyboard_too(
    page: Page, served: str, catalog: Catalog
) -> None:
    page.goto(served + "lineage.html")
    boxes = page.locator(".graph svg a")
    assert boxes.count() == len(lineage(catalog).trunk())
    npo = boxes.filter(has=page.locator("rect + text", has_text=re.compile(r"^NPO\d")))
    npo.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(served + "methods/npo.html")


def test_on_a_small_screen_the_graph_scrolls_along_its_years_above_the_list(
    page: Page, served: str, catalog: Catalog
) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(served + "lineage.html")
    graph = page.get_by_role("group", name="Graph of methods")
    expect(graph).to_be_visible()
    years = [one for one in page.locator(".graph svg > text").all_text_contents() if one.isdigit()]
    assert years == sorted(years)
    assert len(years) > 3
    assert graph.evaluate("one => one.scrollWidth > 2 * one.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    npo = page.locator(".graph svg a").filter(has=page.locator("rect + text", has_text=re.compile(r"^NPO\d")))
    npo.focus()
    expect(npo).to_be_in_viewport()
    item = page.locator(".lineage > li#npo")
    expect(item.get_by_role("link", name="NPO", exact=True)).to_be_visible()
    item.locator("summary").click()
    expect(item.locator("li")).to_have_count(len(lineage(catalog).below["npo"]))
    expect(item.get_by_role("link", name="SimNPO")).to_be_visible()


def test_charts_fit_a_small_screen(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ("overview.html", "results.html", "index.html"):
        page.goto(served + address)
        for figure in page.locator(".plot > svg:visible").all():
            size = figure.evaluate(
                "one => Math.min(...Array.from(one.querySelectorAll('text'),"
                " text => parseFloat(getComputedStyle(text).fontSize)"
                " * one.getBoundingClientRect().width / one.viewBox.baseVal.width))"
            )
            assert size > 8.5, (address, figure.get_attribute("aria-labelledby"))
            assert figure.evaluate("one => one.getBoundingClientRect().right <= innerWidth"), address


def test_a_reading_path_leads_on_and_is_named_where_it_leads(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "start.html")
    path = catalog.guide.paths[0]
    steps = page.locator(f"section[aria-labelledby={path.id}] .step")
    expect(steps).to_have_count(len(path.steps))
    number, step = next((number, one) for number, one in enumerate(path.steps) if one.paper)
    steps.nth(number).get_by_role("link").first.click()
    expect(page).to_have_url(f"{served}papers/{step.paper}.html")
    expect(page.locator(".facts")).to_contain_text(f"{path.title}, step {number + 1}")


def test_a_word_of_the_field_leads_to_what_it_means(page: Page, served: str) -> None:
    for start in ("papers/zhang2024negative.html", "methods/npo.html", "getting-started.html"):
        page.goto(served + start)
        terms = page.locator("a.term")
        assert terms.count() >= 1
        addresses = [one.get_attribute("href") or "" for one in terms.all()]
        assert len(addresses) == len(set(addresses)), "a page links a word once"
        terms.first.click()
        ident = page.url.split("glossary.html#")[1]
        expect(page.locator(f"#{ident} dt")).to_be_in_viewport()


def test_authors_lead_to_their_papers_and_to_each_other(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/fan2024simplicity.html")
    page.locator(".authors").get_by_role("link", name="Sijia Liu").click()
    one = authors(catalog)["sijia-liu"]
    expect(page).to_have_url(served + "author/sijia-liu.html")
    expect(page.locator(".paper")).to_have_count(len(one.papers))
    other = next(ident for ident, _ in one.co_authors if len(authors(catalog)[ident].papers) >= PAPERS_FOR_A_PAGE)
    page.locator(".chips").get_by_role("link", name=authors(catalog)[other].name, exact=True).click()
    expect(page).to_have_url(f"{served}author/{other}.html")


def test_an_author_with_few_papers_is_listed_with_them(page: Page, served: str, catalog: Catalog) -> None:
    few = next(one for one in authors(catalog).values() if len(one.papers) == 1)
    letter = next(letter for letter in People(catalog).letters if few in letter.authors)
    page.goto(f"{served}papers/{few.papers[0].id}.html")
    page.locator(".authors").get_by_role("link", name=few.name, exact=True).click()
    number = next(number for number, listed in enumerate(letter.pages, 1) if few in listed)
    expect(page).to_have_url(f"{served}{letter.page_path(number)}#{few.id}")
    expect(page.locator(f"[id='{few.id}']")).to_contain_text(few.papers[0].title)


def test_the_index_of_authors_holds_everybody_some_hundreds_at_a_time(site: Path, catalog: Catalog) -> None:
    everybody, people = authors(catalog), People(catalog)
    texts = {path.name: path.read_text(encoding="utf-8") for path in (site / "authors").glob("*.html")}
    pages = {
        posixpath.basename(letter.page_path(number)): listed
        for letter in people.letters
        for number, listed in enumerate(letter.pages, 1)
    }
    assert texts.keys() == pages.keys() | {"index.html"}
    assert max(map(len, pages.values())) <= PER_PAGE < max(len(letter.authors) for letter in people.letters)
    assert [one.id for name, listed in pages.items() for one in listed if f'id="{one.id}"' not in texts[name]] == []
    assert sorted(one.id for listed in pages.values() for one in listed) == sorted(everybody)
    with_page = {one.id for one in everybody.values() if len(one.papers) >= PAPERS_FOR_A_PAGE}
    assert {path.stem for path in (site / "author").glob("*.html")} == with_page


def test_a_letters_pages_lead_to_each_other(page: Page, served: str, catalog: Catalog) -> None:
    letter = next(letter for letter in People(catalog).letters if len(letter.pages) > 1)
    page.goto(served + letter.path)
    page.get_by_role("navigation", name=f"Pages of {letter.label}").get_by_role("link", name="After").click()
    expect(page).to_have_url(served + letter.page_path(2))
    expect(page.locator(f"[id='{letter.pages[1][0].id}']")).to_be_visible()
    expect(page.locator(".letters [aria-current=page]")).to_have_text(letter.label)


def test_a_name_that_may_be_several_peoples_is_marked(page: Page, served: str, catalog: Catalog) -> None:
    several = next(
        one for one in authors(catalog).values() if len(one.papers) >= PAPERS_FOR_A_PAGE and len(one.groups) > 1
    )
    page.goto(f"{served}author/{several.id}.html")
    expect(page.get_by_role("note")).to_contain_text("may be by different people")
    expect(page.locator("article .papers")).to_have_count(len(several.groups))
    expect(page.locator(".papers").first.locator(".paper")).to_have_count(len(several.groups[0]))


def test_a_data_set_leads_to_its_paper_and_to_what_runs(page: Page, served: str) -> None:
    page.goto(served + "dataset/wmdp.html")
    source = page.locator("section[aria-labelledby=source]")
    expect(source.get_by_role("link", name="The WMDP Benchmark")).to_have_attribute("href", "../papers/li2024wmdp.html")
    run = page.locator("section[aria-labelledby=run]")
    expect(run.locator(".command").first).to_contain_text("unlearn run npo --task hazards")
    page.goto(served + "papers/li2024wmdp.html")
    page.locator("section[aria-labelledby=introduces]").get_by_role("link", name="WMDP").click()
    expect(page).to_have_url(served + "dataset/wmdp.html")
    page.goto(served + "dataset/mllmu-bench.html")
    expect(page.locator("section[aria-labelledby=run]")).to_contain_text("asks for more than text")


def test_a_venues_papers_stand_by_year(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "venue/acl.html")
    expect(page.locator(".page-head")).to_contain_text("Association for Computational Linguistics")
    papers = [one for one in catalog.papers if one.venue and (one.venue.id, one.venue.year) == ("acl", 2025)]
    expect(page.locator("section[aria-labelledby=papers-2025] .paper")).to_have_count(len(papers))


def test_a_methods_code_stands_beside_its_explanation_where_there_is_room(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    text, code = page.locator(".beside__text").bounding_box(), page.locator(".beside__code").bounding_box()
    assert text
    assert code
    assert code["x"] >= text["x"] + text["width"]
    assert abs(code["y"] - text["y"]) < 5
    page.set_viewport_size({"width": 800, "height": 900})
    text, code = page.locator(".beside__text").bounding_box(), page.locator(".beside__code").bounding_box()
    assert text
    assert code
    assert code["y"] >= text["y"] + text["height"]
    expect(page.locator(".beside__text #objective")).to_be_visible()
    expect(page.locator(".beside__code .highlight")).to_contain_text("class NPO(LossMethod):")


def test_a_method_tells_its_lineage(page: Page, served: str) -> None:
    page.goto(served + "methods/sim-npo.html")
    expect(page.locator("article")).to_contain_text(re.compile(r"Builds on .*NPO"))
    page.goto(served + "papers/zhang2024negative.html")
    expect(page.locator(".lineage-note").get_by_role("link", name="SimNPO", exact=True)).to_be_visible()


def test_a_familys_page_draws_what_builds_on_what_and_tables_what_came_out(
    page: Page, served: str, catalog: Catalog
) -> None:
    page.goto(served + "family/preference-optimization.html")
    graph = page.get_by_role("group", name="Graph of the family")
    boxes = graph.locator("svg a")
    family = {method.id for method in catalog.methods if method.family == "preference-optimization"}
    found = lineage(catalog)
    drawn = {address.partition("methods/")[2].removesuffix(".html") for address in boxes.evaluate_all(HREFS)}
    assert {"npo", "sim-npo", "gradient-ascent"} <= drawn, "the family, and what it builds on of others"
    assert {one for one in drawn - family if one} <= {
        base for one in family & set(found.above) for base in found.above[one]
    }
    table = page.get_by_role("region", name="Preference optimization on all tasks")
    expect(table.locator("tbody tr")).to_have_count(len(family))
    table.get_by_role("link", name="NPO", exact=True).click()
    expect(page).to_have_url(served + "methods/npo.html")


def test_ris_is_copied(page: Page, served: str, site: Path) -> None:
    page.goto(served + "papers/zhang2024negative.html")
    page.get_by_role("button", name="Copy RIS").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == (site / "papers" / "zhang2024negative.ris").read_text(encoding="utf-8").strip()


def test_the_figures_of_a_task_stand_side_by_side_from_the_top(page: Page, served: str) -> None:
    page.goto(served + "results.html")
    plots = page.locator(".split--figures").first.locator(".plot")
    tops = [plots.nth(place).evaluate("one => one.getBoundingClientRect().top") for place in range(plots.count())]
    assert max(tops) - min(tops) < 2


def test_the_name_of_a_row_stays_in_sight(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 480, "height": 900})
    page.goto(served + "results.html")
    table = page.locator(".table").first
    table.evaluate("one => { one.scrollLeft = 300; }")
    place = table.evaluate(
        "one => one.querySelector('tbody th').getBoundingClientRect().left - one.getBoundingClientRect().left"
    )
    assert 0 <= place < 3
