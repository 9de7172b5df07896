"""The sources, against a server that speaks as they do, and against saved answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import answers
import pytest
from answers import QUERY
from hypothesis import given
from hypothesis import strategies as st
from local_server import Asked, Reply, Server

from catalog.base.web import Settings, Web, WebError
from catalog.intake.sources import Found, Reference, Sources, openreview, parse_reference, read_saved
from catalog.intake.sources import arxiv as arxiv_source
from catalog.intake.sources.bibtex import parse as parse_bibtex
from catalog.intake.sources.bibtex_names import people
from catalog.intake.sources.cleaning import artefacts
from catalog.intake.sources.reference import Kind
from catalog.intake.sources.venues import Venue, in_words, recognize

MOONLIT = "Moonlit Forgetting: Unlearning in Language Models by Relabeling"


@pytest.fixture
def web(server: Server, tmp_path: Path) -> Iterator[Web]:
    settings = Settings(
        read_timeout=0.3, deadline=1, attempts=2, backoff=0, mirrors=answers.mirrors(server), cache=tmp_path / "cache"
    )
    with Web(settings) as made:
        yield made


@pytest.fixture
def sources(web: Web) -> Sources:
    return Sources(web)


def look_up(sources: Sources, text: str) -> Found:
    reference = parse_reference(text)
    assert reference
    return sources.look_up(reference)


def failure(sources: Sources, text: str) -> WebError:
    with pytest.raises(WebError) as caught:
        look_up(sources, text)
    return caught.value


# References -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "paper"),
    [
        ("2404.05868", "arxiv", "2404.05868"),
        ("arXiv:2404.05868v3 [cs.LG]", "arxiv", "2404.05868"),
        ("cs.CL/0701001", "arxiv", "cs.CL/0701001"),
        ("http://arxiv.org/abs/2404.05868v2", "arxiv", "2404.05868"),
        ("arxiv.org/pdf/2404.05868.pdf", "arxiv", "2404.05868"),
        ("https://www.arxiv.org/html/2404.05868v1", "arxiv", "2404.05868"),
        ("https://huggingface.co/papers/2404.05868", "arxiv", "2404.05868"),
        ("https://doi.org/10.48550/arXiv.2404.05868", "arxiv", "2404.05868"),
        ("2023.acl-long.740", "acl", "2023.acl-long.740"),
        ("https://aclanthology.org/2023.findings-emnlp.12.pdf", "acl", "2023.findings-emnlp.12"),
        ("https://aclanthology.org/P19-1001/", "acl", "P19-1001"),
        ("doi:10.18653/v1/2023.acl-long.740", "acl", "2023.acl-long.740"),
        ("https://openreview.net/forum?id=MXLBXjQkmb&noteId=abc", "openreview", "MXLBXjQkmb"),
        ("https://openreview.net/pdf?id=MXLBXjQkmb", "openreview", "MXLBXjQkmb"),
        ("10.1038/s42256-025-00985-0.", "doi", "10.1038/s42256-025-00985-0"),
        ("https://dl.acm.org/doi/abs/10.1145/3133956.3133987", "doi", "10.1145/3133956.3133987"),
        ("https://link.springer.com/article/10.1007/s10462-025-11376-7", "doi", "10.1007/s10462-025-11376-7"),
        ("@misc{x, title={y}}", "bibtex", "@misc{x, title={y}}"),
    ],
)
def test_references(text: str, kind: Kind, paper: str) -> None:
    assert parse_reference(text) == Reference(kind, paper)


@pytest.mark.parametrize(
    "text", ["", "hello", "2404.058", "https://example.org/x", "https://arxiv.org/list/cs.CL", "10.1"]
)
def test_no_references(text: str) -> None:
    assert parse_reference(text) is None


@given(st.text())
def test_any_text_is_a_reference_or_none(text: str) -> None:
    for one in (text, f"https://{text}"):
        found = parse_reference(one)
        assert found is None or found.id


# Text -----------------------------------------------------------------------------------------------


def test_artefacts() -> None:
    text = (
        r"Code (https://github.com/a/b.git). See \url{https://a.github.io/x/}, github.com/c/d, "
        "https://huggingface.co/datasets/a/b; https://github.com/a."
    )
    assert artefacts(text) == {
        "code": "https://github.com/a/b",
        "project": "https://a.github.io/x/",
        "data": "https://huggingface.co/datasets/a/b",
    }
    assert artefacts("Code at www.github.com/a/b_c.") == {"code": "https://www.github.com/a/b_c"}


@pytest.mark.parametrize(
    ("text", "venue"),
    [
        (
            "Proceedings of the 61st Annual Meeting of the Association for Computational Linguistics (Volume 1)",
            "ACL 2023",
        ),
        ("Proceedings of the 2021 Conference on Empirical Methods in Natural Language Processing", "EMNLP 2021"),
        ("Findings of the Association for Computational Linguistics: NAACL 2022", "Findings of NAACL 2022"),
        ("Proceedings of the 19th International Workshop on Semantic Evaluation (SemEval-2025)", "SemEval 2025"),
        ("The Twelfth International Conference on Learning Representations", "ICLR 2023"),
        ("Advances in Neural Information Processing Systems 36", "NeurIPS 2023"),
    ],
)
def test_venues_of_publishers(text: str, venue: str) -> None:
    found = recognize(text, 2023)
    assert found
    assert in_words(found) == venue


# arXiv ----------------------------------------------------------------------------------------------


def test_arxiv(server: Server, sources: Sources) -> None:
    one = answers.entry(
        version=3,
        updated="2031-09-01T00:00:00Z",
        comment="Accepted at ICLR 2032. Code: https://github.com/lindqvist/moonlit",
        doi="10.5555/moonlit.12",
    )
    server[QUERY] = answers.atom(one)
    found = look_up(sources, "arXiv:3104.01234v1")
    assert found == Found(
        source="arxiv",
        title=MOONLIT,
        authors=("Åsa Lindqvist", "Tomé van der Ávila"),
        date="2031-04",
        links={"arxiv": "3104.01234", "code": "https://github.com/lindqvist/moonlit", "doi": "10.5555/moonlit.12"},
        venue=Venue("ICLR", 2032),
        abstract=found.abstract,
        version=3,
        updated="2031-09-01",
    )
    assert found.abstract.startswith("We propose Moonlit, a method")
    assert "id_list=3104.01234" in server.asked[0].path
    look_up(sources, "3104.01234")
    assert len(server.asked) == 1, "the second time comes from the cache"


def test_arxiv_withdrawn(server: Server, sources: Sources) -> None:
    server[QUERY] = answers.atom(answers.entry(comment="This paper has been withdrawn by the author due to an error"))
    assert look_up(sources, "3104.01234").withdrawn.startswith("This paper has been withdrawn by the author")
    server[QUERY] = answers.atom(answers.entry(paper="3104.01235", abstract="We show that retracted papers " * 40))
    assert look_up(sources, "3104.01235").withdrawn == ""


def test_arxiv_gives_many_at_once(server: Server, sources: Sources) -> None:
    papers = {f"3104.{number:05}": answers.entry(f"3104.{number:05}", title=f"Title {number}") for number in range(250)}
    server[QUERY] = answers.Arxiv(papers)
    wanted = [Reference("arxiv", paper) for paper in (*papers, "3104.99999")]
    found = list(sources.each(wanted))
    assert len(server.asked) == 4, "what was passed over is asked for again"
    assert [one.links["arxiv"] for _, one in found[:-1] if isinstance(one, Found)] == list(papers)
    assert isinstance(found[-1][1], WebError)


def test_arxiv_pages_of_a_search(server: Server, web: Web) -> None:
    every = [answers.entry(f"3104.{number:05}") for number in range(230)]

    def page(asked: Asked) -> Reply:
        start = int(asked.path.partition("start=")[2].partition("&")[0])
        return answers.atom(*every[start : start + 100], total=230, start=start)

    server[QUERY] = page
    assert len(arxiv_source.search(web, "abs:unlearning", 1000)) == 230
    assert len(server.asked) == 3
    assert "sortBy=submittedDate" in server.asked[0].path


def test_arxiv_sometimes_gives_an_empty_page(server: Server, web: Web) -> None:
    every = [answers.entry(f"3104.{number:05}") for number in range(150)]
    empty = [answers.atom(total=150, start=100)]

    def page(asked: Asked) -> Reply:
        start = int(asked.path.partition("start=")[2].partition("&")[0])
        if start and empty:
            return empty.pop()
        return answers.atom(*every[start : start + 100], total=150, start=start)

    server[QUERY] = page
    assert len(arxiv_source.search(web, "abs:unlearning", 1000)) == 150


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(answers.ARXIV_ERROR, type="application/atom+xml"), "arXiv says: incorrect id format for 9"),
        (Reply(answers.ARXIV_ERROR, 400, type="application/atom+xml"), "arXiv says: incorrect id format for 9"),
        (Reply("<html>", 400, type="text/html"), "refuses it without a word (status 400)"),
        (answers.atom(), "no answer about it this time"),
        (Reply(answers.BOMB, type="application/atom+xml"), "XML with entities"),
        (Reply(answers.FILE_ENTITY, type="application/atom+xml"), "XML with entities"),
        (Reply(answers.feed(answers.entry())[:-40], type="application/atom+xml"), "broken XML"),
        (Reply("<html>hello</html>", type="text/html"), "text/html instead of"),
        (Reply("<html>hello</html>", type="text/xml"), "something else than a feed"),
        (Reply("", type="application/atom+xml"), "broken XML"),
        (Reply(b"\xff\xfe\x00", type="application/atom+xml"), "broken XML"),
        (Reply("<a>" * 100_000, type="application/atom+xml"), "broken XML"),
        (Reply(b"x" * 9_000_000, type="application/atom+xml"), "more than 8,192 KB"),
        (Reply("", 503, headers={"Retry-After": "0"}), "busy"),
        (Reply("late", delay=0.6), "does not answer in time"),
        (Reply("", 302, headers={"Location": "file:///etc/passwd"}), "not followed"),
        (Reply("", 302, headers={"Location": "http://127.0.0.1:9/"}), "not followed"),
        (answers.atom(answers.entry(title="")), "no answer about it this time"),
        (answers.atom(answers.entry(authors=())), "names no author"),
    ],
)
def test_arxiv_in_trouble(reply: Reply, said: str, server: Server, sources: Sources, tmp_path: Path) -> None:
    server[QUERY] = reply
    assert said in str(failure(sources, "3104.01234"))
    if "names no author" not in said:
        assert not list(tmp_path.rglob("*.json")), "nothing useless is kept"


def test_arxiv_without_dates(server: Server, sources: Sources) -> None:
    server[QUERY] = answers.atom(answers.entry(published="yesterday", updated="0001-01-01T00:00:00+05:00"))
    found = look_up(sources, "3104.01234")
    assert (found.title, found.date, found.updated) == (MOONLIT, "", "")


# The others -----------------------------------------------------------------------------------------


def test_acl(server: Server, sources: Sources) -> None:
    server["/aclanthology.org/2031.findings-emnlp.12.bib"] = Reply(answers.ANTHOLOGY)
    found = look_up(sources, "https://aclanthology.org/2031.findings-emnlp.12/")
    assert found.title == MOONLIT
    assert found.authors == ("Åsa Lindqvist", "Tomé van der Ávila", "The Garden Team")
    assert found.date == "2031-12"
    assert found.venue == Venue("EMNLP", 2031, "Findings")
    assert found.links == {
        "acl": "2031.findings-emnlp.12",
        "doi": "10.18653/v1/2031.findings-emnlp.12",
        "code": "https://github.com/lindqvist/moonlit",
    }


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("no", 404), "status 404. Is the id right?"),
        (Reply("<html>", type="text/html"), "text/html"),
        (Reply("hello"), "no BibTeX entry"),
        (Reply(answers.ANTHOLOGY[:-300]), "broken BibTeX"),
        (Reply(answers.ANTHOLOGY.replace("title =", "tittle =")), "no title"),
        (Reply("@article{" + "{" * 50_000), "BibTeX"),
    ],
)
def test_acl_in_trouble(reply: Reply, said: str, server: Server, sources: Sources) -> None:
    server["/aclanthology.org/2031.findings-emnlp.12.bib"] = reply
    assert said in str(failure(sources, "2031.findings-emnlp.12"))


def test_openreview(server: Server, sources: Sources) -> None:
    server["/api2.openreview.net/notes"] = answers.notes(answers.note(code="https://github.com/lindqvist/moonlit"))
    found = look_up(sources, "https://openreview.net/forum?id=aB3_x-9Z")
    assert (found.title, found.date, found.venue) == (MOONLIT, "2031-10", Venue("ICLR", 2032))
    assert found.links == {"openreview": "aB3_x-9Z", "code": "https://github.com/lindqvist/moonlit"}


def test_openreview_of_old(server: Server, sources: Sources) -> None:
    server["/api2.openreview.net/notes"] = Reply('{"name": "ForbiddenError"}', 403, "application/json")
    server["/api.openreview.net/notes"] = answers.notes(answers.note(new=False, venue="ICLR 2022 Poster"))
    assert look_up(sources, "openreview:aB3_x-9Z").venue == Venue("ICLR", 2022)


@pytest.mark.parametrize(
    ("venue", "expected", "withdrawn"),
    [
        ("Submitted to ICLR 2032", None, False),
        ("ICLR 2032 Conference Withdrawn Submission", None, True),
        ("Accepted by TMLR", Venue("TMLR", 2032), False),
        ("NeurIPS 2031 oral", Venue("NeurIPS", 2031), False),
        ("CoRR 2031", None, False),
        ("", None, False),
    ],
)
def test_openreview_venues(
    venue: str, expected: Venue | None, withdrawn: bool, server: Server, sources: Sources
) -> None:
    server["/api2.openreview.net/notes"] = answers.notes(answers.note(venue=venue))
    found = look_up(sources, "openreview:aB3_x-9Z")
    assert (found.venue, bool(found.withdrawn)) == (expected, withdrawn)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (answers.notes(), "no answer about it this time"),
        (Reply("", 403, "application/json"), "status 403"),
        (Reply("{}", type="application/json"), "no list of notes"),
        (Reply('{"notes": 7}', type="application/json"), "no list of notes"),
        (Reply("[" * 100_000, type="application/json"), "no list of notes"),
        (Reply('{"notes": [7, {}, {"content": []}]}', type="application/json"), "no answer about it this time"),
        (answers.notes(answers.note(authors=["Anonymous"])), "names no authors yet"),
        (answers.notes(answers.note(authors=None)), "names no authors yet"),
        (Reply("<html>captcha</html>", type="text/html"), "text/html"),
    ],
)
def test_openreview_in_trouble(reply: Reply, said: str, server: Server, sources: Sources) -> None:
    server["/api2.openreview.net/notes"] = server["/api.openreview.net/notes"] = reply
    assert said in str(failure(sources, "openreview:aB3_x-9Z"))


@pytest.mark.parametrize(
    "authors",
    [
        ["Jane Doe", "Ann Roe"],
        [{"fullname": "Jane Doe", "username": "~Jane_Doe1"}, {"fullname": "Ann Roe", "username": "~Ann_Roe1"}],
        [{"name": "Jane Doe"}, "Ann Roe", 7, None, {}],
    ],
)
def test_openreview_gives_authors_in_several_forms(
    authors: list[object], server: Server, sources: Sources, web: Web
) -> None:
    server["/api2.openreview.net/notes"] = answers.notes({**answers.note(authors=authors), "cdate": 1.9299e12})
    found = look_up(sources, "openreview:aB3_x-9Z")
    assert (found.authors, found.date) == (("Jane Doe", "Ann Roe"), "2031-02")
    assert openreview.exists(web, "aB3_x-9Z")


@pytest.mark.parametrize("authors", [None, [], ["Anonymous"], "hidden", [{}]])
def test_a_forum_without_authors_exists_all_the_same(authors: object, server: Server, web: Web) -> None:
    server["/api2.openreview.net/notes"] = answers.notes(answers.note(authors=authors))
    assert openreview.exists(web, "aB3_x-9Z")
    server["/api2.openreview.net/notes"] = Reply("{}", 404, "application/json")
    assert not openreview.exists(web, "another"), "both interfaces say so"
    server["/api.openreview.net/notes"] = answers.notes()
    with pytest.raises(WebError, match="no answer about it this time"):
        openreview.exists(web, "another")


def test_openreview_is_asked_again_where_it_gives_nothing(server: Server, sources: Sources, tmp_path: Path) -> None:
    server["/api.openreview.net/notes"] = Reply("{}", 404, "application/json")
    server["/api2.openreview.net/notes"] = [answers.notes(), answers.notes(answers.note())]
    assert look_up(sources, "openreview:aB3_x-9Z").title == MOONLIT
    server["/api2.openreview.net/notes"] = answers.notes()
    assert "no answer about it this time" in str(failure(sources, "openreview:another"))
    assert len(list(tmp_path.rglob("*.json"))) == 1, "what says nothing is not kept"


def test_the_absence_of_a_forum_is_not_kept(server: Server, sources: Sources) -> None:
    server["/api2.openreview.net/notes"] = server["/api.openreview.net/notes"] = answers.notes()
    assert "gives no answer about it this time" in str(failure(sources, "openreview:aB3_x-9Z"))
    server["/api2.openreview.net/notes"] = answers.notes(answers.note())
    assert look_up(sources, "openreview:aB3_x-9Z").title == MOONLIT
    asked = len(server.asked)
    assert look_up(sources, "openreview:aB3_x-9Z").title == MOONLIT
    assert len(server.asked) == asked, "what is there is kept"


def test_either_interface_may_be_the_one_that_is_silent(server: Server, sources: Sources, web: Web) -> None:
    server["/api2.openreview.net/notes"] = Reply("", 500)
    server["/api.openreview.net/notes"] = answers.notes(answers.note(new=False))
    assert look_up(sources, "openreview:aB3_x-9Z").title == MOONLIT
    server["/api.openreview.net/notes"] = answers.notes()
    assert "status 500" in str(failure(sources, "openreview:another"))
    with pytest.raises(WebError):
        openreview.exists(web, "another")


ODD_MOMENTS: list[Any] = [None, 0, -5, True, "soon", float("nan"), float("inf"), 1e300, [], {}]


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        (1929900000000, "2031-02"),
        (1.9299e12, "2031-02"),
        (1929900000000.5, "2031-02"),
        *((wrong, "2031-10") for wrong in ODD_MOMENTS),
    ],
)
def test_openreview_gives_moments_as_any_number(moment: object, date: str, server: Server, sources: Sources) -> None:
    note = {**answers.note(), "cdate": moment, "pdate": 1949000000000}
    server["/api2.openreview.net/notes"] = answers.notes(note)
    assert look_up(sources, "openreview:aB3_x-9Z").date == date


def test_doi(server: Server, sources: Sources) -> None:
    server["/doi.org/10.5555/moonlit.12"] = Reply("", 302, headers={"Location": "https://example.org/csl"})
    server["/example.org/csl"] = answers.csl()
    found = look_up(sources, "https://doi.org/10.5555/moonlit.12")
    assert found.title == "Moonlit Forgetting: Unlearning & Language Models by Relabeling"
    assert found.authors == ("Åsa Lindqvist", "Tomé van der Ávila", "The Garden Team")
    assert (found.date, found.venue, found.abstract) == ("2031-06", Venue("KDD", 2031), "We propose Moonlit.")
    assert found.links == {"doi": "10.5555/moonlit.12"}
    assert server.asked[1].headers["Accept"] == "application/vnd.citationstyles.csl+json"


def test_doi_of_a_journal_and_of_a_retracted_paper(server: Server, sources: Sources) -> None:
    server["/doi.org/10.5555/moonlit.12"] = answers.csl(
        **{"container-title": ["Journal of Gardens"], "updated-by": [{"type": "retraction"}], "title": ["Moonlit"]}
    )
    found = look_up(sources, "10.5555/moonlit.12")
    assert (found.title, found.venue) == ("Moonlit", Venue("Journal of Gardens", 2031))
    assert found.withdrawn == "Retracted by the publisher"


@pytest.mark.parametrize(
    ("title", "updates", "clean", "notice"),
    [
        ("RETRACTED: Moonlit", [], "Moonlit", "Retracted by the publisher"),
        ("[Retracted] Moonlit", [], "Moonlit", "Retracted by the publisher"),
        ("RETRACTED ARTICLE: Moonlit", [], "Moonlit", "Retracted by the publisher"),
        ("WITHDRAWN: Moonlit", [], "Moonlit", "Withdrawn by the publisher"),
        ("Moonlit", [{"type": "withdrawal"}], "Moonlit", "Withdrawn by the publisher"),
        ("Moonlit", [{"type": "correction"}, {"type": "removal"}], "Moonlit", "Withdrawn by the publisher"),
        ("Moonlit", [{"type": "correction"}], "Moonlit", ""),
        ("Retracted Papers in Language Models", [], "Retracted Papers in Language Models", ""),
        ("Withdrawn Consent and Forgetting", None, "Withdrawn Consent and Forgetting", ""),
    ],
)
def test_doi_of_what_was_taken_back(
    title: str, updates: object, clean: str, notice: str, server: Server, sources: Sources
) -> None:
    server["/doi.org/10.5555/moonlit.12"] = answers.csl(title=[title], **{"updated-by": updates})
    found = look_up(sources, "10.5555/moonlit.12")
    assert (found.title, found.withdrawn) == (clean, notice)


def test_doi_where_only_bibtex_is_spoken(server: Server, sources: Sources) -> None:
    def answer(asked: Asked) -> Reply:
        if "csl+json" in asked.headers["Accept"]:
            return Reply("", 406)
        return Reply(answers.ANTHOLOGY, type="application/x-bibtex")

    server["/doi.org/10.5555/moonlit.12"] = answer
    assert look_up(sources, "10.5555/moonlit.12").source == "doi"


def test_a_doi_described_by_nothing_is_not_kept(server: Server, sources: Sources) -> None:
    def answer(body: str) -> Callable[[Asked], Reply]:
        return lambda asked: (
            Reply("", 406) if "csl+json" in asked.headers["Accept"] else Reply(body, type="application/x-bibtex")
        )

    server["/doi.org/10.5555/moonlit.12"] = answer("")
    assert "BibTeX" in str(failure(sources, "10.5555/moonlit.12"))
    server["/doi.org/10.5555/moonlit.12"] = answer(answers.ANTHOLOGY)
    assert look_up(sources, "10.5555/moonlit.12").title == MOONLIT


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("no", 404), "status 404"),
        (Reply("{", type="application/json"), "broken JSON"),
        (Reply("[]", type="application/json"), "something else"),
        (Reply("{}", type="application/json"), "no title and no author and no year"),
        (answers.csl(author=[7, {"family": ["x"]}], issued={"date-parts": [[None]]}), "no author"),
        (answers.csl(title={"x": 1}), "no title"),
    ],
)
def test_doi_in_trouble(reply: Reply, said: str, server: Server, sources: Sources) -> None:
    server["/doi.org/10.5555/moonlit.12"] = reply
    assert said in str(failure(sources, "10.5555/moonlit.12"))


def test_bibtex() -> None:
    (found,) = parse_bibtex(
        "@article{x, author={Okonkwo, Grace and others}, title={{TOFU} at 10\\%}, year=2031, month={Mar.},"
        " journal={arXiv preprint arXiv:3103.00001}, note={Code: \\url{https://github.com/a/b_c}}}"
    )
    assert (found.title, found.authors, found.incomplete) == ("TOFU at 10%", ("Grace Okonkwo",), True)
    assert (found.date, found.venue, found.source) == ("2031-03", None, "arxiv")
    assert found.links == {"arxiv": "3103.00001", "code": "https://github.com/a/b_c"}
    (found,) = parse_bibtex("@misc{x, author={A. Bee}, title={T}, date={2031-05-02}, url={https://example.org/a\\_b}}")
    assert (found.date, found.links, found.source) == ("2031-05", {"url": "https://example.org/a_b"}, "hand")
    (found,) = parse_bibtex(
        "@article{x, author={A. Bee}, title={T}, year=2031, eprint={3103.00002}, archivePrefix={arXiv}}"
    )
    assert found.links == {"arxiv": "3103.00002"}


def test_people() -> None:
    text = "van der Maaten, Laurens and {The LLaMA Team} and King, Jr., Martin and Andrew {von Gardens} and et al."
    names, incomplete = people(text)
    assert names == ("Laurens van der Maaten", "The LLaMA Team", "Martin King Jr.", "Andrew von Gardens")
    assert incomplete


def test_saved_answers() -> None:
    assert read_saved(answers.feed(answers.entry()).encode(), "x")[0].title == MOONLIT
    assert read_saved(json.dumps({"notes": [answers.note()]}).encode(), "x")[0].source == "openreview"
    assert read_saved(str(answers.csl().body).encode(), "x")[0].source == "doi"
    assert read_saved(json.dumps({"message": json.loads(str(answers.csl().body))}).encode(), "x")[0].source == "doi"
    assert read_saved(answers.ANTHOLOGY.encode(), "x")[0].source == "acl"
    with pytest.raises(WebError, match="does not hold arxiv:9999"):
        read_saved(answers.feed(answers.entry()).encode(), "x", Reference("arxiv", "9999.00001"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for start in (b"", b"<feed>", b'{"notes": [', b"@a{b, title={"):
        with suppress(WebError):
            assert all(one.title for one in read_saved(start + body, "x"))
