"""The README and the lists: what they say, how long they are, how a branch may be behind, and how branches merge."""

from __future__ import annotations

import itertools
import json
import random
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_runs import Run
from generated import generate
from hypothesis import given
from hypothesis import strategies as st
from invented_results import invented_result
from markdown_it import MarkdownIt
from markdown_it.token import Token
from plain_text import texts
from small_checkout import REPOSITORY, Checkout

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.model.venues import appearance
from catalog.outputs.build import build, compare
from catalog.outputs.readme import documents
from catalog.outputs.readme.drift import Comparison, Owners, compare_page
from catalog.outputs.readme.layout import README_BYTES
from catalog.outputs.readme.results import measured as measured_on_front
from catalog.outputs.readme.sections import sections
from catalog.outputs.wording import byline, escape, escape_url, running
from catalog.reading.load import read_record

PONDS = """\
title: "{title}"
authors: [Jane {family_name}]
date: {date}
type: {type}
family: [{family}]
targets: [privacy]
links: {{arxiv: "{arxiv}"}}
summary: Of {title} it says what {number} others left out.
provenance: {{source: arxiv, checked: 2033-01-01}}
"""


WORDS = tuple(
    start + end for end in ("olt", "amp", "erch", "imber", "ude", "arn", "ost", "ell") for start in "bdfgklmnprstvw"
)


def add(checkout: Checkout, ident: str, number: int, **changes: str) -> Path:
    """A record of a paper that is like no other: the id is a family name, a year and a word, as it has to be."""
    name, word = re.split(r"\d{4}", ident)
    year = ident[len(name) : len(name) + 4]
    facts = {"date": f"{year}-04", "type": "method", "family": "gradient-ascent", **changes}
    facts |= {"title": f"{word.capitalize()} {WORDS[number]} and {WORDS[-number]}", "family_name": name.capitalize()}
    facts |= {"arxiv": f"{facts['date'][2:4]}{facts['date'][5:7]}.{number:05}", "number": str(number)}
    return checkout.add(f"papers/{year}/{ident}.yaml", PONDS.format(**facts))


def front(checkout: Checkout) -> str:
    return documents(checkout.project, checkout.catalog())[0].text


# What they say ------------------------------------------------------------------------------------------


@given(texts)
def test_text_is_never_markdown(text: str) -> None:
    """GitHub's Markdown shows the text as it is, inside a link and a table, too."""
    markdown = MarkdownIt("gfm-like", {"linkify": False})
    (inline,) = [token for token in markdown.parse(f"x {escape(text)} x") if token.type == "inline"]
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children or ()) == f"x {text} x"
    (link,) = [token for token in markdown.parse(f"[x {escape(text)} x](y)") if token.type == "inline"]
    assert [child.type for child in link.children or () if child.type != "text"][:1] == ["link_open"]


def test_addresses_stay_inside_their_link() -> None:
    address = escape_url("https://example.org/a_(b)?c=*d*|e")
    (inline,) = [token for token in MarkdownIt().parse(f"[x]({address})") if token.type == "inline"]
    assert [child.type for child in inline.children or ()] == ["link_open", "text", "link_close"]


def test_the_readme_has_a_paper_in_one_line_and_its_list_has_the_rest(checkout: Checkout) -> None:
    pages = {page.path: page.text for page in documents(checkout.project, checkout.catalog())}
    line = (
        "- [Fading Out: Gentle Forgetting for Small Models](https://arxiv.org/abs/3104.01234) · CoLLAs 2032"
        " · [code](https://example.org/lindqvist/fading) · ▶ [fade]\n"
    )
    assert line in pages["README.md"]
    assert "[fade]: reference_impls/methods/gradient_ascent/fade.py\n" in pages["README.md"]
    assert "lindqvist2031fading" not in pages["README.md"]
    listed = pages["lists/family/gradient-ascent.md"]
    assert (
        "<br>Åsa Lindqvist, Tomé van der Ávila, Grace Okonkwo, Ilse Brandt · [code](https://example.org/lindqvist/fading)"
        " · [record](../../papers/2031/lindqvist2031fading.yaml)<br>Lets what is to be forgotten fade" in listed
    )
    assert "▶ Runs here: [`unlearn run fade`](../../reference_impls/methods/gradient_ascent/fade.py)\n" in listed
    assert "](https://example.org/gardens) · 2032 · benchmark, proposes Weed\n" in pages["README.md"]
    assert "[benchmark, proposes Weed](../type/benchmark.md)" in pages["lists/family/relabeling.md"]


def test_every_page_is_text_with_single_blank_lines_and_the_same_twice(checkout: Checkout) -> None:
    pages = documents(checkout.project, checkout.catalog())
    for page in pages:
        assert page.text.startswith("<!-- Generated by `catalog build`"), page.path
        assert page.text.endswith("\n")
        assert "\n\n\n" not in page.text
    assert documents(checkout.project, checkout.catalog()) == pages


def test_links_lead_somewhere(catalog: Catalog) -> None:
    """Of every page: fragments to headings, paths to files, and names in brackets to a definition."""
    pages = documents(Project(REPOSITORY), catalog)
    made = {REPOSITORY / page.path for page in pages}
    headings = {page.path: set(_headings(page.text)) for page in pages}
    for page in pages:
        targets = set(_targets(page.text))
        assert targets, page.path
        for target in targets:
            if target.startswith(("https://", "http://")):
                continue
            path, _, fragment = target.partition("#")
            place = ((REPOSITORY / page.path).parent / path).resolve() if path else REPOSITORY / page.path
            assert place in made or place.exists(), (page.path, target)
            assert not fragment or fragment in headings[place.relative_to(REPOSITORY).as_posix()], (page.path, target)
    shown = "".join(child.content for child in _inline(pages[0].text) if child.type == "text")
    assert not re.search(r"\[[a-z-]+\]", shown), "a name in brackets that no definition makes a link"


def _inline(text: str) -> Iterator[Token]:
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
        yield from token.children or ()


def _targets(text: str) -> Iterator[str]:
    return (str(child.attrGet("href")) for child in _inline(text) if child.type == "link_open")


def _headings(text: str) -> Iterator[str]:
    """The fragments that a code host gives to headings."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    for token, after in itertools.pairwise(tokens):
        if token.type == "heading_open":
            words = "".join(letter for letter in after.content.lower() if letter.isalnum() or letter in "- _")
            yield words.replace(" ", "-")


def test_every_paper_has_one_main_section(catalog: Catalog) -> None:
    listed = [one.id for section in sections(catalog) for one in section.papers if one.id not in section.guests]
    assert sorted(listed) == sorted(catalog.by_id)
    pages = [section.page for section in sections(catalog) if section.page]
    assert len(pages) == len(set(pages))


def test_retracted_papers_are_struck(checkout: Checkout) -> None:
    checkout.change(checkout.gardens, "provenance:", "state: {kind: retracted}\nprovenance:")
    assert "- ~~[Gardens: A Benchmark of Invented Gardeners](https://example.org/gardens)~~ (retracted) ·" in front(
        checkout
    )


def test_the_readme_tells_the_first_reading_path(checkout: Checkout) -> None:
    assert "In this order" not in front(checkout)
    checkout.add("site/reading-paths.yaml", PATHS)
    text = front(checkout)
    assert (
        "New here? In this order:\n\n"
        "1. [Gardens: A Benchmark of Invented Gardeners](https://example.org/gardens) (2032): Begin with this.\n"
        "2. [Glossary](site/glossary.yaml): The words.\n"
        "3. [`unlearn run fade`](reference_impls/methods/gradient_ascent/fade.py): Run it.\n\n" in text
    )
    assert "Old hand" not in text


PATHS = """\
- id: newcomer
  title: New here
  audience: For somebody.
  steps:
    - {paper: okonkwo2032gardens, why: Begin with this.}
    - {page: glossary, why: The words.}
    - {page: results, why: Only on the site.}
    - {method: fade, why: Run it.}
- id: other
  title: Old hand
  audience: For somebody else.
  steps:
    - {method: fade, why: Run it again.}
"""


@given(st.lists(texts, min_size=1, max_size=9), st.integers(2, 6))
def test_a_byline_names_as_many_as_it_may(authors: list[str], most: int) -> None:
    said = byline(authors, most)
    if len(authors) <= most:
        assert said == ", ".join(authors)
    else:
        assert said == f"{', '.join(authors[: most - 1])} and {len(authors) - most + 1} others"


def test_readme_shows_results(checkout: Checkout) -> None:
    checkout.add("reference_impls/tasks/authors/__init__.py", _task("authors"))
    checkout.change(checkout.gardens, "  - {id: fade", "  - {id: authors, relation: introduces}\n  - {id: fade")
    for method, seed, value in (("target", 0, 0.9), ("retrained", 0, 0.1), ("fade", 0, 0.2), ("fade", 1, 0.4)):
        row = invented_result(method=method, seed=seed, metrics={"forget_probability": value}, seconds=3.2)
        checkout.add(f"reference_impls/results/{row.file}", row.to_json())
    text = front(checkout)
    assert text.count("| [Fade][fade] | 0.30 | 3 |") == 2, "in the short table and in the whole"
    assert "| *Target* | 0.90 | – |" in text
    assert "Means over 2 seeds" in text


def test_the_short_table_has_the_nearest_method_of_each_family_that_keeps_utility(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.add("reference_impls/tasks/authors/__init__.py", _task("authors"))
    checkout.change(checkout.gardens, "  - {id: fade", "  - {id: authors, relation: introduces}\n  - {id: fade")
    first = links = "  - {id: fade, relation: introduces}\n"
    fade = (checkout.root / "reference_impls/methods/gradient_ascent/fade.py").read_text(encoding="utf-8")
    for name, family in (("near", "gradient-ascent"), ("broken", "gradient-ascent"), ("other", "relabeling")):
        text = fade.replace("(Fade)", f"({name.title()})")
        checkout.add(f"reference_impls/methods/{family.replace('-', '_')}/{name}.py", text)
        links += f"  - {{id: {name}, relation: introduces}}\n"
    checkout.change(checkout.fading, first, links)
    # known of the forget set, and utility: broken is nearest to the retrained model, but little else is left of it.
    measured = {
        "target": (0.9, 0.6),
        "retrained": (0.1, 0.6),
        "fade": (0.4, 0.6),
        "near": (0.2, 0.55),
        "broken": (0.1, 0.5),
        "other": (0.7, 0.6),
    }
    for method, (known, utility) in measured.items():
        row = invented_result(method=method, metrics={"forget_probability": known, "model_utility": utility})
        checkout.add(f"reference_impls/results/{row.file}", row.to_json())
    found = measured_on_front(checkout.project, checkout.catalog())
    assert found
    assert [row[0] for row in found.short.rows] == ["Target", "Retrained", "Near", "Other"]
    assert [row[0] for row in found.long.rows] == ["Target", "Retrained", "Broken", "Near", "Fade", "Other"]
    monkeypatch.setattr("catalog.outputs.readme.results._MOST", 1)
    bounded = measured_on_front(checkout.project, checkout.catalog())
    assert bounded
    assert [row[0] for row in bounded.long.rows] == ["Target", "Retrained", "Broken"]
    assert (bounded.shown, bounded.methods) == (1, 4)


def _task(name: str) -> str:
    return (
        f'"""Invented people ({name}).\n\nQuestions.\n"""\n\n\n'
        'class PeopleTask(Task):\n    """P."""\n\n'
        '    paper = "okonkwo2032gardens"\n    headline = "forget_probability"\n'
    )


# How long they are --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(catalog: Catalog) -> Catalog:
    """Ten thousand papers, the real ones among them."""
    records = {
        f"papers/{record['date'][:4]}/{ident}.yaml": {**record, "id": ident}
        for ident, record in generate(Project(REPOSITORY), 10_000)
    }
    papers = [
        Paper.model_validate_json(json.dumps({**record, "file": file}, default=str)) for file, record in records.items()
    ]
    shown = [
        paper.model_copy(update={"appeared": appearance(paper.venue, catalog.vocabularies)}) if paper.venue else paper
        for paper in papers
    ]
    return replace(catalog, papers=_in_order((*catalog.papers, *shown)))


def _in_order(papers: Iterable[Paper]) -> tuple[Paper, ...]:
    return tuple(sorted(sorted(papers, key=lambda paper: paper.id), key=lambda paper: paper.date, reverse=True))


@pytest.mark.slow
@pytest.mark.parametrize(("count", "whole"), [(645, True), (1_000, True), (2_000, False), (10_000, False)])
def test_pages_stay_short(count: int, whole: bool, catalog: Catalog, many: Catalog) -> None:
    generated = [paper for paper in many.papers if paper.id not in catalog.by_id]
    chosen = random.Random(0).sample(generated, max(0, count - len(catalog.papers)))
    some = replace(catalog, papers=_in_order((*catalog.papers, *chosen)))
    readme, *lists = documents(Project(REPOSITORY), some)
    assert len(readme.text.encode()) < 200_000
    assert all(len(page.text.encode()) < 300_000 for page in lists)
    listed = {owner for page in lists for owner in page.owners.values()}
    assert listed == some.by_id.keys()
    assert (set(readme.owners.values()) == listed) == whole
    assert ("\nPapers before " in readme.text) != whole
    if not whole:
        assert len(readme.text.encode()) > 0.85 * README_BYTES, "no more is left out than has to be"


def test_what_does_not_fit_is_left_to_pages_by_year_and_month(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        year = 2028 + number % 4
        add(checkout, f"doe{year}{WORDS[number]}", number, date=f"{year}-{1 + number // 4 % 2:02}")
    _shorten(monkeypatch, checkout, page=2_200)
    readme, *lists = documents(checkout.project, checkout.catalog())
    page = "lists/family/gradient-ascent.md"
    assert f"\nPapers before 2031 are on [its list]({page}).\n" in readme.text
    assert {one.path for one in lists if "/gradient-ascent/" in one.path} == {
        f"lists/family/gradient-ascent/{part}.md" for part in ("2031-04", "2031-02", "2031-01", "2030", "2029", "2028")
    }
    (above,) = [one for one in lists if one.path == page]
    assert "By date: [2031-04](gradient-ascent/2031-04.md), [2031-02]" in above.text
    assert {owner for one in lists for owner in one.owners.values()} == checkout.catalog().by_id.keys()


def _shorten(monkeypatch: pytest.MonkeyPatch, checkout: Checkout, page: int) -> None:
    """Leave room for a dozen lines in the README, and for so many bytes on a page."""
    empty = documents(checkout.project, replace(checkout.catalog(), papers=()))[0]
    monkeypatch.setattr("catalog.outputs.readme.pages.README_BYTES", len(empty.text.encode()) + 1_300)
    monkeypatch.setattr("catalog.outputs.readme.layout.PAGE_BYTES", page)
    monkeypatch.setattr("catalog.outputs.readme.layout._SECTION_BYTES", (1_200, 600, 300))


# What another paper changes -----------------------------------------------------------------------------


def _new(catalog: Catalog, **changes: object) -> Paper:
    model = next(paper for paper in catalog.papers if paper.id in ("lindqvist2031fading", "zhang2024negative"))
    facts = {
        "id": "zebra2025new",
        "file": "papers/2025/zebra2025new.yaml",
        "title": "Quite New",
        "also": (),
        "state": None,
    }
    links = model.links.model_copy(update={"arxiv": "2505.99999"})
    return model.model_copy(update={**facts, "links": links, "implementations": (), "family": (), **changes})


def _kinds(catalog: Catalog) -> Iterator[dict[str, Any]]:
    link = next(paper for paper in catalog.papers if paper.implementations).implementations[0]
    types, families = catalog.vocabularies["type"].ids, catalog.vocabularies["family"].ids
    yield from ({"type": kind, "date": date} for kind in types for date in ("2025-05", "2099-01", "1999-01"))
    yield from ({"type": "method", "family": (family,)} for family in families)
    yield from ({"type": kind, "also": ("method",), "family": families[:2]} for kind in types if kind != "method")
    for relation in ("introduces", "extends", "evaluates", "uses", "related"):
        yield {"family": families[:1], "implementations": (link.model_copy(update={"relation": relation}),)}


def _assert_nothing_else_changes(project: Project, catalog: Catalog, changes: dict[str, object]) -> None:
    new = _new(catalog, **changes)
    more = replace(catalog, papers=_in_order((*catalog.papers, new)))
    for old, page in zip(documents(project, catalog), documents(project, more), strict=True):
        others = [line for line in page.text.split("\n") if page.owners.get(line) != new.id]
        before = old.text.split("\n")
        # In a section that was empty, a blank line comes below the first paper.
        assert [line for line in others if line] == [line for line in before if line], (changes, page.path)
        assert len(others) - len(before) <= (1 if len(page.owners) - len(old.owners) else 0)


def test_a_paper_changes_no_line_but_its_own(checkout: Checkout) -> None:
    checkout.add("site/reading-paths.yaml", PATHS)
    catalog = checkout.catalog()
    for changes in _kinds(catalog):
        _assert_nothing_else_changes(checkout.project, catalog, changes)


def test_a_paper_changes_no_line_but_its_own_among_many(catalog: Catalog) -> None:
    for changes in list(_kinds(catalog))[::7]:
        _assert_nothing_else_changes(Project(REPOSITORY), catalog, changes)


# Being behind, and drift --------------------------------------------------------------------------------


def _gone(checkout: Checkout) -> None:
    (checkout.root / "papers/2032/doe2032late.yaml").unlink()


def _title_and_address(checkout: Checkout) -> None:
    checkout.change(checkout.fading, "Gentle", "Mild")
    checkout.change(checkout.fading, 'arxiv: "3104.01234"', "url: https://example.org/fading")


BEHIND: dict[str, tuple[Callable[[Checkout], object], str]] = {
    "a new paper": (lambda checkout: add(checkout, "doe2031night", 77), "doe2031night"),
    "the first paper of a section": (lambda checkout: add(checkout, "doe2031night", 77, type="theory"), "doe2031night"),
    "another title": (lambda checkout: checkout.change(checkout.fading, "Gentle", "Mild"), "lindqvist2031fading"),
    "another address": (
        lambda checkout: checkout.change(checkout.fading, "3104.01234", "3104.12340"),
        "lindqvist2031fading",
    ),
    "both": (_title_and_address, "lindqvist2031fading"),
    "another family": (
        lambda checkout: checkout.change(checkout.fading, "family: [gradient-ascent]", "family: [relabeling]"),
        "lindqvist2031fading",
    ),
    "a summary": (lambda checkout: checkout.change(checkout.gardens, "Asks about", "Is about"), "okonkwo2032gardens"),
    "retracted": (
        lambda checkout: checkout.change(checkout.gardens, "provenance:", "state: {kind: retracted}\nprovenance:"),
        "okonkwo2032gardens",
    ),
    "a record that is gone": (_gone, "doe2032late"),
}


@pytest.fixture
def built(checkout: Checkout) -> Checkout:
    checkout.add("site/reading-paths.yaml", PATHS)
    add(checkout, "doe2032late", 99, date="2032-07")
    build(checkout.project, checkout.catalog())
    return checkout


def compared(checkout: Checkout) -> Comparison:
    return compare(checkout.project, checkout.catalog())


@pytest.mark.parametrize("case", BEHIND)
def test_a_branch_may_be_behind_with_lines_of_papers(case: str, built: Checkout, run: Run) -> None:
    change, paper = BEHIND[case]
    change(built)
    before = {path: path.read_bytes() for path in (built.root / "README.md", *built.project.lists.rglob("*.md"))}
    ran = run("build", "--check")
    assert ran.status == 0, ran.err
    assert re.search(rf"(?:is|are) behind by 1 paper \({paper}\): CI writes (?:it|them) on main\.\n", ran.out), ran.out
    assert all(path.read_bytes() == content for path, content in before.items())
    strict = run("build", "--check", "--strict")
    assert strict.status == 1
    assert "not what the records give" in strict.err
    run("build")
    assert run("build", "--check", "--strict").status == 0


def _edit(checkout: Checkout, name: str, old: str, new: str) -> None:
    checkout.change(checkout.root / name, old, new)


INVENTED = "- [Mine](https://example.org/mine) · 2032\n"
LISTED = "- **[Mine](https://example.org/mine)** · 2032<br>Me · [record](../../papers/2032/me2032mine.yaml)\n"
EDITS = {
    "a word": ("README.md", "Language models remember", "Language models recall"),
    "a heading": ("README.md", "## Theory\n\n", ""),
    "headings in another order": ("README.md", "## Theory\n", "## Analyses\n"),
    "a paper without a record": ("README.md", "\n- [Fading", f"\n{INVENTED}- [Fading"),
    "a paper without a record, on a list": (
        "lists/family/gradient-ascent.md",
        "\n- **[Fading",
        f"\n{LISTED}- **[Fading",
    ),
    "a paper at the top": (
        "README.md",
        "## Start\n",
        "- [Fading Out](https://arxiv.org/abs/3104.01234) · best\n\n## Start\n",
    ),
    "what runs": ("README.md", "[fade]: reference_impls/methods", "[fade]: elsewhere/methods"),
    "a blank line": ("README.md", "Python 3.11", "\nPython 3.11"),
    "a step of the reading path": ("README.md", ": The words.", ": Some words."),
    "a table": ("README.md", "| [Theory](#theory) |", "| [Theory](#theory) | 1"),
    "the definition on a list": (
        "lists/family/gradient-ascent.md",
        "Fine-tuning with a forget",
        "Tuning with a forget",
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_drift_is_found_in_its_line(case: str, built: Checkout, run: Run) -> None:
    name, old, new = EDITS[case]
    text = (built.root / name).read_text(encoding="utf-8")
    line = text[: text.index(old) + len(old) - len(old.lstrip("\n"))].count("\n") + 1
    _edit(built, name, old, new)
    add(built, "doe2031night", 77)
    ran = run("build", "--check")
    assert ran.status == 1
    assert f"{name}:{line}: not what the records give." in ran.err
    assert "Run `catalog build`, and commit what changes." in ran.err


def test_every_line_that_is_no_paper_s_is_watched(built: Checkout) -> None:
    catalog = built.catalog()
    pages = documents(built.project, catalog)
    owners = Owners(catalog, {page.path: page.text for page in pages})
    for page in pages:
        assert compare_page(page, page.text, owners) == ((), [])
        lines = page.text.split("\n")
        for number, line in enumerate(lines, 1):
            if line and line not in page.owners:
                text = "\n".join([*lines[: number - 1], *lines[number:]])
                behind, (drift,) = compare_page(page, text, owners)
                assert (behind, drift.file) == ((), page.path)
                # The blank line above an empty list may be taken for the one below another.
                assert drift.line in (number, number + 1)


def test_a_page_too_few_or_too_many_is_drift(built: Checkout, run: Run) -> None:
    (built.root / "lists/type/theory.md").unlink()
    built.add("lists/type/mine.md", "# Mine\n")
    ran = run("build", "--check")
    assert ran.status == 1
    assert "lists/type/theory.md is missing." in ran.err
    assert "lists/type/mine.md is none of the pages that are made" in ran.err


def test_lists_that_are_made_no_more_are_deleted_and_nothing_else(built: Checkout, run: Run) -> None:
    built.add("lists/family/old.md", (built.root / "lists/type/theory.md").read_bytes())
    built.add("lists/notes.md", "Mine.\n")
    run("build")
    assert not (built.root / "lists/family/old.md").exists()
    assert (built.root / "lists/notes.md").exists()


@pytest.mark.parametrize("seed", range(8))
def test_lines_of_papers_may_be_missing_twice_or_in_another_order(seed: int, built: Checkout) -> None:
    chance = random.Random(seed)
    for number in range(12):
        add(built, f"doe2031{WORDS[number]}", number)
    build(built.project, built.catalog())
    touched: set[str] = set()
    for page in documents(built.project, built.catalog()):
        lines = page.text.split("\n")
        for line in [line for line in page.owners if line.startswith("- ") and chance.random() < 0.2]:
            touched.add(page.owners[line])
            place = lines.index(line)
            match chance.choice(("missing", "twice", "moved")):
                case "missing" if sum(other in page.owners for other in lines) > 3:
                    del lines[place]
                case "twice":
                    lines.insert(place, line)
                case _ if lines[place + 1] in page.owners:
                    lines[place : place + 2] = lines[place + 1], line
        (built.root / page.path).write_text("\n".join(lines), encoding="utf-8")
    found = compared(built)
    assert found.drift == ()
    # Of two lines that changed places, either may be called the one that moved.
    assert len(found.papers) <= len(touched)
    assert bool(found.papers) == any(
        (built.root / page.path).read_text(encoding="utf-8") != page.text
        for page in documents(built.project, built.catalog())
    )


def test_a_paper_that_moves_others_to_another_page_is_only_behind(
    built: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    _shorten(monkeypatch, built, page=500)
    seen = set()
    for number in range(16):
        build(built.project, built.catalog())
        seen.add(tuple(page.path for page in documents(built.project, built.catalog())))
        year = 2028 + number % 5
        ident = f"doe{year}{WORDS[number]}"
        add(built, ident, number, date=f"{year}-{1 + number % 3:02}")
        found = compared(built)
        assert found.drift == (), number
        assert ident in found.papers
    assert len(seen) > 3, "new pages came"
    build(built.project, built.catalog())
    assert compared(built) == Comparison()
    monkeypatch.undo()
    assert compared(built).drift, "pages are not split where nothing asks for it"


# Merging --------------------------------------------------------------------------------------------------


class Repository:
    """The small checkout in git."""

    def __init__(self, checkout: Checkout) -> None:
        self.root = checkout.root
        checkout.add(".gitignore", "build/\n")
        checkout.add(".gitattributes", (REPOSITORY / ".gitattributes").read_bytes())
        self("init", "-q", "-b", "main", ".")
        self.commit("start")

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return subprocess.run(["git", *who, *arguments], cwd=self.root, capture_output=True, text=True, check=False)

    def commit(self, subject: str) -> None:
        self("add", "-A")
        assert self("commit", "-q", "-m", subject).returncode == 0


@pytest.mark.parametrize("first_builds", [True, False])
@pytest.mark.parametrize("second_builds", [True, False])
@pytest.mark.parametrize("kind", ["method", "benchmark", "theory"])
def test_two_branches_with_a_paper_each_merge(
    kind: str, second_builds: bool, first_builds: bool, checkout: Checkout, run: Run
) -> None:
    checkout.add("site/reading-paths.yaml", PATHS)
    build(checkout.project, checkout.catalog())
    git = Repository(checkout)
    for ident, number, builds in (("adams2031night", 1, first_builds), ("brown2031noon", 2, second_builds)):
        git("switch", "-q", "-c", ident, "main")
        # Both come to stand between the same two lines.
        add(checkout, ident, number, date="2031-06", type=kind)
        if builds:
            assert run("build").status == 0
        git.commit(ident)
    git("switch", "-q", "main")
    for ident in ("adams2031night", "brown2031noon"):
        merged = git("merge", "--no-edit", "-q", ident)
        assert merged.returncode == 0, merged.stdout + merged.stderr
    assert run("validate").status == 0
    ran = run("build", "--check")
    assert ran.status == 0, ran.err
    text = (checkout.root / "README.md").read_text(encoding="utf-8")
    assert ("[Night " in text, "[Noon " in text) == (first_builds, second_builds)
    assert run("build").status == 0
    assert run("build", "--check", "--strict").status == 0
    text = (checkout.root / "README.md").read_text(encoding="utf-8")
    assert text.index("[Night ") < text.index("[Noon ")


def test_branches_that_change_and_remove_a_paper_merge(checkout: Checkout, run: Run) -> None:
    for number in range(3):
        add(checkout, f"doe2031{WORDS[number]}", number)
    build(checkout.project, checkout.catalog())
    git = Repository(checkout)
    git("switch", "-q", "-c", "one")
    checkout.change(checkout.fading, "Gentle", "Mild")
    (checkout.root / "papers/2031/doe2031dolt.yaml").unlink()
    run("build")
    git.commit("one")
    git("switch", "-q", "-c", "two", "main")
    checkout.change(checkout.fading, "Lets what", "Makes what")
    add(checkout, "adams2031night", 7)
    run("build")
    git.commit("two")
    merged = git("merge", "--no-edit", "-q", "one")
    assert merged.returncode == 0, merged.stdout + merged.stderr
    assert run("validate").status == 0
    assert run("build", "--check").status == 0
    run("build")
    assert run("build", "--check", "--strict").status == 0


@pytest.mark.parametrize(
    ("kind", "linked", "words"),
    [
        ("attack", "{id: fade, relation: evaluates}", "Attacks what runs here"),
        ("attack", "{id: gardens, relation: evaluates}", "Evaluates what runs here"),
        ("attack", "{id: fade, relation: uses}", "Uses what runs here"),
        ("evaluation", "{id: fade, relation: evaluates}", "Evaluates what runs here"),
        ("evaluation\nalso: [attack]", "{id: fade, relation: evaluates}", "Attacks what runs here"),
        ("survey", "{id: fade, relation: uses}", "Covers what runs here"),
    ],
)
def test_a_relation_in_words(kind: str, linked: str, words: str, checkout: Checkout) -> None:
    catalog = checkout.catalog()
    checkout.change(checkout.gardens, "type: benchmark\nalso: [method]", f"type: {kind}")
    links = "{id: gardens, relation: introduces}\n  - {id: fade, relation: uses}"
    checkout.change(checkout.gardens, links, linked)
    paper = read_record(checkout.gardens, checkout.gardens.name)[0]
    assert paper is not None
    assert [one.words for one in running(catalog, paper.paper)] == [words]
