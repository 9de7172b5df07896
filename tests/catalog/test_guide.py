"""Reading paths and the glossary, as people may write them."""

from __future__ import annotations

import pytest
from small_checkout import REPOSITORY, Checkout

from catalog.model.guide import read_guide

PATH = """\
- id: first
  title: First steps
  audience: For somebody.
  steps:
    - {paper: lindqvist2031fading, why: The paper.}
    - {method: fade, why: What it does.}
    - {page: results, why: How well.}
"""
NAVIGATION = """\
site_url: !ENV [SITE_URL, ""]
nav:
  - Results: results.md
  - Overview:
      - Lineage of methods: lineage.md
      - Authors: authors/index.md
"""
SEARCHES = """\
- id: attacks
  title: Attacks
  list: type=attack
"""
GLOSSARY = """\
- id: forget-set
  term: Forget set
  forms: [forget sets]
  definition: What has to go.
  see: [retain-set]
- id: retain-set
  term: Retain set
  definition: What has to stay.
  paper: okonkwo2032gardens
  linked: never
"""


def test_paths_and_glossary_reach_the_catalog(checkout: Checkout) -> None:
    checkout.add("site/reading-paths.yaml", PATH)
    checkout.add("site/glossary.yaml", GLOSSARY)
    guide = checkout.catalog().guide
    assert [(step.kind, step.id) for step in guide.paths[0].steps] == [
        ("paper", "lindqvist2031fading"),
        ("method", "fade"),
        ("page", "results"),
    ]
    assert [one.linked for one in guide.glossary] == ["first-use", "never"]


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "line"),
    [
        ("reading-paths.yaml", "{method: fade,", "{method: fade, paper: lindqvist2031fading,", "bad-value", 6),
        ("reading-paths.yaml", "{page: results, ", "{", "bad-value", 7),
        ("reading-paths.yaml", "page: results", "page: result", "unknown-value", 7),
        ("reading-paths.yaml", "  audience: For somebody.\n", "", "missing-key", 1),
        ("searches.yaml", "type=attack", "type=atack", "guide-to-unknown", 1),
        ("searches.yaml", "type=attack", "runs=base&runs=yes", "guide-to-unknown", 1),
        ("searches.yaml", "type=attack", "kind=attack", "bad-value", 3),
        ("searches.yaml", "list: type=attack", "list: '?'", "bad-value", 3),
        ("searches.yaml", "  title: Attacks\n", "", "missing-key", 1),
        ("glossary.yaml", "see: [retain-set]", "see: [retain]", "guide-to-unknown", 1),
        ("glossary.yaml", "paper: okonkwo2032gardens", "paper: okonkwo2032garden", "guide-to-unknown", 6),
        ("glossary.yaml", "id: retain-set", "id: forget-set", "duplicate-term", 6),
        ("glossary.yaml", "definition: What has to go.", "definition: <b>What</b> has to go.", "html-in-text", 4),
    ],
)
def test_what_is_wrong_has_its_line(checkout: Checkout, file: str, old: str, new: str, code: str, line: int) -> None:
    checkout.add("site/reading-paths.yaml", PATH)
    checkout.add("site/mkdocs.yml", NAVIGATION)
    checkout.add("site/searches.yaml", SEARCHES)
    path = checkout.add("site/glossary.yaml", GLOSSARY)
    assert checkout.problems() == []
    checkout.change(path.with_name(file), old, new)
    assert (f"site/{file}", line, code) in [(one.file, one.line, one.code) for one in checkout.problems()]


def test_the_navigation_says_which_pages_there_are(checkout: Checkout) -> None:
    checkout.add("site/mkdocs.yml", NAVIGATION)
    navigation = checkout.catalog().guide.navigation
    assert [(page.id, page.title, page.address) for page in navigation.by_id.values()] == [
        ("results", "Results", "results.html"),
        ("lineage", "Lineage of methods", "lineage.html"),
        ("authors", "Authors", "authors/index.html"),
    ]
    assert [page.id for page in navigation.section_of("authors")] == ["lineage", "authors"]
    assert navigation.section_of("elsewhere") == ()


@pytest.mark.parametrize(
    "nav", ["nav: 5", "nav: [index.md]", "nav: [{A: {B: c.md}}]", "- nav", "nav: [", "", "nav: [{A: 1}]"]
)
def test_any_navigation_is_read_or_told(checkout: Checkout, nav: str) -> None:
    """MkDocs says what is wrong with its own settings; only a file that is no YAML is a problem here."""
    checkout.add("site/mkdocs.yml", nav)
    assert [problem.code for problem in checkout.problems()] in ([], ["bad-yaml"], ["empty-file"])


def test_a_checkout_needs_neither(checkout: Checkout) -> None:
    assert read_guide(checkout.root / "site", checkout.root)[0].paths == ()


def test_every_word_of_the_glossary_links_to_one_term() -> None:
    guide, problems = read_guide(REPOSITORY / "site", REPOSITORY)
    assert problems == []
    words = [word.casefold() for one in guide.glossary for word in (one.term, *one.forms)]
    assert len(words) == len(set(words))


FAMILY = "reference_impls/methods/gradient_ascent/__init__.py"


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        (FAMILY, '"""Gradient ascent.\n\nOne loss, `softly`.\n\n- `fade`: turned around.\n"""\n', None),
        (FAMILY, '"""Gradient ascent.\n\nOne loss.\n\n- `fad`: turned around.\n"""\n', (5, "guide-to-unknown")),
        (FAMILY, "", (1, "no-docstring")),
        (FAMILY, '"""Open.', (1, "bad-python")),
        (FAMILY.replace("ascent", "assent"), '"""No family."""\n', (1, "implementation-family")),
    ],
)
def test_a_familys_guide_has_a_family_and_names_methods_that_run(
    checkout: Checkout, file: str, text: str, problem: tuple[int, str] | None
) -> None:
    checkout.add(file, text)
    wanted = [(file, *problem)] if problem else []
    assert [(one.file, one.line, one.code) for one in checkout.problems()] == wanted
    if not problem:
        assert checkout.catalog().family_guides["gradient-ascent"].summary == "One loss, `softly`."
