"""arXiv in its moods: silent for a moment, refusing a list for one id, in another order and spelling."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import answers
import pytest
from command_runs import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from local_server import Asked, Reply, Server
from small_checkout import FADING, Checkout

from catalog.base.web import Settings, Web, WebError
from catalog.intake.sources import Found, arxiv_api
from catalog.intake.sources import arxiv as source
from catalog.intake.sources.arxiv_feed import Refusal
from catalog.upkeep.links import Checker, Link

QUERY = "/export.arxiv.org/api/query"
SILENT = "arXiv gives no answer about it this time"


def papers(*ids: str) -> dict[str, str]:
    return {one: answers.entry(one, title=f"Moonlit Forgetting, Part {one}") for one in ids}


def numbered(count: int) -> list[str]:
    return [f"3104.{number:05}" for number in range(1, count + 1)]


@pytest.fixture(scope="module")
def played() -> Iterator[Server]:
    """One server for many generated examples."""
    made = Server()
    yield made
    made.close()


def client(server: Server, cache: Path | None = None) -> Web:
    return Web(Settings(deadline=5, attempts=1, backoff=0, mirrors=answers.mirrors(server), cache=cache))


def ask(server: Server, arxiv: answers.Arxiv, ids: list[str], cache: Path | None = None) -> dict[str, Found | WebError]:
    server[QUERY] = arxiv
    with client(server, cache) as web:
        return source.look_up(web, ids)


def fates(said: dict[str, Found | WebError]) -> dict[str, str]:
    """For each id the id that the source gave, or the kind of failure."""
    return {paper: one.kind if isinstance(one, WebError) else one.links["arxiv"] for paper, one in said.items()}


# Silence ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 100, 101, 250])
@pytest.mark.parametrize("over", [1, 0.4])
def test_what_is_passed_over_once_is_asked_for_again(count: int, over: float, server: Server, tmp_path: Path) -> None:
    ids = numbered(count)
    quiet = ids[len(ids) - max(1, int(count * over)) :]
    batches = -(-count // arxiv_api.BATCH)
    arxiv = answers.Arxiv(papers(*ids), silent=[quiet] * batches)
    assert fates(ask(server, arxiv, ids, tmp_path)) == dict(zip(ids, ids, strict=True))
    assert [paper for some in arxiv.asked[batches:] for paper in some] == quiet, "and nothing else is asked for again"


def test_silence_is_no_absence_and_is_not_kept(server: Server, tmp_path: Path) -> None:
    ids = numbered(3)
    arxiv = answers.Arxiv(papers(*ids[:2]))
    said = ask(server, arxiv, ids, tmp_path)
    assert fates(said) == {**dict(zip(ids[:2], ids[:2], strict=True)), ids[2]: "silent"}
    assert str(said[ids[2]]).startswith(f"https://arxiv.org/abs/{ids[2]}: {SILENT}")
    assert arxiv.asked == [ids, ids[2:]]
    assert not list(tmp_path.iterdir())
    arxiv.entries |= papers(ids[2])
    assert "silent" not in fates(ask(server, arxiv, ids, tmp_path)).values(), "announced since then"
    assert fates(ask(server, arxiv, ids, tmp_path)) == dict(zip(ids, ids, strict=True))
    assert len(arxiv.asked) == 3, "what holds all is kept"


def test_it_is_asked_again_for_as_long_as_that_helps(server: Server) -> None:
    ids = numbered(100)
    arxiv = answers.Arxiv(papers(*ids), silent=[ids[60:], ids[80:], ids[90:], ids[95:], ids])
    assert [kind for kind in fates(ask(server, arxiv, ids)).values() if kind == "silent"] == ["silent"] * 5
    assert len(arxiv.asked) == 5
    arxiv = answers.Arxiv(papers(*ids), silent=[ids[60:], ids])
    assert list(fates(ask(server, arxiv, ids)).values()).count("silent") == 40
    assert len(arxiv.asked) == 2


def test_a_cache_that_an_older_program_filled_with_silence_is_not_believed(server: Server, tmp_path: Path) -> None:
    server[QUERY] = answers.atom()
    with client(server, tmp_path) as web:
        url = f"{arxiv_api.API}?id_list=3104.00001&sortBy=relevance&sortOrder=descending&start=0&max_results=1"
        web.get(url, accept=arxiv_api.TYPES[0])
        assert list(tmp_path.iterdir())
        server[QUERY] = answers.Arxiv(papers("3104.00001"))
        assert fates(source.look_up(web, ["3104.00001"])) == {"3104.00001": "3104.00001"}


def test_the_second_time_may_fail_on_the_way(server: Server) -> None:
    server[QUERY] = [answers.atom(*papers("3104.00001").values()), Reply("", 500)]
    with client(server) as web:
        said = source.look_up(web, ["3104.00001", "3104.00002"])
    assert fates(said) == {"3104.00001": "3104.00001", "3104.00002": "status"}


@pytest.mark.parametrize(
    "reply", [Reply("", 503, headers={"Retry-After": "9999"}), Reply("", 403), Reply("<html>", type="text/html")]
)
def test_who_is_not_there_is_not_asked_for_the_rest(reply: Reply, server: Server) -> None:
    ids = numbered(250)
    server[QUERY] = reply
    with client(server) as web:
        said = source.look_up(web, ids)
    assert list(said) == ids
    assert all(isinstance(one, WebError) and one.kind not in ("refused", "silent") for one in said.values())
    assert len(server.asked) == 1


def test_one_broken_answer_does_not_spoil_the_next(server: Server) -> None:
    ids = numbered(150)
    arxiv = answers.Arxiv(papers(*ids))
    broken = [Reply(answers.feed(answers.entry())[:-40], type="application/atom+xml")]
    server[QUERY] = lambda asked: broken.pop() if broken else arxiv(asked)
    with client(server) as web:
        said = fates(source.look_up(web, ids))
    assert list(said.values()) == ["content"] * 100 + ids[100:]


# Refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 40, 150])
def test_one_wrong_id_does_not_touch_the_others(count: int, names: bool, server: Server, tmp_path: Path) -> None:
    ids = numbered(count)
    wrong = ids[count // 2]
    arxiv = answers.Arxiv(papers(*ids), {wrong}, names)
    said = ask(server, arxiv, ids, tmp_path)
    assert fates(said) == {one: ("refused" if names else "content") if one == wrong else one for one in ids}
    assert str(said[wrong]).startswith(f"https://arxiv.org/abs/{wrong}: arXiv ")
    assert f"incorrect id format for {wrong}" in str(said[wrong]) or not names
    assert len(arxiv.asked) <= (4 if names else 16)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("incorrect id format", "refused"),
        ("incorrect id format for 3104.00001,3104.00002,3104.00003", "refused"),
        ("the garden is closed", "content"),
    ],
)
def test_words_that_do_not_tell_the_id(words: str, kind: str, server: Server) -> None:
    """The others are asked for by halves; only words about ids say that the one that remains is wrong."""
    ids = numbered(3)
    arxiv = answers.Arxiv(papers(*ids))

    def answer(asked: Asked) -> Reply:
        right = "3104.00002" not in asked.path
        return arxiv(asked) if right else Reply(answers.arxiv_error(words), 400, type="application/atom+xml")

    server[QUERY] = answer
    with client(server) as web:
        said = source.look_up(web, ids)
    assert fates(said) == {ids[0]: ids[0], ids[1]: kind, ids[2]: ids[2]}
    assert words in str(said[ids[1]])


def test_an_error_among_the_entries_is_read_too(server: Server) -> None:
    """arXiv answered with status 200 and its error entry once."""
    ids = numbered(3)
    arxiv = answers.Arxiv(papers(*ids))
    error = answers.arxiv_error(f"incorrect id format for {ids[1]}")
    server[QUERY] = lambda asked: Reply(error, type="application/atom+xml") if ids[1] in asked.path else arxiv(asked)
    with client(server) as web:
        assert fates(source.look_up(web, ids)) == {ids[0]: ids[0], ids[1]: "refused", ids[2]: ids[2]}


def test_a_source_that_refuses_everything_is_not_asked_forever(server: Server) -> None:
    ids = numbered(100)
    arxiv = answers.Arxiv({}, ids, names=False)
    assert set(fates(ask(server, arxiv, ids)).values()) == {"content"}
    assert len(arxiv.asked) < 80


def test_what_cannot_be_an_id_is_not_asked_for(server: Server) -> None:
    arxiv = answers.Arxiv(papers("3104.00001"))
    said = ask(server, arxiv, ["2413.10002", "3104.00001", "1501.1234"])
    assert fates(said) == {"2413.10002": "refused", "3104.00001": "3104.00001", "1501.1234": "refused"}
    assert "cannot be an arXiv id: there is no month 13" in str(said["2413.10002"])
    assert arxiv.asked == [["3104.00001"]]


@pytest.mark.parametrize(
    ("words", "about", "paper", "named"),
    [
        ("incorrect id format for 3104.00001", "", "3104.00001", True),
        ("incorrect id format for 3104.00001v2.", "", "3104.00001", True),
        ("incorrect id format for 'cs/0412042'", "", "cs.LG/0412042", True),
        ("", "incorrect id format for cs.LG/0412042", "cs.LG/0412042", True),
        ("incorrect id format for 3104.000011", "", "3104.00001", False),
        ("incorrect id format for 13104.00001", "", "3104.00001", False),
        ("incorrect id format for physics/0412042", "", "cs/0412042", False),
        ("incorrect id format for abs/cs/0412042", "", "cs/0412042", False),
        ("incorrect id format", "", "3104.00001", False),
    ],
)
def test_which_id_a_refusal_names(words: str, about: str, paper: str, named: bool) -> None:
    assert Refusal(words, about).names(paper) == named


# Spelling and order -----------------------------------------------------------------------------------


def test_an_old_id_is_matched_with_and_without_its_subject_class(server: Server) -> None:
    arxiv = answers.Arxiv(papers("cs/0412042", "math/0703001"))
    said = ask(server, arxiv, ["cs.LG/0412042", "cs/0412042", "math.AG/0703001", "CS/0412042"])
    assert fates(said)["cs.LG/0412042"] == fates(said)["cs/0412042"] == "cs/0412042"
    assert fates(said)["math.AG/0703001"] == "math/0703001"
    assert fates(ask(server, answers.Arxiv(papers("cs/0412042")), ["cs.LG/0412042"])) == {"cs.LG/0412042": "cs/0412042"}


def test_versions(server: Server) -> None:
    given = [answers.entry("3104.00001", version=number) for number in (2, 11, 9)]
    bare = answers.entry("3104.00002").replace("3104.00002v1", "3104.00002")
    server[QUERY] = answers.atom(*given, bare)
    with client(server) as web:
        said = source.look_up(web, ["3104.00001", "3104.00002"])
    versions = {paper: one.version for paper, one in said.items() if isinstance(one, Found)}
    assert versions == {"3104.00001": 11, "3104.00002": None}


NEW = st.builds("3{:03}.{:05}".format, st.sampled_from((101, 212, 303)), st.integers(1, 60))
OLD = st.builds(
    "{}{}/0412{:03}".format, st.sampled_from(("cs", "math")), st.sampled_from(("", ".LG")), st.integers(0, 9)
)
IMPOSSIBLE = st.builds("2413.{:05}".format, st.integers(1, 9))


@settings(max_examples=60)
@given(data=st.data())
def test_any_list_in_any_mood(played: Server, data: st.DataObject) -> None:
    """Every id gets one answer: its own paper, a refusal that is a fact, or silence; whatever the others are."""
    ids = data.draw(st.lists(NEW | OLD | IMPOSSIBLE, max_size=40))
    possible = sorted({one for one in ids if not one.startswith("2413")})
    wrong = data.draw(st.sets(st.sampled_from(possible)) if possible else st.just(set()))
    unknown = data.draw(st.sets(st.sampled_from(possible)) if possible else st.just(set()))
    known = {one.replace(".LG", "") for one in possible} - {one.replace(".LG", "") for one in unknown}
    arxiv = answers.Arxiv(papers(*known), wrong)
    arxiv.order = data.draw(st.sampled_from((list, sorted, lambda some: some[::-1])))
    arxiv.silent = [data.draw(st.sets(st.sampled_from(possible)))] if possible else []
    said = fates(ask(played, arxiv, ids))
    assert list(said) == list(dict.fromkeys(ids))
    for one in ids:
        own = one.replace(".LG", "")
        expected = "refused" if one in wrong or one not in possible else own if own in known else "silent"
        # What arXiv gave under one spelling is the paper of the other, too.
        assert said[one] == expected or (said[one] == own and own in known)


# Searches ---------------------------------------------------------------------------------------------


def paged(every: list[str], moods: dict[int, list[int | None]]) -> Callable[[Asked], Reply]:
    """Pages of a search; ``moods`` says how many entries the next answers from some place have (None: no total)."""

    def answer(asked: Asked) -> Reply:
        start = int(asked.path.partition("start=")[2].partition("&")[0])
        left = moods.get(start, [])
        given = left.pop(0) if left else 100
        if given is None:
            return answers.atom(total=0, start=start)
        return answers.atom(*every[start : start + given], total=len(every), start=start)

    return answer


@pytest.mark.parametrize(
    "moods", [{}, {0: [None]}, {0: [0]}, {100: [0]}, {100: [None]}, {0: [60]}, {0: [60, 60]}, {200: [1, 0]}], ids=str
)
def test_a_search_gets_all_pages_in_any_mood(moods: dict[int, list[int | None]], server: Server) -> None:
    every = [answers.entry(paper) for paper in numbered(230)]
    server[QUERY] = paged(every, moods)
    with client(server) as web:
        assert [one.links["arxiv"] for one in source.search(web, "abs:unlearning", 1000)] == numbered(230)


def test_a_search_that_stays_short_says_so(server: Server) -> None:
    server[QUERY] = paged([answers.entry(paper) for paper in numbered(150)], {100: [0] * 9})
    with client(server) as web, pytest.raises(WebError, match="gives only 100 of 150 papers this time"):
        source.search(web, "abs:unlearning", 1000)


def test_a_search_that_finds_nothing_is_asked_again(server: Server) -> None:
    server[QUERY] = answers.atom(total=0)
    with client(server) as web:
        assert source.search(web, "abs:unlearning", 1000) == []
        assert len(server.asked) == 2
        server[QUERY] = Reply(answers.arxiv_error("malformed query"), 400, type="application/atom+xml")
        with pytest.raises(WebError, match="arXiv says: malformed query"):
            source.search(web, "abs:(", 1000)


@pytest.mark.parametrize("limit", [1, 100, 130])
def test_a_search_stops_at_its_limit(limit: int, server: Server) -> None:
    server[QUERY] = paged([answers.entry(paper) for paper in numbered(230)], {})
    with client(server) as web:
        assert len(source.search(web, "abs:unlearning", limit)) == limit


# Through the command line -----------------------------------------------------------------------------


@pytest.fixture
def arxiv(server: Server, checkout: Checkout, run: Run, monkeypatch: pytest.MonkeyPatch) -> answers.Arxiv:
    """arXiv for the commands, with the paper of the record that is there; all other links of it are fine."""
    monkeypatch.setenv("CATALOG_MIRRORS", answers.as_variable(answers.mirrors(server)))
    monkeypatch.setenv("CATALOG_TIMEOUT", "2")
    made = answers.Arxiv(papers("3104.01234"))
    server[QUERY] = made
    for path in ("/example.org/lindqvist/fading", "/example.org/gardens"):
        server[path] = Reply("<title>Gardens</title>", type="text/html")
    return made


def another(checkout: Checkout, name: str, paper: str) -> None:
    """A further record, of another arXiv paper."""
    text = (
        FADING.replace("3104.01234", paper).replace("Fading Out:", f"{name}:").replace("[Åsa Lindqvist", f"[A {name}")
    )
    text = text[: text.index("implementations:")] + text[text.index("provenance:") :]
    checkout.add(f"papers/2031/{name.lower()}2031gentle.yaml", text.replace("/fading\n", f"/{name}\n"))


def test_add_finds_what_was_passed_over(arxiv: answers.Arxiv, run: Run) -> None:
    arxiv.entries |= papers("3104.10005")
    arxiv.silent = [["3104.10005"]]
    ran = run("add", "3104.10005", "--dry-run")
    assert (ran.status, 'arxiv: "3104.10005"' in ran.out) == (0, True), ran.err
    assert len(arxiv.asked) == 2


def test_add_does_not_call_silence_absence(arxiv: answers.Arxiv, run: Run) -> None:
    ran = run("add", "3104.10005", "--dry-run")
    assert (ran.status, SILENT in ran.err) == (1, True), ran.err
    assert "knows no" not in ran.err
    arxiv.entries |= papers("3104.10005")
    assert run("add", "3104.10005", "--dry-run").status == 0, "the next run asks again"


def test_links_says_not_reached_not_dead(arxiv: answers.Arxiv, checkout: Checkout, run: Run, server: Server) -> None:
    another(checkout, "Roe", "3104.10005")
    server["/example.org/lindqvist/Roe"] = Reply("<title>Gardens</title>", type="text/html")
    ran = run("links")
    assert "dead" not in ran.out + ran.err
    assert "1 unreachable" in ran.err
    assert f"unreachable: https://arxiv.org/abs/3104.10005 ({SILENT})" in ran.out
    arxiv.entries |= papers("3104.10005")
    assert run("links").status == 0, "what was not reached is asked for again"
    arxiv.silent = [["3104.10005", "3104.01234"]]
    assert run("links", "--age", "0").status == 0, "an empty answer is asked for again at once"


def test_links_believes_what_arxiv_says(arxiv: answers.Arxiv, checkout: Checkout, run: Run, server: Server) -> None:
    another(checkout, "Roe", "3104.10005")
    server["/example.org/lindqvist/Roe"] = Reply("<title>Gardens</title>", type="text/html")
    arxiv.wrong = ["3104.10005"]
    found = json.loads(run("links", "--json").out)
    assert [(one["address"], one["status"], one["detail"]) for one in found["findings"]] == [
        ("https://arxiv.org/abs/3104.10005", "dead", "arXiv says: incorrect id format for 3104.10005")
    ]


def test_an_entry_is_enough_for_a_link(arxiv: answers.Arxiv, run: Run) -> None:
    arxiv.entries["3104.01234"] = answers.entry("3104.01234", authors=())
    assert run("links").status == 0


def test_update_compares_the_others(arxiv: answers.Arxiv, checkout: Checkout, run: Run) -> None:
    another(checkout, "Roe", "3104.10005")
    another(checkout, "Poe", "3104.10006")
    arxiv.wrong = ["3104.10005"]
    arxiv.entries["3104.01234"] = answers.entry("3104.01234", title="Another Title Entirely")
    ran = run("update")
    assert "+title: Another Title Entirely" in ran.out
    assert (
        "arXiv says: incorrect id format for 3104.10005. Is the id right? (papers/2031/roe2031gentle.yaml)" in ran.err
    )
    assert f"https://arxiv.org/abs/3104.10006: {SILENT}" in ran.err
    assert "(papers/2031/poe2031gentle.yaml)" in ran.err
    arxiv.wrong = []
    arxiv.entries |= papers("3104.10005", "3104.10006")
    arxiv.silent = [["3104.10005", "3104.10006", "3104.01234"]]
    assert SILENT not in run("update").err


def test_update_tells_what_is_wrong_with_the_source_once(
    arxiv: answers.Arxiv, checkout: Checkout, run: Run, server: Server
) -> None:
    another(checkout, "Roe", "3104.10005")
    server[QUERY] = Reply("", 503, headers={"Retry-After": "9999"})
    ran = run("update")
    assert (ran.status, ran.err.count("is busy")) == (1, 1), ran.err
    assert "(2 records)" in ran.err


def test_update_knows_an_old_paper_by_either_spelling(arxiv: answers.Arxiv, checkout: Checkout, run: Run) -> None:
    another(checkout, "Roe", "cs.LG/0412042")
    arxiv.entries |= papers("cs/0412042")
    assert "0412042" not in run("update").err
    assert "is there already: papers/2031/roe2031gentle.yaml" in run("add", "cs/0412042").err


@pytest.mark.parametrize("wrong", ["2413.10002", "2400.10002", "1501.1234", "3104.10002"])
def test_a_batch_goes_on_without_the_wrong_id(wrong: str, arxiv: answers.Arxiv, checkout: Checkout, run: Run) -> None:
    arxiv.entries |= {
        "3104.10001": answers.entry("3104.10001", title="Rain over Gardens"),
        "3104.10003": answers.entry("3104.10003", title="Snow in Spring"),
    }
    arxiv.wrong = [wrong]
    batch = checkout.add("batch.txt", f"3104.10001\nhttps://arxiv.org/abs/{wrong}v2\n3104.10003\n")
    for arguments in (("--batch", str(batch)), ("3104.10001", wrong, "3104.10003")):
        ran = run("add", "--dry-run", *arguments)
        assert ran.status == 1
        assert "2 drafted, 1 failed." in ran.err
        assert [line for line in ran.err.splitlines() if wrong in line and "Is the id right?" in line]
        assert "Rain over Gardens" in ran.out
        assert "Snow in Spring" in ran.out


def test_a_batch_that_fails_on_the_way_names_each_paper(
    arxiv: answers.Arxiv, checkout: Checkout, run: Run, server: Server
) -> None:
    server[QUERY] = Reply("", 503, headers={"Retry-After": "9999"})
    err = run("add", "3104.10001", "3104.10003").err
    assert "arxiv:3104.10001: https://export.arxiv.org/api/query" in err
    assert "arxiv:3104.10003: https://export.arxiv.org/api/query" in err


@pytest.mark.parametrize(
    ("ident", "fault"),
    [
        ("2413.01234", "there is no month 13"),
        ("2400.01234", "there is no month 00"),
        ("1501.1234", "since 2015 5 digits follow the dot"),
        ("1412.12345", "until 2014 4 digits follow the dot"),
    ],
)
def test_validate_says_why_an_id_is_none(ident: str, fault: str, checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "3104.01234", ident)
    ran = run("validate")
    assert ran.status == 1
    assert f"error[bad-arxiv] links.arxiv: '{ident}' is not an arXiv id without version: {fault}" in ran.out


def test_a_wrong_id_in_bibtex_is_told_not_dropped(checkout: Checkout, run: Run) -> None:
    entry = "@misc{{{0}, author={{Béla Müller}}, title={{Snow on {0}}}, year=2024, eprint={{{1}}}}}\n"
    bib = checkout.add("refs.bib", entry.format("a", "2413.01234") + entry.format("b", "2412.01234"))
    ran = run("add", str(bib), "--dry-run")
    assert "1 drafted, 1 failed." in ran.err
    assert "no record can be made of the BibTeX entry a" in ran.err
    assert "'2413.01234' is not an arXiv id without version: there is no month 13" in ran.err
    assert "bad-date" not in ran.err
    assert "date: 2024-12" in ran.out


def test_discover_does_not_offer_what_stands_there_in_another_spelling(
    arxiv: answers.Arxiv, checkout: Checkout, run: Run, server: Server
) -> None:
    another(checkout, "Roe", "cs.LG/0412042")
    found = answers.entry("cs/0412042", "Machine Unlearning for Large Language Models by Night")
    server[QUERY] = [answers.atom(total=0), answers.atom(found)]
    days = ("--since", "2032-01-01", "--until", "2032-03-01", "--json", "--source", "arxiv")
    assert json.loads(run("discover", *days).out) == []
    assert server.asked[0].path == server.asked[1].path, "an empty first page is asked for again"
    server[QUERY] = answers.atom(answers.entry("3202.00001", "LLM Unlearning"))
    assert [one["paper"] for one in json.loads(run("discover", *days).out)] == ["3202.00001"]


def test_the_memory_of_links_holds_no_absence(server: Server, tmp_path: Path) -> None:
    server[QUERY] = answers.Arxiv({})
    link = Link("arxiv", "3104.00001", "https://arxiv.org/abs/3104.00001", ("x:1",))
    with client(server, tmp_path / "cache") as web:
        assert [one.status for one in Checker(web, tmp_path / "m.json", 9e9).check([link])] == ["unreachable"]
        server[QUERY] = answers.Arxiv(papers("3104.00001"))
        assert [one.status for one in Checker(web, tmp_path / "m.json", 9e9).check([link])] == ["fine"]
