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
