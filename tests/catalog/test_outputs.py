"""Database, search, statistics, exports: on the small checkout, and for any text."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
import rispy
from bibtexparser.entrypoint import parse_string
from bibtexparser.middlewares import LatexDecodingMiddleware
from hypothesis import example, given
from hypothesis import strategies as st
from plain_text import texts
from small_checkout import REPOSITORY, Checkout

from catalog.base.project import Project
from catalog.insight.stats import statistics
from catalog.intake.sources.bibtex import parse as parse_bibtex
from catalog.intake.sources.bibtex_names import people as people_in
from catalog.intake.sources.latex import from_latex
from catalog.model.paper import Appearance, Paper
from catalog.model.venues import appearance, read_venue
from catalog.model.vocabulary import load_vocabularies
from catalog.outputs.answers.filters import Filters
from catalog.outputs.build import build
from catalog.outputs.export import FORMATS, bibtex, csl, records, ris, table
from catalog.outputs.export.citation import publication
from catalog.outputs.search import Search
from catalog.outputs.site.head import scholarly_article
from catalog.reading.load import load_catalog

VOCABULARIES = load_vocabularies()
FIELDS = {
    "title": "T",
    "authors": ("A B",),
    "date": "2031-04",
    "type": "method",
    "links": {"arxiv": "3104.01234"},
    "provenance": {"source": "hand", "checked": "2031-06-01"},
    "id": "b2031t",
    "file": "papers/2031/b2031t.yaml",
}


def paper(**changes: object) -> Paper:
    return Paper.model_construct(**{**Paper.model_validate(FIELDS).__dict__, **changes})


# Database and search --------------------------------------------------------------------------------


def test_database(checkout: Checkout, tmp_path: Path) -> None:
    build(checkout.project, checkout.catalog())
    database = sqlite3.connect(checkout.root / "build/catalog.sqlite")
    assert database.execute("SELECT name FROM author WHERE paper = 'okonkwo2032gardens'").fetchall() == [
        ("Grace Okonkwo",),
        ("Béla Müller",),
    ]
    shared = "SELECT paper FROM paper_term WHERE vocabulary = 'dataset' AND term = 'tofu' ORDER BY paper"
    assert database.execute(shared).fetchall() == [("lindqvist2031fading",), ("okonkwo2032gardens",)]
    assert database.execute("SELECT relation FROM paper_implementation WHERE implementation = 'gardens'").fetchall()
    assert database.execute("SELECT id FROM search WHERE search MATCH 'fade'").fetchall()
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("fade", "lindqvist2031fading"),
        ("FORGETT", "lindqvist2031fading"),
        ("muller bela", "okonkwo2032gardens"),
        ("Bela Müll", "okonkwo2032gardens"),
        ("avila", "lindqvist2031fading"),
        ("3104.01234", "lindqvist2031fading"),
        ("okonkwo2032gardens", "okonkwo2032gardens"),
        ("“Fading—Out”", "lindqvist2031fading"),
        ("weapons of mass destruction", "okonkwo2032gardens"),
        ("gardener invent", "okonkwo2032gardens"),
    ],
)
def test_search(query: str, first: str, checkout: Checkout) -> None:
    answer = Search(checkout.catalog())(query)
    assert not answer.partial
    assert answer.papers[0].id == first


def test_search_without_all_words(checkout: Checkout) -> None:
    search = Search(checkout.catalog())
    assert search("gentle elephants").partial
    assert search("gentel forgeting").suggestion == "gentle forgetting"
    assert search("zzzzz").papers == ()
    assert search("!!").papers == ()
    assert [one.id for one in search("").papers] == ["okonkwo2032gardens", "lindqvist2031fading"]


def test_filters(checkout: Checkout) -> None:
    catalog = checkout.catalog()
    search = Search(catalog)

    def ids(filters: Filters) -> list[str]:
        return [one.id for one in search("", filters).papers]

    assert ids(Filters(family="relabeling")) == ["okonkwo2032gardens"]
    assert ids(Filters(type="method")) == ["okonkwo2032gardens", "lindqvist2031fading"]
    assert ids(Filters(year=2031)) == ["lindqvist2031fading"]
    assert ids(Filters(has_code=True)) == ["lindqvist2031fading"]
    assert ids(Filters(dataset="wmdp", runnable=True)) == ["okonkwo2032gardens"]
    assert ids(Filters(target="privacy", dataset="wmdp")) == []


def test_no_query_is_a_syntax_error(checkout: Checkout) -> None:
    catalog = checkout.catalog()
    search = Search(catalog)

    @given(st.text(max_size=40) | st.text("\"'*()^:-+ANDORNOTEAR{}", max_size=20))
    def asked(query: str) -> None:
        assert set(search(query).papers) <= set(catalog.papers)

    asked()


def test_every_beginning_of_a_title_word_finds_the_paper(checkout: Checkout) -> None:
    catalog = checkout.catalog()
    search = Search(catalog)
    for one in catalog.papers:
        for word in one.title.replace(":", "").split():
            for end in range(2, len(word) + 1):
                assert one in search(word[:end]).papers, word[:end]


def test_statistics(checkout: Checkout) -> None:
    found = statistics(checkout.catalog())
    assert found["papers"] == 2
    assert found["by_type"]["benchmark"] == 1
    assert found["by_family"] | {"gradient-ascent": 1, "relabeling": 1} == found["by_family"]
    assert found["by_year"] == {"2032": 1, "2031": 1}
    assert found["coverage"] == {"introduces": 2, "extends": 0, "related": 0, "uses": 0, "evaluates": 0, "none": 0}
    assert sum(found["coverage"].values()) == found["papers"]
    assert "relabeling" in found["families_without_method"]
    json.dumps(found)


# Exports ----------------------------------------------------------------------------------------------


@given(texts, st.lists(texts, min_size=1, max_size=3), texts)
@example("Why?` and how!`", ["A B"], "V")
def test_bibtex_parses_back(title: str, authors: list[str], venue: str) -> None:
    where = Appearance(label="V", kind="conference", container=venue, year=2032)
    text = bibtex.entry(paper(title=title, authors=tuple(authors), appeared=where))
    library = parse_string(text)
    assert not library.failed_blocks
    (entry,) = library.entries
    assert entry.key == "b2031t"
    fields = {field.key: field.value for field in entry.fields}
    assert fields["eprint"] == "3104.01234"
    decoded = parse_string(text, append_middleware=[LatexDecodingMiddleware()]).entries[0]
    assert _loose(decoded.fields_dict["title"].value) == _loose(title)


QUOTED = {
    'The Term "Machine Unlearning" Is Overused': "The Term ``Machine Unlearning'' Is Overused",
    '"Forget"': "``Forget''",
    'A ("B" C)': "A (``B'' C)",
    '"A ("B" C)" d': "``A (``B'' C)'' d",
    'x-"y"/"z": "w"': "x-``y''/``z'': ``w''",
    "\"'x' y\" and \"a 'y'\"": "``{}'x' y'' and ``a 'y'{}''",
    '"Why?" "How!"': "``Why?'' ``How!''",
    '"GPT-4" and "a LoRA"': "``{GPT-4}'' and ``a {LoRA}''",
    'a 5" disk': "a 5'' disk",
}


@pytest.mark.parametrize(("title", "written"), QUOTED.items())
def test_straight_quotes_have_sides_in_bibtex(title: str, written: str) -> None:
    assert f"title = {{{written}}}," in bibtex.entry(paper(title=title))


quoted = st.recursive(
    st.sampled_from(["Forget", "LoRA", "don't", "x", "(a b)", "5"]),
    lambda inner: st.one_of(
        inner.map('"{}"'.format),
        st.tuples(inner, inner).map(" ".join),
        st.tuples(inner, inner).map(": ".join),
        inner.map('("{}")'.format),
    ),
    max_leaves=5,
)


@given(quoted)
def test_quotes_come_back_from_bibtex(title: str) -> None:
    (found,) = parse_bibtex(bibtex.entry(paper(title=title)))
    assert found.title.replace("“", '"').replace("”", '"') == title
    assert found.title.count("“") == found.title.count("”") == title.count('"') / 2


PRINTS_ALIKE = dict(
    zip(
        "ΑΒΕΖΗΙΚΜΝΟΡΤΧο∆∊∍∎■−∕∗∣∶⋄⋅〈〉○⪯⪰",
        "ABEZHIKMNOPTXoΔ∈∋▪▪-/*|:♢·⟨⟩◯≼≽",
        strict=True,
    )
) | {"∷": "::", "∺": ":-:", "≔": ":=", "≕": "=:", "⩮": "*=", "⫽": "//"}
"""Signs for which LaTeX has none of their own."""


def test_every_letter_and_sign_survives_bibtex() -> None:
    """What is written for LaTeX is read as the same sign, or as one that looks the same."""
    lost = {}
    for code in (*range(0x21, 0x530), *range(0x1E00, 0x2C00), *range(0xA720, 0xA800)):
        sign = chr(code)
        if unicodedata.category(sign)[0] not in "LNPS" or sign == '"':  # quotes are of their own kind
            continue
        there = unicodedata.normalize("NFKC", from_latex(bibtex.latex(f"a{sign}b")))
        same = unicodedata.normalize("NFKC", sign)
        alike = {same, *(PRINTS_ALIKE[one] for one in (sign, same) if one in PRINTS_ALIKE)}
        if there.removeprefix("a").removesuffix("b") not in alike:
            lost[sign] = there
    assert lost == {}


def test_every_record_survives_export_and_import() -> None:
    catalog, _ = load_catalog(Project(REPOSITORY))
    assert catalog
    papers = {one.id: one for one in catalog.papers}
    straight = str.maketrans("“”", '""')
    entries = bibtex.render(catalog.papers).split("\n\n")
    found = [parse_bibtex(entry)[0] for entry in entries]
    assert len(found) > 600
    for entry, one in zip(entries, found, strict=True):
        same = papers[entry.partition("{")[2].partition(",")[0]]
        assert one.title.translate(straight) == same.title.translate(straight)
        assert one.authors == same.authors
        assert (one.links.get("arxiv"), one.date[:4]) == (same.links.arxiv, str(publication(same).year))


# Two hyphens in a row are a dash to LaTeX, and in nobody's name.
given_names = st.text("ABCabcöüéñøłßçåÉ-", min_size=2, max_size=8).filter(
    lambda name: name.strip("-") == name and "--" not in name
)
names = st.tuples(given_names, st.sampled_from(["", "van der ", "De ", "de la "]), given_names).map(
    lambda parts: f"{parts[0].capitalize()} {parts[1]}{parts[2].capitalize()}"
)


@given(st.lists(names, min_size=1, max_size=4))
def test_bibtex_gives_back_its_authors(authors: list[str]) -> None:
    (entry,) = parse_string(bibtex.entry(paper(authors=tuple(authors)))).entries
    assert people_in(entry.fields_dict["author"].value) == (tuple(authors), False)


def _loose(text: str) -> str:
    """Without what LaTeX sets otherwise: quotes, and spaces around dashes."""
    for sign in "'\"`’“”{}^ˆ~˜ ":
        text = text.replace(sign, "")
    return text.replace("--", "–").replace("-", "–").replace("––", "–").replace("–", "")


@pytest.mark.parametrize(
    ("venue", "kind", "line"),
    [
        (None, "misc", "year = {2031}"),
        (
            "ICLR 2032",
            "inproceedings",
            "booktitle = {International Conference on Learning Representations (ICLR 2032)}",
        ),
        ("TMLR 2032", "article", "journal = {Transactions on Machine Learning Research}"),
        ("Nature Machine Intelligence 2032", "article", "journal = {Nature Machine Intelligence}"),
        (
            "Findings of ACL 2032",
            "inproceedings",
            "booktitle = {Findings of the Association for Computational Linguistics: ACL 2032}",
        ),
        ("NeurIPS 2032 SoLaR Workshop", "inproceedings", "(NeurIPS 2032), Workshop on Socially Responsible"),
        ("AI Alignment Forum 2032", "misc", "howpublished = {AI Alignment Forum}"),
    ],
)
def test_bibtex_types(venue: str | None, kind: str, line: str) -> None:
    text = bibtex.entry(paper(appeared=_where(venue) if venue else None))
    assert text.startswith(f"@{kind}{{b2031t,")
    assert line in text
    assert f"year = {{{'2032' if venue else '2031'}}}" in text
    assert "doi = {10.48550/arXiv.3104.01234}" in text


def _where(venue: str) -> Appearance:
    found = read_venue(venue, VOCABULARIES)
    assert found
    return appearance(found, VOCABULARIES)


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("TOFU: A Task for LLMs", "{TOFU}: A Task for {LLMs}"),
        ("In-Context Unlearning", "In-Context Unlearning"),
        ("LoRA and GPT-4o's 100% Cost_X", r"{LoRA} and {GPT-4o's} 100{\%} {Cost{\_}X}"),
    ],
)
def test_capitals_are_protected(title: str, written: str) -> None:
    assert f"title = {{{written}}}" in bibtex.entry(paper(title=title))


def test_withdrawn_papers_are_not_cited(checkout: Checkout) -> None:
    checkout.change(checkout.gardens, "provenance:", "state: {kind: withdrawn}\nprovenance:")
    papers = checkout.catalog().papers
    for render in (bibtex.render, csl.render, ris.render):
        assert "gardens" not in render(papers)
        assert "lindqvist2031fading" in render(papers)
    assert '"withdrawn"' in records.render(papers)
    assert ",withdrawn," in table.render(papers)


def test_csl(checkout: Checkout) -> None:
    gardens, fading = json.loads(csl.render(checkout.catalog().papers))
    assert gardens["type"] == "post-weblog"
    assert fading["author"][1] == {"family": "Ávila", "given": "Tomé", "non-dropping-particle": "van der"}
    assert fading["issued"] == {"date-parts": [[2032]]}
    assert gardens["issued"] == {"date-parts": [[2032, 1, 15]]}


NAME = {"family": str, "given": str, "non-dropping-particle": str, "suffix": str, "literal": str}
ITEM = {
    "id": str, "type": str, "title": str, "author": list, "issued": dict, "container-title": str, "publisher": str,
    "number": str, "DOI": str, "URL": str, "abstract": str, "language": str,
}  # fmt: skip
"""The part of CSL's input model that is used here, with its types; whatever is not in that model is refused."""


@given(texts, st.lists(texts, min_size=1, max_size=3), st.sampled_from(["conference", "journal", "web", None]))
def test_csl_is_what_processors_read(
    title: str, authors: list[str], kind: Literal["conference", "journal", "web"] | None
) -> None:
    where = Appearance(label="V", kind=kind, container="Somewhere", year=2032) if kind else None
    (item,) = json.loads(csl.render([paper(title=title, authors=tuple(authors), appeared=where)]))
    assert all(isinstance(value, ITEM[key]) for key, value in item.items())
    assert item["type"] in {"article", "article-journal", "paper-conference", "post-weblog"}
    assert all(isinstance(value, NAME[key]) for name in item["author"] for key, value in name.items())
    (date,) = item["issued"]["date-parts"]
    assert 1 <= len(date) <= 3
    assert all(isinstance(part, int) for part in date)
    assert item["title"] == title
    signs = str.maketrans("", "", " ,")  # what stands between the parts of a name
    said = [sorted("".join(name.values()).translate(signs)) for name in item["author"]]
    assert said == [sorted(name.translate(signs)) for name in authors]


def test_csl_of_the_catalog() -> None:
    catalog, _ = load_catalog(Project(REPOSITORY))
    assert catalog
    items = json.loads(csl.render(catalog.papers))
    assert len(items) > 600
    assert {key for item in items for key in item} <= set(ITEM)
    assert {key for item in items for name in item["author"] for key in name} <= set(NAME)


@given(texts, st.lists(texts, min_size=1, max_size=3), texts)
def test_ris_parses_back(title: str, authors: list[str], summary: str) -> None:
    where = Appearance(label="V", kind="journal", container="Journal of Gardens", year=2032)
    given = [paper(title=title, authors=tuple(authors), summary=summary, appeared=where), paper()]
    first, second = rispy.loads(ris.render(given))
    assert (first["type_of_reference"], second["type_of_reference"]) == ("JOUR", "UNPB")
    assert (first["title"], first["abstract"], first["year"]) == (title, summary, "2032")
    assert len(first["authors"]) == len(authors)
    assert (first["doi"], second["urls"]) == ("10.48550/arXiv.3104.01234", ["https://arxiv.org/abs/3104.01234"])


def test_ris(checkout: Checkout) -> None:
    text = ris.render(checkout.catalog().papers)
    assert text.count("TY  - ") == text.count("ER  - ") == 2
    assert "AU  - van der Ávila, Tomé\n" in text


@given(texts)
def test_csv_parses_back_and_runs_nothing(title: str) -> None:
    (row,) = csv.DictReader(io.StringIO(table.render([paper(title=title)])))
    assert row["title"].removeprefix("'") == title.removeprefix("'")
    assert row["title"][0] not in "=+-@"


def test_spreadsheets_know_the_encoding_of_csv(checkout: Checkout) -> None:
    data = FORMATS["csv"].render(checkout.catalog())
    assert isinstance(data, str)
    assert data.encode().startswith(b"\xef\xbb\xbfid,title,")
    rows = list(csv.DictReader(io.StringIO(data.encode().decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == ["okonkwo2032gardens", "lindqvist2031fading"]
    assert rows[0]["authors"] == "Grace Okonkwo; Béla Müller"
    assert data.count("\ufeff") == 1


def test_groups_are_organizations_to_machines(checkout: Checkout) -> None:
    checkout.change(checkout.gardens, "Béla Müller]", "Béla Müller, The Garden Team]")
    catalog = checkout.catalog()
    described = json.loads(scholarly_article(catalog.by_id["okonkwo2032gardens"], catalog))
    assert [(one["@type"], one["name"]) for one in described["author"]] == [
        ("Person", "Grace Okonkwo"),
        ("Person", "Béla Müller"),
        ("Organization", "The Garden Team"),
    ]


def test_json_holds_everything(checkout: Checkout) -> None:
    gardens, fading = json.loads(records.render(checkout.catalog().papers))
    assert list(fading)[:3] == ["id", "year", "title"]
    assert fading["implementations"] == [{"id": "fade", "relation": "introduces"}]
    assert fading["addresses"]["arXiv"] == "https://arxiv.org/abs/3104.01234"
    assert "venue" not in gardens


def test_publication_year_is_the_venue_s() -> None:
    assert publication(paper(appeared=_where("ICLR 2032"))).year == 2032
    assert publication(paper()).year == 2031


# All together ---------------------------------------------------------------------------------------------


def test_second_build_is_identical(checkout: Checkout) -> None:
    first = {path: path.read_bytes() for path in build(checkout.project, checkout.catalog())}
    names = {path.relative_to(checkout.root).as_posix() for path in first}
    assert {"README.md", "lists/README.md", "catalog/record.schema.json", "build/catalog.sqlite"} < names
    assert len([name for name in names if name.startswith("build/exports/")]) == len(FORMATS) - 1
    for path in first:
        path.unlink()
    second = {path: path.read_bytes() for path in build(checkout.project, checkout.catalog())}
    assert second == first


def test_a_new_record_is_everywhere(checkout: Checkout) -> None:
    text = checkout.gardens.read_text(encoding="utf-8").replace("Gardens: A Benchmark", "Ponds: A Benchmark")
    text = text.replace("org/gardens", "org/ponds").replace("Grace Okonkwo, Béla", "Béla").replace("Asks", "It asks")
    checkout.add("papers/2032/muller2032ponds.yaml", text)
    names_no_paper = ("catalog/record.schema.json", "lists/README.md")
    lists = ("lists/type/benchmark.md", "lists/family/relabeling.md")
    for path in build(checkout.project, checkout.catalog()):
        name = path.relative_to(checkout.root).as_posix()
        if name in lists or (name not in names_no_paper and not name.startswith("lists/")):
            content = path.read_bytes()
            assert b"muller2032ponds" in content or b"Ponds: A Benchmark" in content, name
    assert Search(checkout.catalog())("ponds").papers[0].id == "muller2032ponds"
