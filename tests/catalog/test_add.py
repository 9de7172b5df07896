"""``catalog add``: from what people paste to a record that is valid, or to a clear word."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import answers
import pytest
from answers import QUERY
from command_runs import Ran, Run
from hypothesis import given
from hypothesis import strategies as st
from local_server import Asked, Reply, Server
from small_checkout import Checkout

from catalog.intake.draft import make_draft, make_id
from catalog.intake.sources import Found, references
from catalog.intake.suggest import Cues
from catalog.model.vocabulary import load_vocabularies
from catalog.reading.fmt import format_record

WORDS = ("Rain in Spring", "Snow", "Fog over Fields", "Hailstorm", "Dew")
FILE = "papers/2031/lindqvist2031moonlit.yaml"


@pytest.fixture
def add(server: Server, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.setenv("CATALOG_MIRRORS", answers.as_variable(answers.mirrors(server)))
    monkeypatch.setenv("CATALOG_TIMEOUT", "0.5")
    return lambda *arguments: run("add", *arguments)


def files(checkout: Checkout) -> dict[str, bytes]:
    found = (path for path in checkout.root.rglob("*") if path.is_file() and ".cache" not in path.parts)
    return {path.relative_to(checkout.root).as_posix(): path.read_bytes() for path in found}


def test_a_contributor_adds_a_paper(server: Server, checkout: Checkout, add: Callable[..., Ran], run: Run) -> None:
    """Add, look, validate, build: as a newcomer would."""
    comment = "Accepted at ICLR 2032. Code: https://github.com/lindqvist/moonlit"
    paper = answers.entry("3104.05678", comment=comment)
    server[QUERY] = answers.atom(paper)
    ran = add("https://arxiv.org/abs/3104.05678v2")
    assert (ran.status, ran.out) == (0, f"{FILE}\n")
    assert "catalog validate" in ran.err
    text = (checkout.root / FILE).read_text(encoding="utf-8")
    assert "# suggested:" in text
    assert '"TOFU" in the abstract' in text
    assert "https://github.com/lindqvist/moonlit" in text
    assert run("validate").status == 0
    assert "hint[unchecked-suggestion]" in run("validate", FILE).out
    assert run("fmt", "--check", FILE).status == 0
    assert run("build").status == 0
    assert "Moonlit Forgetting" in (checkout.root / "README.md").read_text(encoding="utf-8")
    shown = json.loads(run("show", "lindqvist2031moonlit", "--json").out)
    assert shown["links"]["arxiv"] == "3104.05678"
    assert shown["date"] == "2031-04"
    assert shown["venue"]["id"] == "iclr"


def test_nothing_is_added_twice_nor_overwritten(server: Server, checkout: Checkout, add: Callable[..., Ran]) -> None:
    server[QUERY] = answers.atom(answers.entry("3104.05678"))
    assert add("3104.05678").status == 0
    before = files(checkout)
    ran = add("arxiv.org/abs/3104.05678")
    assert ran.status == 1
    assert f"is there already: {FILE}" in ran.err
    assert len(server.asked) == 1
    # The same paper from another source: known by its title.
    server["/api2.openreview.net/notes"] = answers.notes(answers.note())
    ran = add("openreview:aB3_x-9Z")
    assert (ran.status, "has the same title" in ran.err) == (1, True)
    assert files(checkout) == before


def test_a_similar_title_is_asked_about(server: Server, checkout: Checkout, add: Callable[..., Ran]) -> None:
    title = "Fading Out: Gentle Forgetting of Small Models"
    server[QUERY] = answers.atom(answers.entry("3104.05678", title=title, authors=("Grace Okonkwo",)))
    before = files(checkout)
    ran = add("3104.05678")
    assert ran.status == 1
    assert "may be there already: papers/2031/lindqvist2031fading.yaml" in ran.err
    assert "--anyway" in ran.err
    assert files(checkout) == before
    assert add("3104.05678", "--anyway").out == "papers/2031/okonkwo2031fading.yaml\n"


def test_dry_run_and_json(server: Server, checkout: Checkout, add: Callable[..., Ran]) -> None:
    server[QUERY] = answers.atom(answers.entry("3104.05678"))
    before = files(checkout)
    assert add("3104.05678", "--dry-run").out.startswith("# A draft.")
    (outcome,) = json.loads(add("3104.05678", "--dry-run", "--json").out)
    assert (outcome["status"], outcome["file"]) == ("drafted", FILE)
    assert {"field", "term", "score", "reason"} == set(outcome["suggestions"][0])
    assert files(checkout) == before


def test_every_source(server: Server, checkout: Checkout, add: Callable[..., Ran], run: Run) -> None:
    server["/aclanthology.org/2031.findings-emnlp.12.bib"] = Reply(answers.ANTHOLOGY)
    server["/api2.openreview.net/notes"] = answers.notes(answers.note(title="Starlit Forgetting by Night"))
    server["/doi.org/10.5555/moonlit.12"] = answers.csl(title="Sunlit: A Benchmark")
    bib = checkout.add(
        "refs.bib",
        '@string{g = "Grace Okonkwo"}\n@misc{a, author=g, title={Rain on LLMs}, year=2031, eprint={3105.00001}}\n'
        "@article{b, author={Béla Müller}, title={Snow}, year=2030, journal={Journal of Weather}}\n",
    )
    ran = add("2031.findings-emnlp.12", "openreview:aB3_x-9Z", "10.5555/moonlit.12", str(bib))
    assert ran.out.split() == [
        FILE,
        "papers/2031/lindqvist2031starlit.yaml",
        "papers/2031/lindqvist2031sunlit.yaml",
        "papers/2031/okonkwo2031rain.yaml",
        "papers/2030/muller2030snow.yaml",
    ]
    assert "\n5 written.\n" in f"\n{ran.err}"
    problems = json.loads(run("validate", "--format", "json").out)
    assert [(one["file"], one["code"]) for one in problems if one["severity"] == "error"] == [
        ("papers/2030/muller2030snow.yaml", "no-text")
    ]
    assert "a link to the paper's text" in (checkout.root / "papers/2030/muller2030snow.yaml").read_text(
        encoding="utf-8"
    )
    assert all(run("fmt", "--check", one).status == 0 for one in ran.out.split())
    assert "venue: {id: emnlp, year: 2031, track: findings}" in (checkout.root / FILE).read_text(encoding="utf-8")
    weather = (checkout.root / "papers/2030/muller2030snow.yaml").read_text(encoding="utf-8")
    assert "# Published at Journal of Weather 2030, which is no term" in weather
    assert "names only the year" in (checkout.root / "papers/2030/muller2030snow.yaml").read_text(encoding="utf-8")
    assert "date: 2031-05" in (checkout.root / "papers/2031/okonkwo2031rain.yaml").read_text(encoding="utf-8")


def test_bibtex_as_programs_write_it(checkout: Checkout, add: Callable[..., Ran]) -> None:
    """JabRef begins with a comment, others with prose; an entry that says too little leaves the others alone."""
    text = (
        "% Encoding: UTF-8\nExported today.\n\n@Misc{a, title={Rain}, year=2031}\n"
        "@Article{b, author={Béla Müller}, title={Snow on Large Language Models}, year=2031, eprint={3105.00001}}\n"
    )
    ran = add(str(checkout.add("refs.bib", text)))
    assert (ran.status, ran.out) == (1, "papers/2031/muller2031snow.yaml\n")
    assert "the BibTeX entry a: the entry 'a' has no author.\n" in ran.err
    assert "1 written, 1 failed." in ran.err


def test_offline(checkout: Checkout, add: Callable[..., Ran], server: Server) -> None:
    saved = checkout.add("saved.xml", answers.feed(answers.entry("3104.05678"), answers.entry("3104.05679", "Dew")))
    assert add("3104.05679", "--offline", str(saved)).out == "papers/2031/lindqvist2031dew.yaml\n"
    assert add("--offline", str(saved)).status == 1
    assert (checkout.root / FILE).exists()
    assert add("3104.99999", "--offline", str(saved)).status == 2
    assert "cannot read" in add("--offline", "nowhere.xml").err
    assert server.asked == []


def test_batch_goes_on_where_it_stopped(server: Server, checkout: Checkout, add: Callable[..., Ran]) -> None:
    papers = {f"3104.{number:05}": answers.entry(f"3104.{number:05}", word) for number, word in enumerate(WORDS)}
    missing = papers.pop("3104.00003")
    known = answers.Arxiv(papers)
    server[QUERY] = known
    lines = "# to add\n" + "\n".join(f"https://arxiv.org/abs/3104.{number:05}  # later" for number in range(5))
    batch = checkout.add("batch.txt", lines + "\n\n3104.00000\n")
    ran = add("--batch", str(batch))
    assert ran.status == 1
    assert "4 written, 1 failed." in ran.err
    assert "https://arxiv.org/abs/3104.00003: arXiv gives no answer about it this time" in ran.err
    assert known.asked[1:] == [["3104.00003"]], "what was passed over is asked for again"
    papers["3104.00003"] = missing
    ran = add("--batch", str(batch))
    assert ran.status == 0
    assert "1 written, 4 there already." in ran.err
    assert len(list((checkout.root / "papers/2031").glob("lindqvist2031*"))) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a paper"),
        (("hello",), "names no paper"),
        (("nowhere.bib",), "cannot read nowhere.bib"),
        (("--batch", "nowhere.txt"), "cannot read"),
        (("--batch", "README"), "README:2: 'what is this' names no paper\n"),
        (("--batch", "empty.txt"), "empty.txt names no paper"),
        (("broken.bib",), "broken.bib: is broken BibTeX, near line 1"),
        (("twice.bib",), "twice.bib: gives the key 'a' a second time in line 2"),
        (("fields.bib",), "fields.bib: gives year twice in the entry in line 1"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], said: str, checkout: Checkout, add: Callable[..., Ran]) -> None:
    checkout.add("README", "2404.05868\nwhat is this\n")
    checkout.add("empty.txt", "# nothing yet\n")
    checkout.add("twice.bib", "@misc{a, title={A}}\n@misc{a, title={B}}\n")
    checkout.add("fields.bib", "@misc{a, title={A}, year=2031, year=2032}\n")
    checkout.add("broken.bib", "@article{a, title={")
    before = files(checkout)
    ran = add(*arguments)
    assert (ran.status, said in ran.err) == (2, True), ran.err
    assert files(checkout) == before


@pytest.mark.parametrize("variable", ["CATALOG_MIRRORS", "CATALOG_TIMEOUT"])
def test_wrong_environment(variable: str, add: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "nonsense")
    ran = add("3104.05678")
    assert (ran.status, variable in ran.err) == (2, True)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(answers.BOMB, type="application/atom+xml"),
        Reply("<html>", type="text/html"),
        Reply("", 302, headers={"Location": "file:///etc/passwd"}),
        Reply("", 302, headers={"Location": "http://192.168.0.1/"}),
        Reply("", 503, headers={"Retry-After": "99999"}),
        Reply(b"x" * 9_000_000, type="application/atom+xml"),
        Reply(answers.feed(answers.entry())[:-300], type="application/atom+xml"),
        answers.atom(answers.entry("3104.05678", title="x" * 5000)),
        answers.atom(answers.entry("3104.05678", authors=["A B"] * 500)),
    ],
)
def test_bad_answers_write_nothing(reply: Reply, server: Server, checkout: Checkout, add: Callable[..., Ran]) -> None:
    server[QUERY] = reply
    before = files(checkout)
    ran = add("3104.05678")
    assert ran.status == 1
    assert len(ran.err) > 20
    assert files(checkout) == before
    assert not list(checkout.root.rglob("*.part"))


def test_hostile_texts_become_plain_ones(server: Server, checkout: Checkout, add: Callable[..., Ran], run: Run) -> None:
    title = "Yes: [x](javascript:alert) <script>alert(1)</script> # {{ 7*7 }} : - \u202e !!python/object *a &b"
    server[QUERY] = answers.atom(answers.entry("3104.05678", title=title, authors=("no", "Null: Void, #1", "../../x")))
    ran = add("3104.05678")
    assert ran.status == 0, ran.err
    assert re.fullmatch(r"papers/2031/[a-z0-9]+\.yaml\n", ran.out)
    assert [one for one in json.loads(run("validate", "--format", "json").out) if one["severity"] == "error"] == []
    shown = json.loads(run("show", Path(ran.out.strip()).stem, "--json").out)
    assert shown["authors"] == ["no", "Null: Void, #1", "../../x"]
    assert "<" not in shown["title"]


def test_a_broken_record_elsewhere_does_not_matter(server: Server, checkout: Checkout, add: Callable[..., Ran]) -> None:
    checkout.change(checkout.gardens, "type: benchmark", "type: [benchmark")
    server[QUERY] = answers.atom(answers.entry("3104.05678"))
    assert add("3104.05678").status == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(server: Server, checkout: Checkout, add: Callable[..., Ran]) -> None:
    server[QUERY] = answers.atom(answers.entry("3104.05678"))
    (checkout.root / "papers/2031").chmod(0o500)
    assert add("3104.05678").status == 2


def test_withdrawn_papers_say_so(server: Server, checkout: Checkout, add: Callable[..., Ran], run: Run) -> None:
    comment = "This paper has been withdrawn by the authors"
    server[QUERY] = answers.atom(answers.entry("3104.05678", comment=comment))
    assert add("3104.05678").status == 0
    assert "kind: withdrawn" in (checkout.root / FILE).read_text(encoding="utf-8")
    assert run("validate").status == 0


def test_retracted_papers_say_so(server: Server, checkout: Checkout, add: Callable[..., Ran], run: Run) -> None:
    server["/doi.org/10.5555/moonlit.12"] = answers.csl(**{"updated-by": [{"type": "retraction"}]})
    assert "kind: retracted" in add("10.5555/moonlit.12", "--dry-run").out


@pytest.mark.parametrize(
    ("source", "paper", "field", "reason"),
    [
        ({"comment": "Accepted at ICLR 2032"}, "3104.05678", "venue", "arXiv names ICLR 2032"),
        ({"journal": "EMNLP 2031"}, "3104.05678", "venue", "arXiv names EMNLP 2031"),
        ({"comment": "Withdrawn: an error in the proof"}, "3104.05678", "state", "arXiv says: Withdrawn"),
        ({}, "openreview:aB3_x-9Z", "venue", "OpenReview names ICLR 2032"),
        ({"venue": "ICLR 2032 Withdrawn Submission"}, "openreview:aB3_x-9Z", "state", "OpenReview says: ICLR 2032"),
        ({}, "10.5555/moonlit.12", "venue", "the DOI's registry names KDD 2031"),
        ({"title": "RETRACTED: Moonlit"}, "10.5555/moonlit.12", "state", "the DOI's registry says: Retracted"),
        ({"updated-by": [{"type": "retraction"}]}, "10.5555/moonlit.12", "state", "the DOI's registry says"),
        ({}, "@misc{a, author={B C}, title={Rain}, year=2031, booktitle={ICML 2031}}", "venue", "BibTeX names ICML"),
        ({}, "2031.findings-emnlp.12", "venue", ""),
    ],
)
def test_what_was_read_in_words_is_suggested(
    source: dict[str, Any], paper: str, field: str, reason: str, server: Server, add: Callable[..., Ran]
) -> None:
    server[QUERY] = answers.atom(answers.entry("3104.05678", **source if paper[0] == "3" else {}))
    server["/api2.openreview.net/notes"] = answers.notes(answers.note(**source if paper[0] == "o" else {}))
    server["/doi.org/10.5555/moonlit.12"] = answers.csl(**source if paper[0] == "1" else {})
    server["/aclanthology.org/2031.findings-emnlp.12.bib"] = Reply(answers.ANTHOLOGY)
    lines = add(paper, "--dry-run").out.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith(f"{field}:"))
    assert lines[at - 1].startswith(f"# suggested: {reason}") == bool(reason)
    assert bool(reason) or not lines[at - 1].startswith("# suggested")


RAIN = "@misc{a, author={B C}, title={Rain}, year=2031}"
LINES = {
    "3104.05678 3104.05679": 2,
    "https://arxiv.org/abs/3104.05678, https://arxiv.org/abs/3104.05679": 2,
    "https://arxiv.org/abs/3104.05678,https://arxiv.org/abs/3104.05679  # both": 2,
    "arXiv: 3104.05678 [cs.LG]; arXiv:3104.05679v2": 2,
    "arxiv.org/abs/3104.05678 https://arxiv.org/pdf/3104.05678.pdf": 1,
    "[Moonlit](https://arxiv.org/abs/3104.05678)": None,
    "3104.05678 good": None,
    f"{RAIN}\n3104.05678, 3104.05679": 3,
    f"{RAIN}\nas in 3104.05678\n@misc{{b, author={{B C}}, title={{Dew}}, year=2031}}": 2,
}


@pytest.mark.parametrize(("text", "count"), LINES.items())
def test_every_paper_of_a_line_is_added(
    text: str, count: int | None, server: Server, checkout: Checkout, add: Callable[..., Ran]
) -> None:
    papers = {f"3104.0567{number}": answers.entry(f"3104.0567{number}", WORDS[number - 6]) for number in (8, 9)}
    server[QUERY] = answers.Arxiv(papers)
    for ran in (
        add("--batch", str(checkout.add("papers.txt", text)), "--dry-run"),
        add(text.partition("  #")[0], "--dry-run"),
    ):
        if count is None:
            assert (ran.status, "names no paper" in ran.err) == (2, True)
        else:
            assert ran.status == 0, ran.err
            assert ran.out.count("# A draft.") == count


@given(
    st.lists(st.sampled_from([*"ab", "2404.05868", "2404.05869v2", "10.1000/a;b,c", "P19-1001"]), max_size=4), st.data()
)
def test_references_lose_no_word(parts: list[str], data: st.DataObject) -> None:
    text = "".join(part + data.draw(st.sampled_from([" ", "\n", ", ", "; ", " , "])) for part in parts)
    named = references(text)
    assert {str(one).partition(":")[2] for one in named.papers} == {
        part.removesuffix("v2") for part in parts if part not in "ab"
    }
    assert [word.strip(",;") for word in named.rest.split() if word.strip(",;")] == [p for p in parts if p in "ab"]


@pytest.mark.parametrize(
    ("title", "authors", "date", "taken", "expected"),
    [
        ("The Eight Ways to Forget", ["Laurens van der Maaten"], "2024-02", (), "maaten2024eight"),
        ("The Eight Ways", ["L. Maaten"], "2024-02", ("maaten2024eight",), "maaten2024ways"),
        ("Eight Ways", ["L. Maaten"], "2024", ("maaten2024eight", "maaten2024ways"), "maaten2024eightways"),
        ("Eight", ["L. Maaten"], "2024", ("maaten2024eight",), "maaten2024eight2"),
        ("Über die Löschung", ["Jörg Müller-Lüdenscheidt"], "2024-02", (), "mullerludenscheidt2024uber"),
        ("忘却", ["山田太郎"], "2024-02", (), "anonymous2024paper"),
        ("Big", ["The Very Long Named Consortium for Forgetting and Other Things Worldwide"], "2024", (), None),
    ],
)
def test_ids(title: str, authors: list[str], date: str, taken: tuple[str, ...], expected: str | None) -> None:
    made = make_id(title, authors, date, taken)
    assert made not in taken
    assert expected is None or made == expected
    assert re.fullmatch(r"[a-z][a-z-]{0,40}\d{4}[a-z0-9]{0,40}", made)


def test_drafts_are_in_the_canonical_layout(tmp_path: Path) -> None:
    title = "NOVA: A Method with Copyright and Privacy on TOFU"
    found = Found("arxiv", title, ("Åsa Lindqvist",), "2031", {"arxiv": "3104.05678", "code": "bad"}, incomplete=True)
    draft = make_draft(found, (), load_vocabularies(), Cues({}, frozenset()), "2031-05-01")
    assert draft.problems == ()
    path = tmp_path / f"{draft.id}.yaml"
    path.write_text(draft.text, encoding="utf-8")
    assert format_record(path, path.name) == (draft.text, [])
    assert "and others" in draft.text
    assert "code:" not in draft.text
    assert "name: NOVA" in draft.text
    assert draft.text == make_draft(found, (), load_vocabularies(), Cues({}, frozenset()), "2031-05-01").text


def test_one_answer_serves_a_second_try(server: Server, checkout: Checkout, add: Callable[..., Ran]) -> None:
    tries = [answers.atom(answers.entry("3104.05678"))]

    def once(asked: Asked) -> Reply:
        return tries.pop() if tries else Reply("", 500)

    server[QUERY] = once
    assert add("3104.05678", "--dry-run").status == 0
    assert add("3104.05678").status == 0
