"""The site finds what people type and paste: the same table as for ``catalog search`` (queries.py), in Chromium."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from queries import FOLDED, IDS, NPO, WHP, WORDS, Query
from seen import addresses

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.model.pasted import Named, read_pasted
from catalog.outputs.site.settings import read_settings
from catalog.outputs.site.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass
class Shown:
    """What the search in the header shows."""

    addresses: list[str]
    status: str


@pytest.fixture(scope="module")
def header(browser: Browser, served: str) -> Iterator[Page]:
    """A page that stays open, as one types one query after the other."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(served + "index.html")
        yield page


def type_in(page: Page, text: str) -> Shown:
    field = page.get_by_role("combobox", name="Search")
    field.fill("")
    field.fill(text)
    expect(page.locator(".search__panel:not([aria-busy])")).to_be_visible()
    status = page.locator(".search__status")
    expect(status).to_contain_text(re.compile("result|Nothing|not in the catalog"))
    found = [address.removeprefix("./") for address in addresses(page, ".search__result")]
    return Shown(found, status.inner_text())


def test_words_are_those_of_the_table(header: Page) -> None:
    assert header.evaluate("texts => texts.map((text) => window.catalogQuery.words(text))", [*FOLDED]) == [
        *FOLDED.values()
    ]


@pytest.mark.parametrize("query", [*IDS, *WORDS], ids=lambda query: query.text)
def test_the_search_in_the_header_finds_what_a_query_means(header: Page, query: Query, catalog: Catalog) -> None:
    shown = type_in(header, " ".join(query.text.split("\n")))
    papers = [address for address in shown.addresses if address.startswith("papers/")]
    if query in IDS and not query.first:
        assert shown.addresses == [f"papers/{paper}.html" for paper in query.papers]
    if query.first:
        assert papers[0] == f"papers/{query.first}.html"
    if query.page:
        assert shown.addresses[0] == query.page
    for paper in query.among:
        assert f"papers/{paper}.html" in shown.addresses
    if query.edition:
        for address in papers:
            venue = catalog.by_id[address.removeprefix("papers/").removesuffix(".html")].venue
            assert venue is not None
            assert (venue.id, venue.year) == query.edition
    assert (f"The {query.missing} is not in the catalog." in shown.status) == bool(query.missing)
    assert "taking" not in shown.status


@pytest.mark.parametrize("query", [*IDS[::4], *WORDS[::3]], ids=lambda query: query.text)
def test_the_paper_list_finds_what_a_query_means(header: Page, served: str, query: Query) -> None:
    page = header.context.new_page()
    page.goto(f"{served}papers/index.html?q={quote(query.text)}")
    expect(page.locator("[data-finder]:not([aria-busy])")).to_be_visible()
    expect(page.locator(".finder__status")).to_contain_text(" of ")
    found = addresses(page, ".paper .paper__title a")
    if query in IDS and not query.first:
        assert found == [f"{paper}.html" for paper in query.papers]
    if query.first:
        assert found[0] == f"{query.first}.html"
    for paper in query.among:
        assert f"{paper}.html" in found
    page.close()


def test_enter_leads_from_an_id_to_its_paper(page: Page, served: str) -> None:
    page.goto(served + "methods/npo.html")
    assert type_in(page, "https://arxiv.org/abs/2310.02238v2").addresses == [f"../papers/{WHP}.html"]
    page.keyboard.press("Enter")
    expect(page).to_have_url(served + f"papers/{WHP}.html")
    assert len(type_in(page, "2404.05868 2310.02238").addresses) == 2
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"papers/index\.html\?q="))


def test_what_is_missing_can_be_added(page: Page, served: str) -> None:
    page.goto(served + "papers/index.html?q=2404.99999v3")
    note = page.locator(".finder__note")
    expect(note).to_have_text("The arXiv id 2404.99999 is not in the catalog. Add it.")
    expect(page.locator(".finder__none")).to_be_hidden()
    expect(page.get_by_role("button", name="Show")).to_have_count(0)
    note.get_by_role("link", name="Add it").click()  # no repository is set: the page that says how
    expect(page).to_have_url(served + "contributing.html#add-a-paper")
    expect(page.locator("#add-a-paper")).to_be_visible()


def test_where_there_is_a_repository_its_form_is_filled_in(
    page: Page, served: str, site: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    monkeypatch.setenv("REPOSITORY_URL", "https://code.example.org/some/body")
    add = Site(catalog, read_settings(project)).issue_link("add-paper.yml", paper="")
    text = (site / "search" / "index.js").read_text(encoding="utf-8")
    assert text.count('"add":null') == 1
    filled = text.replace('"add":null', f'"add":"{add}"')
    page.route("**/search/index.js", lambda route: route.fulfill(body=filled, content_type="text/javascript"))
    page.goto(served + "index.html")
    assert not type_in(page, "https://openreview.net/forum?id=NobodyHas1").addresses
    address = page.locator(".search__status a").get_attribute("href") or ""
    parts = urlsplit(address)
    assert (parts.netloc, parts.path) == ("code.example.org", "/some/body/issues/new")
    assert parse_qs(parts.query) == {"template": ["add-paper.yml"], "paper": ["openreview:NobodyHas1"]}


def _texts() -> list[str]:
    """Queries made up of what queries are made of, the same at every run."""
    pieces = [
        *(
            "2404.05868",
            "v2",
            "arXiv:",
            "arxiv ",
            "doi:",
            "10.48550/arXiv.",
            "10.1000/a(b)",
            "https://",
            "http://",
            "www.",
        ),
        *(
            "arxiv.org/abs/",
            "arxiv.org/pdf/",
            ".pdf",
            "openreview.net/forum?id=",
            "MXLBXjQkmb",
            "aclanthology.org/",
            "/",
        ),
        *(
            "2023.acl-long.740",
            "P19-1001",
            "#x",
            "?a=b",
            "&c",
            "<",
            ">",
            '"',
            "”",
            "(",
            ")",
            "[",
            "]",
            ".",
            ",",
            ";",
            " ",
        ),
        *(
            "\u00a0",
            "cs.LG/0412042",
            "hep-th/9901001",
            "%2F",
            "zhang2024negative",
            "github.com/a/b",
            ".git",
            "word",
            "x",
        ),
        *("huggingface.co/papers/", "nature.com/articles/", "s42256-025-00985-0", "*", "`", "é", "2025", "acl:"),
    ]
    made = random.Random(7)
    return ["".join(made.choices(pieces, k=made.randint(1, 6))) for _ in range(4000)]


def test_the_scripts_read_queries_as_the_catalog_does(page: Page, served: str) -> None:
    page.goto(served + "index.html")
    texts = [*(query.text for query in (*IDS, *WORDS)), *_texts()]
    read = page.evaluate(
        """texts => catalogData.load("index").then(index => {
          const read = catalogQuery.reader(index.rules);
          return texts.map(text => {
            const found = read(text);
            const shown = one => [one.handle, one.noun, one.reference];
            return [found.named.map(ones => ones.map(shown)), found.loose.map(shown), found.rest];
          });
        })""",
        texts,
    )

    def shown(one: Named) -> list[str]:
        return [one.handle, one.noun, one.reference.casefold()]

    for text, (named, loose, rest) in zip(texts, read, strict=True):
        pasted = read_pasted(text)
        folded = [
            [[handle, noun, reference.casefold()] for handle, noun, reference in ones] for ones in [*named, loose]
        ]
        assert folded[:-1] == [[shown(one) for one in ones] for ones in pasted.named], text
        assert folded[-1] == [shown(one) for one in pasted.loose], text
        assert rest == pasted.rest, text


def test_words_are_taken_for_others_only_where_nobody_uses_them(page: Page, served: str) -> None:
    page.goto(served + "index.html")
    assert "taking" not in type_in(page, "relearning restores zzzzqqq").status
    assert "taking quantization for “quantizaton”" in type_in(page, "quantizaton restores").status


def test_few_results_are_followed_by_those_that_have_most(page: Page, served: str) -> None:
    page.goto(served + "papers/index.html?q=quantization restores knowledge")
    expect(page.locator(".finder__note")).to_contain_text(
        re.compile(r"^\d papers? ha(s|ve) all of these words; the others")
    )
    assert "zhang2024your.html" in addresses(page, ".paper .paper__title a")


def test_named_papers_obey_the_filters(page: Page, served: str) -> None:
    page.goto(f"{served}papers/index.html?q=2404.05868&year=2024")
    expect(page.locator(".finder__status")).to_contain_text("1 of")
    expect(page.locator(".paper__title a").first).to_have_attribute("href", f"{NPO}.html")
    page.goto(f"{served}papers/index.html?q=2404.05868&year=2025")
    expect(page.locator(".finder__status")).to_contain_text("0 of")
    expect(page.locator(".finder__none")).to_be_visible()
