"""``catalog/discovery.yaml``: what it finds of papers that were missed, and what of their neighbours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small_checkout import REPOSITORY

from catalog.base.project import Project
from catalog.intake.discovery import Relevance, RulesError, read_rules, relevance
from catalog.intake.discovery.rules import Signal, spaced
from catalog.model.catalog import Catalog
from catalog.model.vocabulary import load_vocabularies
from catalog.reading.load import load_catalog

RULES = read_rules(REPOSITORY / "catalog/discovery.yaml")
DATASETS = load_vocabularies()["dataset"]
CASES = yaml.safe_load((REPOSITORY / "tests/catalog/discovery_cases.yaml").read_text(encoding="utf-8"))
UNRELATED = [(kind, title, text) for kind, papers in CASES["unrelated"].items() for title, text in papers]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    loaded, _ = load_catalog(Project(REPOSITORY))
    assert loaded
    return loaded


@pytest.fixture(scope="module")
def missed(catalog: Catalog) -> list[tuple[str, str, bool]]:
    """Title, summary and whether it is on arXiv, of the papers that were found missing."""
    records = [catalog.by_id[one] for one in CASES["wanted"]["records"]]
    assert len(records) > 100
    read = [(paper.title, paper.summary or "", bool(paper.links.arxiv)) for paper in records]
    return read + [(title, "", False) for title in CASES["wanted"]["titles"]]


def said(title: str, text: str = "") -> Relevance:
    return relevance(title, text, RULES, DATASETS)


def test_recall_and_precision(missed: list[tuple[str, str, bool]], catalog: Catalog) -> None:
    """The figures that the page on tending tells of; a change that makes them worse changes the page, too."""
    wanted = [said(title, text) for title, text, _ in missed]
    others = [said(title, text) for _, title, text in UNRELATED]
    found, wrong = sum(one.wanted for one in wanted), sum(one.wanted for one in others)
    assert found / len(wanted) >= 0.94
    assert found / (found + wrong) >= 0.95
    assert wrong / len(others) <= 0.03
    assert sum(one.likely for one in wanted) / len(wanted) >= 0.75
    assert [one.reasons for one in others if one.likely] == []
    ours = [said(paper.title, paper.summary or "").wanted for paper in catalog.papers]
    assert sum(ours) / len(ours) >= 0.9
    by_title = [said(paper.title).wanted for paper in catalog.papers]
    assert sum(by_title) / len(by_title) >= 0.85
    elsewhere = [said(title) for title in CASES["elsewhere"]]
    assert sum(one.wanted for one in elsewhere) / len(elsewhere) <= 0.45
    assert [one.reasons for one in elsewhere if one.likely] == []


WHOLE = " ".join(["We bound what is left of deleted examples."] * 10)


@pytest.mark.parametrize("title", ["Unlearning with Certificates", "Faster Unlearning", "Unlearning, Revisited"])
def test_a_whole_abstract_that_speaks_of_no_language_counts_against_a_paper(title: str) -> None:
    """A title alone leaves it open, as does a sentence or two; a word on language anywhere is enough."""
    assert said(title).wanted
    assert said(title, WHOLE[:200]).wanted
    assert not said(title, WHOLE).wanted
    assert "no model of language in the abstract (-3)" in said(title, WHOLE).reasons
    assert all(said(title, f"{WHOLE} We train {model}.").wanted for model in ("an LLM", "transformers", "on text"))


def test_arxiv_is_asked_for_what_the_rules_want(missed: list[tuple[str, str, bool]]) -> None:
    """A paper that the questions do not bring is never weighed; those here are read as arXiv reads them."""
    on_arxiv = [(title, text) for title, text, there in missed if there]
    brought = [any(answers(query, title, text) for query in RULES.arxiv_queries) for title, text in on_arxiv]
    assert sum(brought) / len(brought) >= 0.9
    unrelated = [any(answers(query, title, text) for query in RULES.arxiv_queries) for _, title, text in UNRELATED]
    assert 0 < sum(unrelated) < len(unrelated) / 2, "what is asked is wider than what is wanted, but not all there is"


def answers(query: str, title: str, abstract: str) -> bool:
    """Whether a question in arXiv's language finds a paper: words and phrases, and * at the end of a word."""
    texts = {"ti": spaced(title), "abs": spaced(abstract), "all": spaced(title) + spaced(abstract)}

    def holds(found: re.Match[str]) -> str:
        phrase = found["phrase"] or found["word"]
        pattern = re.escape(phrase).replace(r"\*", "[^ ]*")
        return str(re.search(f" {pattern} ", texts[found["field"]]) is not None)

    expression = re.sub(r'(?P<field>ti|abs|all):(?:"(?P<phrase>[^"*]+)"|(?P<word>[^ ()"*]+\*?))', holds, query)
    assert re.fullmatch(r"(?:True|False|AND|OR|[ ()])+", expression), expression
    return bool(eval(expression.replace("AND", "and").replace("OR", "or")))


@pytest.mark.parametrize(
    ("title", "text", "wanted"),
    [
        ("Gentle Unlearning for Large Language Models", "", True),
        ("MMUnlearner 2: Forgetting in MLLMs", "", True),
        ("Machine Un-learning in Small Chatbots", "", True),
        ("Erasing Hazardous Knowledge from LLMs", "", True),
        ("Knowledge Is Hard to Erase from LLMs", "", True),
        ("Mitigating Verbatim Memorization in Language Models", "", True),
        ("Detoxifying Chatbots by Weight Edits", "", True),
        ("A Simple Update", "We unlearn authors from LLMs; forget quality on TOFU is high.", True),
        ("Unlearning for Graph Neural Networks", "", False),
        ("Unlearning for Graph Neural Networks and LLMs", "", True),
        ("Unlearnable Examples for Language Models", "", False),
        ("Avoiding Catastrophic Forgetting in LLMs", "", False),
        ("Large Language Models", "", False),
        ("Removing Redundant Tokens from Prompts of LLMs", "", False),
        ("Text-to-Image Diffusion without Concepts", "We unlearn styles by prompts.", False),
        ("", "", False),
    ],
)
def test_kinds_of_titles(title: str, text: str, wanted: bool) -> None:
    assert said(title, text).wanted == wanted, said(title, text)


def test_what_is_said_in_passing_counts_half() -> None:
    long = "We attribute answers of models to documents. " * 12
    once, twice = f"{long} It may help unlearning.", f"{long} It helps unlearning, and unlearning helps it."
    assert said("LLM Attribution", once).score < said("LLM Attribution", twice).score
    assert not said("LLM Attribution", once).wanted
    assert any("in passing (+2)" in reason for reason in said("LLM Attribution", once).reasons)


WORDS = st.sampled_from("erase the knowledge of a language model and forget unlearning image graph speech data".split())


@given(st.lists(WORDS, max_size=12), st.lists(WORDS, max_size=20))
def test_reasons_are_what_counts(title: list[str], text: list[str]) -> None:
    """No word counts twice, the points are those of the reasons, up to the limit on forgetting."""
    result = said(" ".join(title), " ".join(text))
    points = [int(reason.rpartition("(")[2][:-1]) for reason in result.reasons]
    assert result.score <= sum(points)
    assert result.score == sum(points) or sum(one for one in points if one > 0) > RULES.most
    assert not result.likely or result.wanted
    assert not result.wanted or result.score >= RULES.least


@given(st.lists(st.sampled_from(["a", "b", "erases", "knowledge"]), max_size=9))
def test_pairs_stand_near_in_either_order(text: list[str]) -> None:
    signal = Signal(name="removal", points=3, phrases=("eras*",), beside=("knowledge",), within=2)
    places = [(one, other) for one, other in _pairs(text) if abs(one - other) <= 3]
    assert (signal.pattern.search(spaced(" ".join(text))) is not None) == bool(places)


def _pairs(text: list[str]) -> Iterator[tuple[int, int]]:
    for one, word in enumerate(text):
        yield from ((one, other) for other, beside in enumerate(text) if (word, beside) == ("erases", "knowledge"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- un learning", "- Un-learning", "small letters"),
        ("- un learning", "- un learn*", "several words"),
        ("least: 8", "least: many", "many"),
        ('"2201.06009"', "the first one", "names no paper"),
        ("dataset: ", "datasets: ", "dataset"),
    ],
)
def test_rules_that_cannot_be_used_say_why(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = (REPOSITORY / "catalog/discovery.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "discovery.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(RulesError, match=message):
        read_rules(path)
