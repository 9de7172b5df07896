"""``catalog discover``: what is asked, what counts, and a list that ``catalog add`` takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import answers
import pytest
from answers import QUERY
from command_runs import Ran, Run
from local_server import Reply, Server
from small_checkout import REPOSITORY, Checkout

from catalog.base.project import Project
from catalog.intake.discover import RulesError, read_rules, relevance
from catalog.intake.sources import Found
from catalog.model.vocabulary import load_vocabularies
from catalog.reading.load import load_catalog

DAYS = ("--since", "2032-01-01", "--until", "2032-03-01")
RULES = read_rules(REPOSITORY / "catalog/discovery.yaml")


@pytest.fixture
def discover(server: Server, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.setenv("CATALOG_MIRRORS", answers.as_variable(answers.mirrors(server)))
    monkeypatch.setenv("CATALOG_TIMEOUT", "0.5")
    return lambda *arguments: run("discover", *arguments)


def entries() -> list[str]:
    return [
        answers.entry("3202.00001", "Unlearning in Large Language Models by Night", abstract="A forget set."),
        answers.entry("3202.00002", "Graph Neural Networks for Roads", abstract="We mention unlearning once."),
        answers.entry("3202.00003", "Robust [LLM] Unlearning | <b>@you</b>", abstract="Evaluated on TOFU and WMDP."),
        answers.entry("3104.01234", "Machine Unlearning for Language Models that we have"),
        answers.entry("3202.00004", "LLM Unlearning, Withdrawn", comment="This paper has been withdrawn"),
        answers.entry(
            "3202.00005", "Fading Out: Gentle Forgetting for Small Language Models", abstract="Machine unlearning."
        ),
    ]


def test_a_maintainers_week(server: Server, checkout: Checkout, discover: Callable[..., Ran], run: Run) -> None:
    """Look, strike out, add, validate."""
    server[QUERY] = answers.atom(*entries())
    ran = discover(*DAYS)
    assert ran.status == 0
    assert "candidates from 2032-01-01 to 2032-03-01" in ran.err
    query = parse_qs(urlsplit(server.asked[0].path).query)["search_query"][0]
    assert "submittedDate:[203201010000 TO 203203012359]" in query
    batch = (checkout.root / "build/candidates.txt").read_text(encoding="utf-8")
    scores = {line[:10]: int(line.split()[2][:-1]) for line in batch.splitlines()[2:]}
    assert set(scores) == {"3202.00003", "3202.00001", "3202.00005"}
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert "similar: papers/2031/lindqvist2031fading.yaml" in ran.out
    markdown = (checkout.root / "build/candidates.md").read_text(encoding="utf-8")
    assert "@you" not in markdown
    assert "<b>" not in markdown
    kept = "\n".join(line for line in batch.splitlines() if "00005" not in line)
    checkout.add("build/candidates.txt", kept)
    papers = {paper: one for paper in ("3202.00001", "3202.00003") for one in entries() if paper in one}
    server[QUERY] = answers.Arxiv(papers)
    assert run("add", "--batch", "build/candidates.txt").status == 0
    assert run("validate").status == 0
    server[QUERY] = answers.atom(*entries())
    assert [one["arxiv"] for one in json.loads(discover(*DAYS, "--json").out)] == ["3202.00005"]


def test_what_somebody_ruled_out_stays_out(server: Server, checkout: Checkout, discover: Callable[..., Ran]) -> None:
    text = (REPOSITORY / "catalog/discovery.yaml").read_text(encoding="utf-8")
    rules = text.replace("\nnot-relevant:\n", '\nnot-relevant:\n  - "3202.00003"  # about gardens\n')
    checkout.add("catalog/discovery.yaml", rules)
    server[QUERY] = answers.atom(*entries())
    found = json.loads(discover(*DAYS, "--json").out)
    assert sorted(one["arxiv"] for one in found) == ["3202.00001", "3202.00005"]
    assert all(sum(int(reason.rpartition("(")[2][:-1]) for reason in one["reasons"]) == one["score"] for one in found)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--since", "soon"), 2, "2026-10-01"),
        (("--since", "2032-02-01", "--until", "2032-01-01"), 2, "nothing between"),
        (DAYS, 1, "busy"),
    ],
)
def test_trouble(
    arguments: tuple[str, ...], status: int, said: str, server: Server, checkout: Checkout, discover: Callable[..., Ran]
) -> None:
    server[QUERY] = Reply("", 503, headers={"Retry-After": "0"})
    ran = discover(*arguments)
    assert (ran.status, said in ran.err) == (status, True), ran.err
    assert not (checkout.root / "build").exists()


@pytest.mark.parametrize("text", ["", "[]", "query: x", "query: x\npoints: {a: b}\ndataset: 1\nleast: 1"])
def test_broken_rules(text: str, checkout: Checkout) -> None:
    with pytest.raises(RulesError):
        read_rules(checkout.add("catalog/discovery.yaml", text))


def test_the_rules_know_our_own_papers() -> None:
    """Most records about unlearning would be found by their title and summary; the theme's borders need not be."""
    catalog, _ = load_catalog(Project(REPOSITORY))
    assert catalog
    datasets = load_vocabularies()["dataset"]
    ours = [paper for paper in catalog.papers if "unlearn" in paper.title.lower()]
    scores = [
        relevance(Found("arxiv", one.title, one.authors, one.date, abstract=one.summary or ""), RULES, datasets)[0]
        for one in ours
    ]
    assert sum(score >= RULES.least for score in scores) >= 0.85 * len(scores)
    other = Found("arxiv", "Reinforcement Learning for Image Classification", ("A B",), "2032-01", abstract="Cats.")
    assert relevance(other, RULES, datasets)[0] < 0
