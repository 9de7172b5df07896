"""The built site as people meet it: in Chromium, over HTTP below a path, and from a disk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from guard import Guard
from playwright.sync_api import Browser, BrowserContext, Page, expect
from seen import addresses

from catalog.base.text import words
from catalog.model.catalog import Catalog
from catalog.outputs.export import table
from catalog.outputs.export.citation import citable
from catalog.outputs.site import paper_list

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEED = (
    "liu2024machineb",
    "liu2024rethinking",
    "maini2024tofu",
    "li2024wmdp",
    "eldan2023who",
    "ishibashi2023knowledge",
    "pawelczyk2023context",
    "jang2022knowledge",
    "yao2023large",
    "wang2023kga",
    "patil2023sensitive",
    "kumar2022privacy",
    "lu2022quark",
    "ilharco2022editing",
    "zhang2023composing",
    "zhang2024negative",
    "liu2022continual",
)


def test_home_shows_counts_the_command_and_measured_numbers(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "index.html")
    expect(page.locator(".stats")).to_contain_text(f"{len(catalog.papers)} papers")
    expect(page.locator(".band .command")).to_contain_text("unlearn run npo")
    expect(page.locator(".band .exchange").first).to_contain_text("She was born in a small town by the sea.")
    expect(page.locator(".band svg.figure")).to_contain_text("NPO")
    expect(page.get_by_role("heading", name=catalog.papers[0].title)).to_be_visible()


def search(page: Page, text: str) -> list[str]:
    """The addresses of what the search in the header finds, best first."""
    field = page.get_by_role("combobox", name="Search")
    field.fill("")
    field.fill(text)
    expect(page.locator(".search__panel:not([aria-busy])")).to_be_visible()
    expect(page.locator(".search__status")).to_contain_text(re.compile(r"result|Nothing"))
    return addresses(page, ".search__result")


def test_search_finds_each_seed_paper_by_its_title_first(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "methods/npo.html")
    for ident in SEED:
        assert search(page, catalog.by_id[ident].title)[0] == f"../papers/{ident}.html"


@pytest.mark.parametrize(
    ("text", "ident"),
    [
        ("Licong Lin", "zhang2024negative"),
        ("Pawelczyk", "pawelczyk2023context"),
        ("pawelzcyk", "pawelczyk2023context"),
        ("Quark", "lu2022quark"),
        ("NPO", "zhang2024negative"),
        ("negative preferense optimisation", "zhang2024negative"),
        ("who’s harry potter", "eldan2023who"),
        ("Ivan Vulic", "dong2024unmemorization"),
        ("eldan2023who", "eldan2023who"),
    ],
)
def test_search_finds_authors_methods_and_what_is_misspelt(page: Page, served: str, text: str, ident: str) -> None:
    page.goto(served + "index.html")
    assert any(f"papers/{ident}.html" in address for address in search(page, text)[:5])


@pytest.mark.parametrize(
    ("text", "address"), [("Sijia Liu", "author/sijia-liu.html"), ("forget set", "glossary.html#forget-set")]
)
def test_search_finds_authors_and_terms_themselves(page: Page, served: str, text: str, address: str) -> None:
    page.goto(served + "index.html")
    assert f"./{address}" in search(page, text)[:5]


def test_search_is_used_with_the_keyboard_alone(page: Page, served: str) -> None:
    page.goto(served + "results.html")
    page.keyboard.press("/")
    page.keyboard.type("fictitious unlearning")
    expect(page.get_by_role("option").first).to_contain_text("TOFU: A Task of Fictitious Unlearning")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.keyboard.type(" ")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(served + "papers/maini2024tofu.html")


def test_enter_without_a_choice_leads_to_the_filtered_list(page: Page, served: str) -> None:
    page.goto(served + "index.html")
    page.get_by_role("combobox", name="Search").fill("tofu")
    page.keyboard.press("Enter")
    expect(page).to_have_url(served + "papers/index.html?q=tofu")
    expect(page.locator(".finder__status")).to_contain_text("of")


def test_search_says_when_there_is_nothing(page: Page, served: str) -> None:
    page.goto(served + "index.html")
    assert search(page, "xyzzyplugh") == []
    expect(page.locator(".search__status")).to_contain_text("Nothing found")


def test_search_and_filters_work_from_a_disk(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    assert any("papers/zhang2024negative.html" in one for one in search(page, "Negative Preference Optimization")[:5])
    page.goto((site / "papers" / "index.html").as_uri())
    page.get_by_role("searchbox", name="Search titles").fill("tofu fictitious")
    expect(page.locator(".finder__status")).to_contain_text(re.compile(r"^\d of \d+ papers"))
    page.locator(".paper a").first.click()
    expect(page).to_have_url(re.compile(r"^file:.*/papers/[a-z0-9]+\.html$"))


def results(page: Page) -> int:
    """How many papers the list says that it has found, once it has."""
    expect(page.locator("[data-finder]:not([aria-busy])")).to_be_visible()
    return int(page.locator(".finder__status").inner_text().split()[0])


def shown(page: Page) -> list[str]:
    """The ids of the papers on screen, in order."""
    return [address.removesuffix(".html") for address in addresses(page, ".paper .paper__title a")]


def test_filters_narrow_count_and_restore_from_the_address(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/index.html")
    total = len(catalog.papers)
    expect(page.locator(".finder__status")).to_have_text(f"{total} papers")
    assert shown(page) == [paper.id for paper in catalog.papers[:20]]

    family = page.locator("[data-facet=family]")
    family.get_by_label("Preference optimization").check()
    expected = [paper.id for paper in catalog.by_family["preference-optimization"]]
    expect(page.locator(".finder__status")).to_have_text(f"{len(expected)} of {total} papers")
    assert shown(page) == expected[:20]

    page.get_by_role("checkbox", name="Has code").check()
    both = [one.id for one in catalog.by_family["preference-optimization"] if one.links.code]
    expect(page.locator(".finder__status")).to_have_text(f"{len(both)} of {total} papers")

    page.get_by_role("searchbox", name="Search titles").fill("negative")
    expect(page.locator(".finder__status")).not_to_have_text(f"{len(both)} of {total} papers")
    left = shown(page)
    assert 1 <= len(left) < len(both)
    assert set(left) < set(both)
    assert "family=preference-optimization" in page.url
    assert "q=negative" in page.url

    page.reload()
    expect(page.locator(".finder__status")).to_have_text(f"{len(left)} of {total} papers")
    assert shown(page) == left
    expect(family.get_by_label("Preference optimization")).to_be_checked()

    page.get_by_role("button", name="Remove filter: Has code").click()
    expect(page.get_by_role("checkbox", name="Has code")).not_to_be_checked()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".finder__status")).to_have_text(f"{total} papers")
    assert shown(page) == [paper.id for paper in catalog.papers[:20]]
    assert "?" not in page.url


def test_two_values_of_a_facet_widen_and_counts_follow(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/index.html?type=survey&type=attack")
    found = {paper.id for paper in (*catalog.by_type["survey"], *catalog.by_type["attack"])}
    assert results(page) == len(found)
    with_code = sum(1 for ident in found if catalog.by_id[ident].links.code)
    expect(page.locator("label", has_text="Has code").locator(".count")).to_have_text(str(with_code))
    benchmarks = page.locator("[data-facet=type] label", has_text="Benchmark").locator(".count")
    expect(benchmarks).to_have_text(str(len(catalog.by_type["benchmark"])))  # its own facet's choice is left aside


@pytest.mark.parametrize("facet", ["setting", "modality", "venue", "edition", "year", "target", "dataset", "runs"])
def test_every_facet_filters(page: Page, served: str, catalog: Catalog, facet: str) -> None:
    values = [one for paper in catalog.papers for one in paper_list.values(paper, facet)]
    value = max(set(values), key=values.count)
    page.goto(f"{served}papers/index.html?{facet}={value}")
    assert results(page) == values.count(value)


def test_order_follows_the_choice_and_the_address(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/index.html")
    sort = page.get_by_label("Sort")
    for choice, expected in (
        ("oldest", [paper.id for paper in reversed(catalog.papers)]),
        ("title", [paper.id for paper in sorted(catalog.papers, key=lambda paper: words(paper.title))]),
    ):
        sort.select_option(choice)
        expect(page.locator(".paper__title a").first).to_have_attribute("href", f"{expected[0]}.html")
        results(page)
        assert shown(page) == expected[:20]
        assert f"sort={choice}" in page.url
    page.reload()
    expect(sort).to_have_value("title")
    page.goto(served + "papers/index.html?q=negative preference optimization")
    results(page)
    expect(sort).to_have_value("best")
    assert "zhang2024negative" in shown(page)[:5]


def test_more_papers_are_shown_on_demand_and_the_keyboard_goes_on_with_them(page: Page, served: str) -> None:
    page.goto(served + "papers/index.html?type=method")
    assert results(page) > 40
    before = shown(page)
    page.get_by_role("button", name="Show 20 more").press("Enter")
    expect(page.locator(".paper")).to_have_count(40)
    assert shown(page)[:20] == before
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"{shown(page)[20]}.html"
    assert "show=40" in page.url
    page.reload()
    expect(page.locator(".paper")).to_have_count(40)


def test_what_was_searched_for_is_marked_and_misspellings_are_told(page: Page, served: str) -> None:
    page.goto(served + "papers/index.html")
    page.keyboard.press("/")
    page.keyboard.type("pawelzcyk")
    expect(page.locator(".finder__note")).to_contain_text("No paper has “pawelzcyk”: pawelczyk taken instead.")
    expect(page.locator(".paper__byline mark").first).to_have_text("Pawelczyk")
    assert "pawelczyk2023context" in shown(page)


def test_arrow_keys_lead_through_the_results(page: Page, served: str) -> None:
    page.goto(served + "papers/index.html?q=tofu")
    results(page)
    page.get_by_role("searchbox", name="Search titles").focus()
    focused = "document.activeElement.getAttribute('href') || document.activeElement.name"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == f"{shown(page)[1]}.html"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "q"


def test_the_selection_is_exported(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/index.html?family=preference-optimization&sort=oldest")
    papers = list(reversed(catalog.by_family["preference-optimization"]))
    assert results(page) == len(papers)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    path = saved.value.path()
    assert path.read_text(encoding="utf-8") == table.render(papers)
    with page.expect_download() as saved:
        page.get_by_role("button", name="BibTeX").click()
    cited = citable(papers)
    assert saved.value.suggested_filename == f"llm-unlearning-{len(cited)}-papers.bib"
    text = saved.value.path().read_text(encoding="utf-8")
    assert re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE) == [paper.id for paper in cited]
    expect(page.locator(".finder__note")).to_contain_text(f"{len(cited)} papers exported.")


def test_the_scripts_fold_words_as_the_catalog_does(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "index.html")
    texts = [f"{paper.title} {' '.join(paper.authors)} {paper.summary or ''}" for paper in catalog.papers]
    texts.append("Straße Đorđe Łukasz Øyvind Æsir œuvre İstanbul ﬁne ½ naïve_approach who’s O'Hara L² β-VAE 北京")
    folded = page.evaluate("texts => texts.map(window.catalogFind.words)", texts)
    assert folded == [words(text) for text in texts]


@pytest.mark.parametrize("query", ["who’s harry", "who's harry", "WHOS HARRY"])
def test_the_text_filter_folds_quotes_and_case(page: Page, served: str, query: str) -> None:
    page.goto(served + "papers/index.html")
    page.get_by_role("searchbox", name="Search titles").fill(query)
    expect(page.locator(".paper a", has_text="Who's Harry Potter").first).to_be_visible()


def test_no_paper_fits_is_said(page: Page, served: str) -> None:
    page.goto(served + "papers/index.html?q=xyzzyplugh")
    expect(page.locator(".finder__none")).to_be_visible()
    expect(page.locator(".finder__status")).to_contain_text("0 of")


def test_filters_work_with_the_keyboard_alone(page: Page, served: str, catalog: Catalog) -> None:
    page.goto(served + "papers/index.html")
    box = page.get_by_role("checkbox", name="Has code")
    box.focus()
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    outline = box.evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline != "none"


def test_bibtex_is_copied(page: Page, served: str) -> None:
    page.goto(served + "papers/zhang2024negative.html")
    button = page.get_by_role("button", name="Copy BibTeX")
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("@inproceedings{zhang2024negative,")
    assert copied.endswith("}")


def test_the_command_is_copied(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    page.locator(".page-head .copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == "unlearn run npo"


def test_a_paper_leads_to_its_method_and_back(page: Page, served: str) -> None:
    page.goto(served + "papers/zhang2024negative.html")
    run = page.locator(".run", has_text="introduces what this runs")
    expect(run).to_contain_text("unlearn run npo")
    expect(run.locator("tr.row--marked")).to_contain_text("0.155")
    run.get_by_role("link", name="Negative preference optimization (NPO)").click()
    expect(page).to_have_url(served + "methods/npo.html")
    introduced = page.locator("section", has=page.get_by_role("heading", name="Introduced by"))
    introduced.get_by_role("link").first.click()
    expect(page).to_have_url(served + "papers/zhang2024negative.html")


def test_formulas_are_typeset_with_the_sites_own_font(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    formula = page.locator(".formula math").first
    expect(formula).to_be_visible()
    assert page.locator("article").inner_text().count("$$") == 0
    fraction = formula.locator("mfrac").first
    above, below = (fraction.locator(f"xpath=*[{part}]").bounding_box() for part in (1, 2))
    assert above
    assert below
    assert above["y"] + above["height"] / 2 < below["y"], "the fraction is stacked"
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"Catalog Math\"'))")


def test_the_hyperparameters_are_listed_with_their_sources(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    row = page.locator("[aria-label='Hyper-parameters'] tr", has_text="beta")
    expect(row).to_contain_text("0.1")
    expect(row).to_contain_text("> 0")


def test_colors_follow_the_system_and_can_be_switched(browser: Browser, guard: Guard, served: str) -> None:
    with browser.new_context(color_scheme="dark") as context:
        guard.watch(context)
        page = context.new_page()
        page.goto(served + "index.html")
        body = page.locator("body")
        expect(body).to_have_attribute("data-md-color-scheme", "slate")
        dark = body.evaluate("element => getComputedStyle(element).backgroundColor")
        page.locator("label[title*='Switch to light']").click()
        expect(body).to_have_attribute("data-md-color-scheme", "default")
        assert body.evaluate("element => getComputedStyle(element).backgroundColor") != dark
        page.goto(served + "papers/index.html")
        expect(body).to_have_attribute("data-md-color-scheme", "default")


def test_everything_is_readable_without_scripts(browser: Browser, guard: Guard, served: str, catalog: Catalog) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        guard.watch(context)
        page = context.new_page()
        page.goto(served + "papers/index.html")
        assert page.locator(".paper").count() == 20
        expect(page.locator(".finder__bar")).to_be_hidden()
        expect(page.get_by_role("button", name="Show")).to_have_count(0)
        years = page.get_by_role("navigation", name="All papers by year").get_by_role("link").all()
        assert sum(len(catalog.by_year[int(link.inner_text())]) for link in years) == len(catalog.papers)
        page.locator("[data-facet=family] summary").click()
        page.locator("[data-facet=family] a", has_text="Preference optimization").click()
        expect(page.locator("h1")).to_have_text("Preference optimization")
        assert page.locator(".paper").count() == len(catalog.by_family["preference-optimization"])
        page.goto(served + "papers/zhang2024negative.html")
        expect(page.locator(".language-bibtex")).to_contain_text("@inproceedings")
        expect(page.get_by_role("button", name="Copy")).to_have_count(0)


def test_the_page_does_not_jump_while_it_loads(page: Page, served: str) -> None:
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(one => {"
        " if (!one.hadRecentInput) window.shift += one.value; })).observe({type: 'layout-shift', buffered: true});"
    )
    for kind in ("index.html", "papers/index.html", "papers/zhang2024negative.html", "methods/npo.html"):
        page.goto(served + kind)
        page.wait_for_timeout(300)
        assert page.evaluate("window.shift") < 0.05, kind


def test_keyboard_reaches_the_content_first(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.classList.contains('md-skip')")


def test_the_small_screens_menu_opens(context: BrowserContext, served: str) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(served + "index.html")
    page.locator("label.site-menu").click()
    expect(page.get_by_role("navigation", name="Navigation").get_by_role("link", name="Results")).to_be_visible()


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("papers/zhang2024negativ.html", "papers/zhang2024negative.html"),
        ("papers/2024/maini2024tofu", "papers/maini2024tofu.html"),
        ("methods/sim_npo.html", "methods/sim-npo.html"),
    ],
)
def test_a_wrong_address_leads_to_what_was_meant(
    page: Page, site: Path, served_at_root: str, wrong: str, meant: str
) -> None:
    page.route(served_at_root + wrong, lambda route: route.fulfill(path=site / "404.html", content_type="text/html"))
    page.goto(served_at_root + wrong)
    offered = page.locator("[data-not-found] a")
    expect(offered.first).to_be_visible()
    addresses = offered.evaluate_all("links => links.map(link => link.href)")
    assert served_at_root + meant in addresses
    search(page, "fictitious unlearning")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"^{re.escape(served_at_root)}papers/"))


def test_columns_of_results_sort_and_references_stay_in_the_head(page: Page, served: str) -> None:
    page.goto(served + "results.html")
    table = page.locator("table[data-sortable]").first
    heading = table.locator("thead th[scope=col]").nth(1)
    values = "table => Array.from(table.tBodies[0].rows, row => Number(row.cells[1].dataset.value))"
    heading.get_by_role("button").click()
    ascending = table.evaluate(values)
    assert ascending == sorted(ascending)
    assert len(set(ascending)) > 1
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")  # the heading keeps the focus
    assert table.evaluate(values) == sorted(ascending, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    assert set(table.locator("thead tr th[scope=row] > span").all_inner_texts()) == {"Target", "Retrained"}


def test_claims_stand_with_their_numbers_on_a_methods_page(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    claim = page.locator(".claim").first
    expect(claim.locator(".claim__verdict")).to_have_text(
        re.compile(r"^(Holds|Undecided|Holds in part|Not seen at this scale|Not measured)$")
    )
    expect(claim.locator("li").first).to_contain_text("GA")
    claim.get_by_role("link", name="Ruiqi Zhang").click()
    expect(page).to_have_url(served + "papers/zhang2024negative.html")


def test_after_a_first_query_nothing_is_waited_for(page: Page, served: str) -> None:
    page.goto(served + "papers/index.html?q=unlearning")
    finder = page.locator("[data-finder]")
    expect(finder).to_have_attribute("data-ahead", "loaded")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for query in ("Pawelczyk", "preferense optimisation", "large language model editing"):
        page.get_by_placeholder("Title, author").fill(query)
        expect(page.locator("[data-finder]:not([aria-busy]) .paper mark").first).to_be_visible()
    assert [address for address in asked if "/search/" in address or "minisearch" in address] == []


def test_who_saves_data_loads_what_is_asked_for(page: Page, served: str) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'connection', {value: {saveData: true}});")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served + "papers/index.html?q=unlearning")
    expect(page.locator("[data-finder]:not([aria-busy]) .paper mark").first).to_be_visible()
    page.evaluate("new Promise(done => requestIdleCallback(() => requestIdleCallback(done)))")
    assert page.locator("[data-finder][data-ahead]").count() == 0
    assert not any("/shelf-" in address for address in asked)
