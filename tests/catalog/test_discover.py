"""``catalog discover``: what the sources are asked, what one that fails costs, a list that ``catalog add`` takes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import answers
import pytest
from answers import QUERY
from command_runs import Ran, Run
from local_server import Asked, Reply, Server
from small_checkout import REPOSITORY, Checkout

from catalog.base.web import AGENT
from catalog.intake.discovery import RulesError, read_rules
from catalog.intake.sources import crossref, openreview

DAYS = ("--since", "2032-01-01", "--until", "2032-03-01")
SEARCH = "/api2.openreview.net/notes/search"
WORKS = "/api.crossref.org/works"
LONG = "/aclanthology.org/volumes/2032.acl-long.bib"
TOUCHED = 1957651200000
"""In January 2032."""


def own_rules(checkout: Checkout, ruled_out: str = "") -> None:
    """The rules of this repository in a checkout, where the Anthology has but one volume."""
    text = (REPOSITORY / "catalog/discovery.yaml").read_text(encoding="utf-8")
    before, volumes, rest = re.split(r"(?<=\nvolumes:\n)((?:  - .+\n)+)", text)
    assert "acl-long" in volumes
    rest = rest.replace("\nnot-relevant:\n", f"\nnot-relevant:\n{ruled_out}")
    checkout.add("catalog/discovery.yaml", f"{before}  - acl-long\n{rest}")


@pytest.fixture
def discover(server: Server, checkout: Checkout, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    own_rules(checkout)
    monkeypatch.setenv("CATALOG_MIRRORS", answers.as_variable(answers.mirrors(server)))
    monkeypatch.setenv("CATALOG_TIMEOUT", "0.5")
    server[QUERY], server[SEARCH], server[WORKS] = answers.atom(), answers.notes(), answers.works()
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


def note(forum: str, title: str, touched: int = TOUCHED, **content: object) -> dict[str, object]:
    given = answers.note(True, title=title, **content)
    return {**given, "id": forum, "forum": forum} | dict.fromkeys(("cdate", "pdate", "mdate", "tmdate"), touched)


VOLUME = r"""@proceedings{acl-2032-long,
    title = "Proceedings of the 70th Annual Meeting of the Association for Computational Linguistics",
    editor = "Brandt, Ilse",
    year = "2032",
    url = "https://aclanthology.org/2032.acl-long.0/"
}
@inproceedings{roe-2032-moss,
    title = "Moss: {U}nlearning for {LLM}s in Shade",
    author = "Roe, Ann  and
      Doe, Ben",
    booktitle = "Proceedings of the 70th Annual Meeting of the Association for Computational Linguistics",
    month = jul,
    year = "2032",
    url = "https://aclanthology.org/2032.acl-long.7/",
    abstract = "We make language models forget."
}
@inproceedings{poe-2032-parsing,
    title = "Parsing Moss",
    author = "Poe, Cy",
    year = "2032",
    url = "https://aclanthology.org/2032.acl-long.8/",
    abstract = "Trees of sentences."
}
"""


def test_a_maintainers_week(server: Server, checkout: Checkout, discover: Callable[..., Ran], run: Run) -> None:
    """Look, strike out, add, validate."""
    server[QUERY] = answers.atom(*entries())
    ran = discover(*DAYS)
    assert ran.status == 0, ran.err
    assert "candidates from 2032-01-01 to 2032-03-01" in ran.err
    query = parse_qs(urlsplit(server.asked[0].path).query)["search_query"][0]
    assert "submittedDate:[203201010000 TO 203203012359]" in query
    batch = (checkout.root / "build/candidates.txt").read_text(encoding="utf-8")
    scores = {line[:10]: int(line.split()[2][:-1]) for line in batch.splitlines() if line[0].isdigit()}
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
    assert [one["paper"] for one in json.loads(discover(*DAYS, "--json").out)] == ["3202.00005"]


def test_all_sources_in_one_report(server: Server, checkout: Checkout, discover: Callable[..., Ran], run: Run) -> None:
    """A paper that several tell of is one candidate; each source is asked in its own way, and by a name."""
    server[QUERY] = answers.atom(answers.entry("3202.00007", "Moss: Unlearning for LLMs in Shade"))
    server[LONG] = Reply(VOLUME, type="text/plain")
    server[SEARCH] = answers.notes(
        note("fern1", "Ferns: Machine Unlearning for Language Models"),
        note("fern2", "Ferns: LLM Unlearning without Authors", authors=[]),
        note("fern3", "Old Ferns: LLM Unlearning", touched=TOUCHED - 10**11),
        note("fern4", "LLM Unlearning by Clouds", venue="ICLR 2032 Conference Withdrawn Submission"),
    )
    server[WORKS] = answers.works(
        answers.work("10.5555/moss.1", "Moss: Unlearning for LLMs in Shade"),
        answers.work("10.5555/moss.2", "Lichen", "We unlearn facts from large language models, and unlearn more."),
        answers.work("10.5555/moss.3", "LLM Unlearning, a Review of It", type="peer-review"),
        {"DOI": "10.5555/moss.4", "type": "journal-article", "title": ["LLM Unlearning by Nobody"]},
    )
    ran = discover(*DAYS, "--json")
    assert ran.status == 0, ran.err
    found = {one["title"]: one for one in json.loads(ran.out)}
    assert set(found) == {
        "Moss: Unlearning for LLMs in Shade",
        "Ferns: Machine Unlearning for Language Models",
        "Lichen",
    }
    moss = found["Moss: Unlearning for LLMs in Shade"]
    assert moss["sources"] == ["arXiv", "ACL Anthology", "Crossref"]
    assert moss["links"] == {"arxiv": "3202.00007", "acl": "2032.acl-long.7", "doi": "10.5555/moss.1"}
    assert found["Lichen"]["paper"] == "https://doi.org/10.5555/moss.2"
    assert found["Ferns: Machine Unlearning for Language Models"]["paper"] == "https://openreview.net/forum?id=fern1"
    assert all(one.headers["User-Agent"] == AGENT for one in server.asked)
    (works, *_) = (parse_qs(urlsplit(path).query) for path in server.paths() if path.startswith(WORKS))
    assert works["filter"] == ["from-created-date:2032-01-01,until-created-date:2032-03-01"]
    assert works["query.bibliographic"] == ["unlearning"]
    (notes, *_) = (parse_qs(urlsplit(path).query) for path in server.paths() if path.startswith(SEARCH))
    assert (notes["term"], notes["sort"], notes["source"]) == (["unlearning"], ["tmdate:desc"], ["forum"])
    checkout.add("build/candidates.txt", "https://openreview.net/forum?id=fern1\n")
    server["/api2.openreview.net/notes"] = answers.notes(note("fern1", "Ferns: Machine Unlearning for Language Models"))
    assert run("add", "--batch", "build/candidates.txt").status == 0
    assert "Ferns" not in discover(*DAYS).out


BROKEN = Reply("", 503, headers={"Retry-After": "0"})


@pytest.mark.parametrize(
    ("path", "name", "reply"),
    [
        (QUERY, "arXiv", BROKEN),
        (LONG, "ACL Anthology", BROKEN),
        (SEARCH, "OpenReview", Reply('{"name": "ChallengeRequiredError"}', 403, type="application/json")),
        (SEARCH, "OpenReview", Reply("[]", type="application/json")),
        (WORKS, "Crossref", Reply("busy", 429, headers={"Retry-After": "9999"})),
        (WORKS, "Crossref", Reply("<html>", type="text/html")),
    ],
)
def test_one_source_that_fails_costs_no_other(
    path: str, name: str, reply: Reply, server: Server, checkout: Checkout, discover: Callable[..., Ran]
) -> None:
    server[QUERY] = answers.atom(answers.entry("3202.00001", "Unlearning in Large Language Models by Night"))
    server[WORKS] = answers.works(answers.work("10.5555/moss.2", "Lichen Unlearning for LLMs"))
    server[path] = reply
    ran = discover(*DAYS)
    assert ran.status == 1
    assert f"Not reached: {name}" in ran.err
    assert ("3202.00001" in ran.out) == (path != QUERY)
    assert ("10.5555/moss.2" in ran.out) == (path != WORKS)
    markdown = (checkout.root / "build/candidates.md").read_text(encoding="utf-8")
    assert f"## Not reached\n\n* {name}" in markdown
    assert f"# Not reached: {name}" in (checkout.root / "build/candidates.txt").read_text(encoding="utf-8")


def test_pages_are_asked_for_as_long_as_they_are_of_use(
    server: Server, discover: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenReview by date, until the days end; Crossref by relevance, until a page holds nothing."""
    monkeypatch.setattr(openreview, "PAGE", 6)
    monkeypatch.setattr(crossref, "PAGE", 3)

    def notes(asked: Asked) -> Reply:
        start = int(parse_qs(urlsplit(asked.path).query)["offset"][0])
        touched = TOUCHED - start * 10**9
        return answers.notes(*(note(f"f{start + n}", f"LLM Unlearning {start + n}", touched) for n in range(6)))

    def works(asked: Asked) -> Reply:
        start = int(parse_qs(urlsplit(asked.path).query)["offset"][0])
        title = "LLM Unlearning on Paper" if start < 6 else "Soil"
        return answers.works(*(answers.work(f"10.5555/{start + n}", f"{title} {start + n}") for n in range(3)))

    server[SEARCH], server[WORKS] = notes, works
    ran = discover(*DAYS, "--json", "--source", "openreview", "--source", "crossref")
    asked = [parse_qs(urlsplit(path).query) for path in server.paths()]
    first = read_rules(REPOSITORY / "catalog/discovery.yaml").phrases[0]
    assert [one["offset"][0] for one in asked if one.get("term") == [first]] == ["0", "6"]
    assert [one["offset"][0] for one in asked if one.get("query.bibliographic") == [first]] == ["0", "3", "6"]
    found = json.loads(ran.out)
    told = Counter(tuple(one["sources"]) for one in found)
    assert told == {("OpenReview",): 6, ("Crossref",): 6}


def test_a_limit_that_was_reached_is_told(server: Server, discover: Callable[..., Ran]) -> None:
    server[QUERY] = answers.atom(*entries(), total=900)
    server[SEARCH] = answers.notes(*(note(f"f{number}", f"LLM Unlearning {number}") for number in range(6)))
    server[WORKS] = answers.works(*(answers.work(f"10.5555/{number}", "LLM Unlearning") for number in range(6)))
    ran = discover(*DAYS, "--limit", "6", "--source", "arxiv", "--source", "openreview", "--source", "crossref")
    assert ran.status == 1
    assert "only the newest 6 papers" in ran.err
    assert ran.err.count("more of these days than the 6 that were looked at") >= 2


def test_what_somebody_ruled_out_stays_out(server: Server, checkout: Checkout, discover: Callable[..., Ran]) -> None:
    own_rules(checkout, '  - "3202.00003"  # about gardens\n  - https://doi.org/10.5555/MOSS.2\n')
    server[QUERY] = answers.atom(*entries())
    server[WORKS] = answers.works(answers.work("10.5555/moss.2", "Lichen Unlearning for LLMs"))
    found = json.loads(discover(*DAYS, "--json").out)
    assert sorted(one["paper"] for one in found) == ["3202.00001", "3202.00005"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--since", "soon"), 2, "2026-10-01"),
        (("--since", "2032-02-01", "--until", "2032-01-01"), 2, "nothing between"),
        (("--source", "axiv"), 2, "Did you mean 'arxiv'?"),
        ((*DAYS, "--source", "arxiv"), 1, "busy"),
    ],
)
def test_trouble(
    arguments: tuple[str, ...], status: int, said: str, server: Server, checkout: Checkout, discover: Callable[..., Ran]
) -> None:
    server[QUERY] = BROKEN
    ran = discover(*arguments)
    assert (ran.status, said in ran.err) == (status, True), ran.err
    assert not (checkout.root / "build").exists()


@pytest.mark.parametrize("text", ["", "[]", "phrases: [x]", "forgetting: [x]\nleast: 1"])
def test_broken_rules(text: str, checkout: Checkout) -> None:
    with pytest.raises(RulesError):
        read_rules(checkout.add("catalog/discovery.yaml", text))
