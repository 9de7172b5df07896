"""``catalog search`` finds what people type and paste: the same table as for the site (tests/site/queries.py)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queries import FOLDED, IDS, NPO, WORDS, Query
from small_checkout import Checkout

from catalog.base.project import Project
from catalog.base.text import words
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.model.pasted import Named, by_handle, read_pasted
from catalog.model.redirects import Redirects
from catalog.model.registries import REGISTRIES
from catalog.outputs.answers.filters import Filters
from catalog.outputs.search import Search
from catalog.outputs.site.query_rules import query_rules
from catalog.outputs.spellings import STOP_WORDS, Compounds
from catalog.reading.load import load_catalog

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    found, problems = load_catalog(Project(REPOSITORY))
    assert found is not None, problems
    return found


@pytest.fixture(scope="module")
def search(catalog: Catalog) -> Search:
    return Search(catalog)


@pytest.mark.parametrize("text", FOLDED)
def test_words_are_those_of_the_table(text: str) -> None:
    assert words(text) == FOLDED[text]


SCRIPT = """
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
globalThis.window = {};
require(given.script);
const read = window.catalogQuery.reader(given.rules);
const handles = (named) => named.map((one) => one.handle);
console.log(JSON.stringify({
  words: given.texts.map((text) => window.catalogQuery.words(text)),
  read: given.pasted.map((text) => {
    const found = read(text);
    return [found.named.map(handles), handles(found.loose), found.rest];
  }),
}));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_sites_script_reads_every_sign_as_python_does() -> None:
    """Of all signs that Unicode has had for long, so that the tables of both programs hold them."""
    every = [chr(code) for code in range(0x30000) if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")]
    old = [sign for sign in every if unicodedata.ucd_3_2_0.category(sign) != "Cn"]
    texts = [*FOLDED, *(f"a{sign}b {sign}" for sign in old)]
    forms = (
        "2404.05868{}",
        "{}10.1234/ab",
        "https://example.org/x{}y z",
        "arXiv:2404.{}05868",
        "@misc{{a, title={{B{}C}}}}",
    )
    pasted = [form.format(sign) for sign in old[:9000] for form in forms]
    given = {
        "script": str(REPOSITORY / "site/assets/js/query.js"),
        "rules": query_rules(),
        "texts": texts,
        "pasted": pasted,
    }
    ran = subprocess.run(["node", "-e", SCRIPT], input=json.dumps(given), capture_output=True, text=True, check=True)
    theirs = json.loads(ran.stdout)
    assert [one for one in zip(texts, map(words, texts), theirs["words"], strict=True) if one[1] != one[2]] == []
    for text, (named, loose, rest) in zip(pasted, theirs["read"], strict=True):
        ours = read_pasted(text)
        assert [[one.handle for one in names] for names in ours.named] == named, ascii(text)
        assert ([one.handle for one in ours.loose], ours.rest) == (loose, rest), ascii(text)


@pytest.mark.parametrize("query", [*IDS, *WORDS], ids=lambda query: query.text)
def test_the_query_finds_what_it_means(query: Query, search: Search) -> None:
    answer = search(query.text)
    found = [paper.id for paper in (*answer.papers, *answer.others)]
    if query in IDS:
        assert not answer.partial or query.first
        assert query.first or tuple(found) == query.papers
    if query.first:
        assert found[0] == query.first
    assert set(query.among) <= set(found[:10]) or set(query.among) <= {paper.id for paper in answer.papers}
    if query.edition:
        assert answer.papers
        for paper in answer.papers:
            assert paper.venue is not None
            assert (paper.venue.id, paper.venue.year) == query.edition
    assert [f"{one.noun} {one.id}" for one in answer.missing] == ([query.missing] if query.missing else [])
    assert answer.suggestion is None


def test_every_id_and_address_of_every_paper_finds_it(catalog: Catalog, search: Search) -> None:
    for paper in catalog.papers:
        for key, ident in paper.links.ids.items():
            registry = REGISTRIES[key]
            for text in (ident, f"{key}:{ident}", f" <{registry.address(ident)}>, ", registry.pdf.format(ident)):
                assert text == " " or not text or search(text).papers == (paper,), text
        assert search(paper.id).papers == (paper,)
        for address in (paper.links.url, paper.links.code):
            assert address is None or paper in search(f"{address}#readme").papers, address


WRAPPED = st.sampled_from(
    ["{}", " {} ", "<{}>", '"{}"', "“{}”", "({})", "[{}]", "{}.", "{},", "({}).", "**{}**", "`{}`"]
)


@given(wrapped=WRAPPED, more=st.sampled_from(["", "?x=1", "#top", "?x=1&y=2#top", "/", "/?a#b"]))
def test_what_stands_around_an_address_does_not_count(wrapped: str, more: str) -> None:
    for address in ("https://arxiv.org/abs/2404.05868v2", "https://doi.org/10.1000/a(1)b"):
        ((named, *_),) = read_pasted(wrapped.format(address + more)).named
        assert named in (Named("arxiv", "2404.05868"), Named("doi", "10.1000/a(1)b"))


@given(st.text(max_size=60) | st.text("arxivdo:/.?#=&()[]<>2404v,10 ", max_size=60))
def test_any_text_is_read(text: str) -> None:
    pasted = read_pasted(text)
    assert all(one.id for ones in pasted.named for one in ones)
    assert not (pasted.loose and pasted.named)


def test_a_filter_counts_for_named_papers_too(search: Search) -> None:
    assert [paper.id for paper in search("2404.05868", Filters(year=2024)).papers] == [NPO]
    answer = search("2404.05868", Filters(year=2020))
    assert answer.papers == ()
    assert answer.missing == ()


def test_a_moved_record_is_found_by_its_old_id(checkout: Checkout) -> None:
    redirects = Redirects(moved={"quilter2031old": "lindqvist2031fading", "quilter2031gone": "nobody2031x"})
    catalog = replace(checkout.catalog(), redirects=redirects)
    assert [paper.id for paper in Search(catalog)("quilter2031old").papers] == ["lindqvist2031fading"]
    assert "record:quilter2031gone" not in by_handle(catalog)


def _ways(word: str) -> Iterator[str]:
    parts = re.split("[- ]", word)
    yield from (separator.join(parts) for separator in ("-", " ", "", "–"))


@pytest.mark.parametrize("written", ["Zeta-9", "Zeta 9", "Zeta9", "re-balance", "rebalance", "Quo-Vadis", "QuoVadis"])
def test_dashes_do_not_count_whichever_way_it_is_written(written: str, checkout: Checkout) -> None:
    other = {"Zeta": "Zeta-9", "re-b": "re-balance", "reba": "re-balance", "Quo-": "Quo-Vadis", "QuoV": "Quo-Vadis"}
    dashed = other[written[:4]]
    checkout.change(checkout.fading, "Gentle Forgetting", f"Gentle {written} Forgetting")
    search = Search(checkout.catalog())
    ways = set(_ways(dashed)) if written != dashed.replace("-", "") else {written, dashed, dashed.replace("-", " ")}
    for query in ways:
        assert [paper.id for paper in search(query).papers] == ["lindqvist2031fading"], query
        assert search(query).suggestion is None, query


def test_joined_words_are_those_that_somebody_writes() -> None:
    known = Compounds(["GPT-4 and state-of-the-art", "backdoor 2024-04", "black\u2011box"])
    assert known.joined("a back door of GPT 4, black box") == ["backdoor", "gpt4", "blackbox"]
    assert known.joined("2024 04, of the art") == []
    assert known.joined("state-of-the-art") == ["stateoftheart"]


def test_another_word_is_taken_only_for_one_that_nobody_uses(search: Search) -> None:
    answer = search("quantizaton restores")
    assert answer.suggestion == "quantization restores"
    assert search("relearning").suggestion is None
    assert search("relearning restores zzzzqq").suggestion is None


def test_words_that_say_nothing_need_not_occur(search: Search) -> None:
    plain = {paper.id for paper in search("unlearning TOFU").papers}
    assert {paper.id for paper in search("how do we do unlearning on the TOFU").papers} == plain
    assert search(" ".join(sorted(STOP_WORDS)[:3])).papers


def test_papers_follow_by_how_much_of_the_query_they_have(search: Search) -> None:
    query = "sharpness quantization relearning pruning"
    answer = search(query)
    assert answer.partial

    def covered(paper: Paper) -> int:
        return sum(paper in search(word).papers for word in query.split())

    assert covered(answer.papers[0]) == max(covered(paper) for paper in answer.papers) > 1
    assert covered(answer.papers[-1]) == 1


def test_exact_names_come_before_what_merely_has_the_words(catalog: Catalog, search: Search) -> None:
    for paper in catalog.papers[::20]:
        first = search(paper.title).papers[0]
        assert first.title == paper.title
