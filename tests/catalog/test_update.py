"""``catalog update``: what is proposed, what is left alone, and that nothing else in a file changes."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import answers
import pytest
from answers import QUERY
from command_runs import Ran, Run
from hypothesis import given
from hypothesis import strategies as st
from local_server import Reply, Server
from small_checkout import Checkout

from catalog.upkeep.update import _other_authors

TITLE = "Fading Out: Gentle Forgetting for Small Models"
AUTHORS = ("Åsa Lindqvist", "Tomé van der Ávila", "Grace Okonkwo", "Ilse Brandt")
SAME: dict[str, Any] = {"title": TITLE, "authors": AUTHORS, "updated": "2031-05-01T00:00:00Z"}


@pytest.fixture
def update(server: Server, checkout: Checkout, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.setenv("CATALOG_MIRRORS", answers.as_variable(answers.mirrors(server)))
    monkeypatch.setenv("CATALOG_TIMEOUT", "0.5")
    run("fmt")
    return lambda *arguments: run("update", *arguments)


def says(server: Server, **more: Any) -> None:
    server[QUERY] = answers.atom(answers.entry("3104.01234", **{**SAME, **more}))


def test_nothing_new(server: Server, checkout: Checkout, update: Callable[..., Ran]) -> None:
    says(server, title="Fading out:  Gentle forgetting for small models", comment="Submitted to ICLR 2033")
    ran = update()
    assert (ran.status, ran.out, ran.err) == (0, "", "2 records compared, 0 would change.\n")


def test_all_that_can_change(server: Server, checkout: Checkout, update: Callable[..., Ran], run: Run) -> None:
    checkout.change(checkout.fading, "title:", "# Mind the colon.\ntitle:")
    checkout.change(checkout.fading, "venue: ", "# venue: ")
    checkout.change(checkout.fading, "  code: https://example.org/lindqvist/fading\n", "")
    checkout.change(checkout.fading, "checked: 2031-06-01", "checked: 2020-06-01")
    before = checkout.fading.read_text(encoding="utf-8")
    says(
        server,
        title="Fading Away: Gentle Forgetting",
        authors=(*AUTHORS, "Béla Müller"),
        version=4,
        updated="2020-07-01T00:00:00Z",
        comment="Accepted at ICLR 2033. https://github.com/lindqvist/fading",
        doi="10.5555/fading.1",
    )
    ran = update("lindqvist2031fading")
    assert ran.status == 1
    assert checkout.fading.read_text(encoding="utf-8") == before
    for said in (
        "the title changed",
        "the authors changed",
        "version 4 of 2020-07-01",
        "code link",
        "DOI",
        "published",
    ):
        assert said in ran.out
    assert '-title: "Fading Out' in ran.out
    assert '+title: "Fading Away' in ran.out
    ran = update("--apply")
    assert ran.status == 0
    after = checkout.fading.read_text(encoding="utf-8")
    assert "# Mind the colon." in after
    assert f'former_titles:\n  - "{TITLE}"' in after
    assert "code: https://github.com/lindqvist/fading" in after
    assert f"checked: {datetime.date.today().isoformat()}" in after
    assert "Lets what is to be forgotten fade" in after
    assert run("validate").status == 0
    assert run("fmt", "--check").status == 0
    assert run("search", TITLE, "--json").out != "[]\n"
    assert update().status == 0, "the second time there is nothing to do"


def test_withdrawn(server: Server, checkout: Checkout, update: Callable[..., Ran], run: Run) -> None:
    says(server, comment="This paper has been withdrawn: an error in {the} <b>proof</b>")
    assert "the paper was withdrawn" in update("--apply").out
    assert "kind: withdrawn" in checkout.fading.read_text(encoding="utf-8")
    assert run("validate").status == 0
    assert update().status == 0


def test_what_was_written_by_hand_stays(server: Server, checkout: Checkout, update: Callable[..., Ran]) -> None:
    says(server, title="Another Title Entirely", doi="10.5555/fading.1")
    checkout.change(checkout.fading, 'Small Models"', 'Small Models"  # by hand: the printed title')
    found = json.loads(update("--json").out)
    assert [one["place"] for one in found] == ["links.doi", "provenance.checked"]
    checkout.change(checkout.fading, "links:", "# By hand: the DOI is of another paper.\nlinks:")
    assert update().status == 0
    checkout.change(checkout.fading, "by hand: the printed", "the printed")
    assert update().status == 1
    checkout.change(checkout.fading, "source: arxiv", "source: hand")
    assert update().status == 0


def test_other_sources(server: Server, checkout: Checkout, update: Callable[..., Ran]) -> None:
    says(server)
    checkout.change(checkout.gardens, "  url: https://example.org/gardens", "  openreview: aB3_x-9Z")
    title, authors = "Gardens: A Benchmark of Invented Gardeners", ["Grace Okonkwo", "Béla Müller"]
    server["/api2.openreview.net/notes"] = answers.notes(answers.note(title=title, authors=authors))
    found = json.loads(update("--json").out)
    assert [(one["paper"], one["place"]) for one in found] == [
        ("okonkwo2032gardens", "venue"),
        ("okonkwo2032gardens", "provenance.checked"),
    ]
    checkout.change(checkout.gardens, "  openreview: aB3_x-9Z", "  doi: 10.5555/moonlit.12")
    server["/doi.org/10.5555/moonlit.12"] = answers.csl(title=title)
    assert "+venue: {id: kdd, year: 2031}" in update().out
    checkout.change(checkout.gardens, "  doi: 10.5555/moonlit.12", "  acl: 2031.findings-emnlp.12")
    server["/aclanthology.org/2031.findings-emnlp.12.bib"] = Reply(answers.ANTHOLOGY)
    assert "+venue: {id: emnlp, year: 2031, track: findings}" in update().out


@pytest.mark.parametrize(
    "reply", [answers.atom(), Reply("", 503, headers={"Retry-After": "9999"}), Reply(answers.BOMB, type="text/xml")]
)
def test_sources_in_trouble(reply: Reply, server: Server, checkout: Checkout, update: Callable[..., Ran]) -> None:
    server[QUERY] = reply
    before = checkout.fading.read_bytes()
    ran = update("--apply")
    assert ran.status == 1
    assert "arxiv.org" in ran.err
    assert checkout.fading.read_bytes() == before


def test_a_change_that_makes_a_record_wrong_is_not_written(
    server: Server, checkout: Checkout, update: Callable[..., Ran]
) -> None:
    says(server, title="Long " * 200)
    before = checkout.fading.read_bytes()
    ran = update("--apply")
    assert (ran.status, "too-long" in ran.err) == (1, True)
    assert checkout.fading.read_bytes() == before


def test_another_order_of_authors_is_offered(
    server: Server, checkout: Checkout, update: Callable[..., Ran], run: Run
) -> None:
    says(server, authors=("Tome van der Avila", AUTHORS[0], *AUTHORS[2:]))
    (change, checked) = json.loads(update("--json").out)
    assert (change["place"], checked["place"]) == ("authors", "provenance.checked")
    assert change["reason"] == "arxiv: the order of the authors changed"
    # Names stay as the record spells them.
    assert change["new"] == [AUTHORS[1], AUTHORS[0], *AUTHORS[2:]]
    assert "the order of the authors changed" in update("--apply").out
    assert "authors: [Tomé van der Ávila, Åsa Lindqvist, Grace Okonkwo, Ilse Brandt]" in checkout.fading.read_text()
    assert update().status == 0
    # The id begins with the first author's name, so there is more to do.
    assert "error[id-author]" in run("validate").out


@given(st.permutations(["Åsa Roe", "Ben Roe", "Åsa Roe", "Cy Doe"]), st.permutations(["Åsa Roe", "Ben Roe", "Cy Doe"]))
def test_authors_are_compared_in_their_order(ours: list[str], theirs: list[str]) -> None:
    assert _other_authors(ours, ours) is None
    assert _other_authors(ours, [name.upper().replace("Å", "A") for name in ours]) is None
    assert _other_authors(ours, theirs) == tuple(theirs)


def test_what_was_read_in_words_is_suggested(
    server: Server, checkout: Checkout, update: Callable[..., Ran], run: Run
) -> None:
    checkout.change(checkout.fading, "venue: {id: collas, year: 2032}\n", "")
    says(server, comment="Accepted at ICLR 2033", doi="10.5555/fading.1")
    found = {one["place"]: one for one in json.loads(update("--json").out)}
    assert found["venue"]["suggested"] == "arXiv names ICLR 2033"
    assert "suggested" in found["venue"]["reason"]
    assert "suggested" not in found["links.doi"]
    assert "suggested, to be confirmed: arXiv names ICLR 2033" in update("--apply").out
    assert "# suggested: arXiv names ICLR 2033\nvenue: {id: iclr, year: 2033}\n" in checkout.fading.read_text()
    says(server, comment="This paper has been withdrawn by the authors")
    assert "suggested, to be confirmed" in update("--apply").out
    assert "# suggested: arXiv says: This paper has been withdrawn by the authors\nstate:\n" in (
        checkout.fading.read_text().replace("state: {", "state:\n{")
    )
    ran = run("validate")
    assert (ran.status, ran.out.count("hint[unchecked-suggestion]")) == (0, 2)


def compared(checkout: Checkout) -> list[str]:
    today = datetime.date.today().isoformat()
    files = (checkout.fading, checkout.gardens)
    return [file.stem for file in files if f"compared: {today}" in file.read_text(encoding="utf-8")]


def test_a_record_says_when_it_was_compared(
    server: Server, checkout: Checkout, update: Callable[..., Ran], run: Run
) -> None:
    """With all that it names, and only where records are written at all; one that names nobody never is."""
    says(server)
    assert update().status == 0
    assert compared(checkout) == []
    assert update("--apply").err == "2 records compared, 0 changed.\n"
    assert compared(checkout) == ["lindqvist2031fading"]
    assert "checked: 2031-06-01" in checkout.fading.read_text(encoding="utf-8"), "nobody checked it"
    assert (run("validate").status, run("fmt", "--check").status) == (0, 0)
    before = checkout.fading.read_bytes()
    assert update("--apply").status == 0
    assert checkout.fading.read_bytes() == before
    report = (checkout.root / "build/update.md").read_text(encoding="utf-8")
    assert "2 records compared." in report
    assert "1 name no source" in report


@pytest.mark.parametrize("day", ["2031-06", "soon", "2031-02-30"])
def test_a_day_of_comparison_is_a_day(day: str, checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "checked: 2031-06-01", f"checked: 2031-06-01, compared: {day}")
    assert "provenance.compared" in run("validate").out


def test_a_pass_that_was_stopped_goes_on(server: Server, checkout: Checkout, update: Callable[..., Ran]) -> None:
    """What was written before stays written, and is not asked for again; what was not reached is."""
    checkout.change(checkout.gardens, "  url: https://example.org/gardens", "  acl: 2031.findings-emnlp.12")
    says(server)
    server["/aclanthology.org/2031.findings-emnlp.12.bib"] = Reply("", 503, headers={"Retry-After": "0"})
    ran = update("--apply")
    assert (ran.status, "aclanthology.org" in ran.err) == (1, True)
    assert compared(checkout) == ["lindqvist2031fading"]
    report = (checkout.root / "build/update.md").read_text(encoding="utf-8")
    assert "## Not reached" in report
    assert "papers/2032/okonkwo2032gardens.yaml" in report
    server.asked.clear()
    server["/aclanthology.org/2031.findings-emnlp.12.bib"] = Reply(answers.ANTHOLOGY)
    ran = update("--apply", "--age", "1")
    assert [path.partition("?")[0] for path in server.paths()] == ["/aclanthology.org/2031.findings-emnlp.12.bib"]
    assert "1 records compared, 1 changed. 1 left out, which were compared not long ago." in ran.err
    assert compared(checkout) == ["lindqvist2031fading", "okonkwo2032gardens"]
    assert "0 records compared" in update("--apply", "--age", "7").err
    checkout.change(checkout.fading, f"compared: {datetime.date.today()}", "compared: 2020-01-01")
    assert "1 records compared" in update("--apply", "--age", "7").err


def unpublished(server: Server, checkout: Checkout) -> None:
    checkout.change(checkout.fading, "venue: {id: collas, year: 2032}\n", "")
    says(server, comment="Under review")
    server[SEARCH], server[WORKS] = answers.notes(), answers.works()


SEARCH = "/api2.openreview.net/notes/search"
WORKS = "/api.crossref.org/works"


def test_a_preprint_is_looked_for_by_title(
    server: Server, checkout: Checkout, update: Callable[..., Ran], run: Run
) -> None:
    """The same title by an author of that name, at a venue: a suggestion; anything less is none."""
    unpublished(server, checkout)
    near = [
        answers.note(title=TITLE, authors=["Somebody Else"]),
        answers.note(title="Fading Out", authors=list(AUTHORS)),
        answers.note(title=TITLE, authors=list(AUTHORS), venue="Submitted to ICLR 2032"),
        answers.note(title=TITLE, authors=list(AUTHORS), venue="ICLR 2032 Conference Withdrawn Submission"),
    ]
    server[SEARCH] = answers.notes(*near)
    assert update().status == 0
    server[SEARCH] = answers.notes(*near, answers.note(title=TITLE, authors=list(AUTHORS)))
    found = {one["place"]: one for one in json.loads(update("--json").out)}
    assert set(found) == {"venue", "links.openreview", "provenance.checked"}
    assert found["venue"]["new"] == {"id": "iclr", "year": 2032}
    assert "of this title" in found["venue"]["suggested"]
    update("--apply")
    ran = run("validate")
    assert (ran.status, ran.out.count("hint[unchecked-suggestion]")) == (0, 2)
    assert "## Published" in (checkout.root / "build/update.md").read_text(encoding="utf-8")
    server.asked.clear()
    assert update().status == 0
    assert not any(path.startswith((SEARCH, WORKS)) for path in server.paths()), "what has a venue is not looked for"


def test_crossref_knows_a_publication(server: Server, checkout: Checkout, update: Callable[..., Ran]) -> None:
    unpublished(server, checkout)
    people = [{"given": "Åsa", "family": "Lindqvist"}]
    place = ["Findings of the Association for Computational Linguistics: EMNLP 2031"]
    work = answers.work("10.18653/v1/2031.findings-emnlp.12", TITLE, "", author=people, **{"container-title": place})
    server[WORKS] = answers.works(work)
    found = {one["place"]: one["new"] for one in json.loads(update("--json").out)}
    assert found["venue"] == {"id": "emnlp", "year": 2031, "track": "findings"}
    assert found["links.acl"] == "2031.findings-emnlp.12"
    server[WORKS] = Reply("", 429, headers={"Retry-After": "9999"})
    ran = update("--apply")
    assert (ran.status, "api.crossref.org" in ran.err) == (1, True)
    assert compared(checkout) == []


def test_every_source_is_asked_where_that_is_wanted(
    server: Server, checkout: Checkout, update: Callable[..., Ran]
) -> None:
    """Of a preprint with a venue arXiv alone says what is new, but for a retraction by its publisher."""
    checkout.change(checkout.fading, "  code: https", "  doi: 10.5555/moonlit.12\n  code: https")
    says(server)
    server["/doi.org/10.5555/moonlit.12"] = answers.csl(title=f"RETRACTED: {TITLE}")
    assert update().status == 0
    assert "the paper was retracted" in update("--thorough").out
