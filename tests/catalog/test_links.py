"""``catalog links``: every fate that a link can have, against a server that plays them all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

import answers
import pytest
from command_runs import Ran, Run
from local_server import Asked, Clock, Reply, Server
from small_checkout import Checkout

from catalog.base.web import Settings, Web, WebError
from catalog.upkeep.links import Checker, Link, as_markdown, report
from catalog.upkeep.pages import check_page
from catalog.upkeep.verdicts import Verdict

PAGE = "<html><title>Gardens</title></html>"


@pytest.fixture
def web(server: Server) -> Iterator[Web]:
    settings = Settings(read_timeout=0.3, deadline=1, attempts=1, mirrors=answers.mirrors(server), max_bytes=100_000)
    with Web(settings) as made:
        yield made


def test_fates(server: Server, web: Web) -> None:
    server["/example.org/fine"] = Reply(PAGE, type="text/html")
    server["/example.org/pdf"] = Reply("%PDF", type="application/pdf")
    server["/example.org/huge"] = Reply(b"x" * 200_000, type="text/html")
    server["/example.org/gone"] = Reply("", 410)
    server["/example.org/soft"] = Reply("<title>Page not found | Gardens</title>", type="text/html")
    server["/example.org/wall"] = Reply("", 403)
    server["/example.org/busy"] = Reply("", 500)
    server["/example.org/silent"] = Reply("", delay=0.6)
    server["/example.org/renamed"] = Reply("", 301, headers={"Location": "/new-name"})
    server["/example.org/new-name"] = Reply(PAGE, type="text/html")
    server["/example.org/lent"] = Reply("", 302, headers={"Location": "/fine"})
    server["/example.org/dropped"] = Reply("", 302, headers={"Location": "/"})
    server["/example.org/"] = Reply(PAGE, type="text/html")
    server["/example.org/members"] = Reply("", 302, headers={"Location": "https://example.com/login?x=1"})
    server["/example.com/login"] = Reply(PAGE, type="text/html")
    server["/example.org/slash"] = Reply("", 301, headers={"Location": "/slash/"})
    server["/example.org/slash/"] = Reply(PAGE, type="text/html")
    server["/example.org/trap"] = Reply("", 301, headers={"Location": "file:///etc/passwd"})
    fates = {
        "fine": "fine", "pdf": "fine", "huge": "fine", "lent": "fine", "slash": "fine", "": "fine",
        "gone": "dead", "never": "dead", "soft": "dead", "dropped": "dead",
        "wall": "walled", "members": "walled", "busy": "unreachable", "silent": "unreachable", "trap": "unreachable",
        "renamed": "moved",
    }  # fmt: skip
    links = [Link("page", url, url, ("x:1",)) for path in fates if (url := f"https://example.org/{path}")]
    verdicts = Checker(web, Path("/dev/null/x"), 0)
    found = [verdicts._one(one).status for one in links]
    assert dict(zip(fates, found, strict=True)) == fates
    assert check_page(web, "https://example.org/renamed").to == "https://example.org/new-name"


def test_insecure(server: Server, web: Web) -> None:
    server["/example.org/both"] = Reply(PAGE, type="text/html")
    verdict = check_page(web, "http://example.org/both")
    assert (verdict.status, verdict.to) == ("insecure", "https://example.org/both")


def test_servers_that_know_no_head(server: Server, web: Web) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply("", 405) if asked.method == "HEAD" else Reply(PAGE, type="text/html")

    server["/example.org/x"] = answer
    assert check_page(web, "https://example.org/x").status == "fine"


@pytest.mark.parametrize(
    "head",
    [
        Reply(delay=0.6),
        Reply(hang_up=True),
        *(Reply("", status) for status in (400, 403, 404, 405, 406, 418, 500, 501, 503)),
        Reply("", 302, headers={"Location": "/x"}),
    ],
    ids=lambda head: f"{head.status}{' late' * bool(head.delay)}{' hangs up' * head.hang_up}",
)
@pytest.mark.parametrize("body", [Reply(PAGE, type="text/html"), Reply("%PDF", type="application/pdf")])
def test_what_fails_with_head_is_asked_with_get(head: Reply, body: Reply, server: Server, web: Web) -> None:
    server["/example.org/x"] = lambda asked: head if asked.method == "HEAD" else body
    assert check_page(web, "https://example.org/x").status == "fine"


def test_what_get_says_counts(server: Server, web: Web) -> None:
    server["/example.org/x"] = lambda asked: Reply(hang_up=True) if asked.method == "HEAD" else Reply("", 410)
    server["/example.org/y"] = Reply(hang_up=True)
    assert check_page(web, "https://example.org/x").status == "dead"
    with pytest.raises(WebError):
        check_page(web, "https://example.org/y")


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 206, 226])
def test_every_status_of_success_is_fine(status: int, server: Server, web: Web) -> None:
    server["/example.org/x"] = Reply("" if status == 204 else PAGE, status, "text/html")
    assert check_page(web, "https://example.org/x").status == "fine"


@pytest.mark.parametrize(
    ("path", "chain", "status"),
    [
        ("project", ["https://example.com/"], "moved"),
        ("project/", ["https://example.com/project", "https://example.com/"], "moved"),
        ("project", ["/project/", "https://example.com"], "moved"),
        ("project", ["https://example.com/auth-free/"], "moved"),
        ("project", ["/authors/"], "moved"),
        ("project", ["https://example.com/auth/login"], "walled"),
        ("project", ["/"], "dead"),
        ("project", ["http://example.org/"], "dead"),
        ("index.html", ["/"], "fine"),
        ("home", ["/"], "fine"),
        ("index.php", ["/"], "fine"),
        ("slash", ["/slash/"], "fine"),
    ],
)
@pytest.mark.parametrize("code", [301, 302])
def test_redirects(path: str, chain: list[str], status: str, code: int, server: Server, web: Web) -> None:
    steps = {f"https://example.org/{path}": chain[0]}
    steps |= {urljoin(f"https://example.org/{path}", one): then for one, then in pairwise(chain)}
    places = {f"/{one.partition('//')[2]}": to for one, to in steps.items()}

    def answer(asked: Asked) -> Reply:
        to = places.get(asked.path)
        return Reply("", code, headers={"Location": to}) if to else Reply(PAGE, type="text/html")

    server.reply = answer  # type: ignore[method-assign]
    found = check_page(web, f"https://example.org/{path}")
    # What is lent for a while has not moved.
    assert found.status == ("fine" if status == "moved" and code == 302 else status)


@pytest.mark.parametrize(
    ("page", "kind", "status"),
    [
        ("<title>404 Not Found</title>", "text/html", "dead"),
        ("<title>Gardens &middot; Page not found</title>", "application/xhtml+xml", "dead"),
        ("<title>404-Bench: Forgetting What Is Not There</title>", "text/html; charset=utf-8", "fine"),
        ("<title>Unlearning What Does Not Exist</title>", "text/html", "fine"),
        ("<title>Gardens</title><body><svg><title>not found</title></svg>", "text/html", "fine"),
        ("<svg><title>not found</title></svg>", "image/svg+xml", "fine"),
        ("<title>404 Not Found</title>", "text/plain", "fine"),
    ],
)
def test_titles(page: str, kind: str, status: str, server: Server, web: Web) -> None:
    server["/example.org/x"] = lambda asked: Reply("", 405) if asked.method == "HEAD" else Reply(page, type=kind)
    assert check_page(web, "https://example.org/x").status == status


def checked(server: Server, tmp_path: Path, *urls: str) -> tuple[list[Verdict], Clock]:
    """Verdicts of the command's own client, but for its clock."""
    clock = Clock()
    settings = Settings(attempts=2, deadline=5, mirrors=answers.mirrors(server))
    with Web(settings, clock.sleep, clock) as web:
        found = Checker(web, tmp_path / "m.json", 1e9).check([Link("page", url, url, ("a:1",)) for url in urls])
    return found, clock


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["5", "Fri, 31 Dec 1999 23:59:59 GMT", None])
def test_a_busy_host_is_waited_for_as_a_whole(asked: str | None, status: int, server: Server, tmp_path: Path) -> None:
    seen: set[str] = set()

    def answer(one: Asked) -> Reply:
        if one.path in seen:
            return Reply(PAGE, type="text/html")
        seen.add(one.path)
        return Reply("", status, headers={"Retry-After": asked} if asked else {})

    server.reply = answer  # type: ignore[method-assign, assignment]
    found, clock = checked(server, tmp_path, *(f"https://github.com/lindqvist/{number}" for number in range(12)))
    assert {one.status for one in found} == {"fine"}
    assert clock.now - 1000 <= 12 * 5


@pytest.mark.parametrize("asked", ["1", "60", "86400", None])
@pytest.mark.parametrize("head", [True, False])
def test_what_stays_busy_is_not_reached_and_asked_again(
    head: bool, asked: str | None, server: Server, tmp_path: Path
) -> None:
    busy = Reply("", 429, headers={"Retry-After": asked} if asked else {})
    server["/example.org/x"] = lambda one: busy if head or one.method == "GET" else Reply("", type="text/html")
    for _ in range(2):
        before = len(server.asked)
        (verdict,), clock = checked(server, tmp_path, "https://example.org/x")
        assert (verdict.status, "429" in verdict.detail) == ("unreachable", True)
        assert clock.now - 1000 <= 130
        assert 0 < len(server.asked) - before <= 3
    server["/example.org/x"] = Reply(PAGE, type="text/html")
    assert checked(server, tmp_path, "https://example.org/x")[0][0].status == "fine"


def test_who_asks_for_a_day_is_not_asked_twice(server: Server, tmp_path: Path) -> None:
    server.reply = lambda asked: Reply("", 429, headers={"Retry-After": "86400"})  # type: ignore[method-assign]
    many = [f"https://github.com/lindqvist/{number}" for number in range(100)]
    found, clock = checked(server, tmp_path, *many, "https://example.org/x")
    assert {one.status for one in found} == {"unreachable"}
    assert clock.slept == []
    assert len(server.asked) < 60, "only what was under way, and the other host"


@pytest.mark.parametrize(
    ("secure", "said"),
    [
        (Reply(hang_up=True), "the site has no https"),
        (Reply("", 404), "with https it answers with status 404"),
        (Reply(delay=0.6), "with https it was not reached: does not answer in time"),
        (Reply("", 429, headers={"Retry-After": "86400"}), "with https it was not reached"),
        (Reply("", 202), "the site is there with https, too"),
    ],
)
def test_an_insecure_site_may_have_https(secure: Reply, said: str, server: Server) -> None:
    server["/plain/x"], server["/secure/x"] = Reply(PAGE, type="text/html"), secure
    mirrors = {"http://example.org": f"{server.url}/plain", "https://example.org": f"{server.url}/secure"}
    with Web(Settings(read_timeout=0.3, deadline=1, attempts=1, mirrors=mirrors)) as web:
        found = check_page(web, "http://example.org/x")
    assert found.status == "insecure"
    assert said in found.detail


def test_honest_hosts_are_asked_once(server: Server, web: Web) -> None:
    server["/github.com/a/b"] = Reply(PAGE, type="text/html")
    assert check_page(web, "https://github.com/a/b").status == "fine"
    assert [one.method for one in server.asked] == ["HEAD"]


@pytest.fixture
def links(server: Server, checkout: Checkout, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.setenv("CATALOG_MIRRORS", answers.as_variable(answers.mirrors(server)))
    monkeypatch.setenv("CATALOG_TIMEOUT", "0.5")
    server["/export.arxiv.org/api/query"] = answers.atom(answers.entry("3104.01234"))
    server["/example.org/lindqvist/fading"] = Reply(PAGE, type="text/html")
    server["/example.org/gardens"] = Reply("", 404)
    return lambda *arguments: run("links", *arguments)


def test_the_command(server: Server, links: Callable[..., Ran], checkout: Checkout) -> None:
    ran = links()
    assert ran.status == 1
    assert ran.out == "papers/2032/okonkwo2032gardens.yaml:10: dead: https://example.org/gardens (status 404)\n"
    assert ran.err == "3 links: 1 dead, 2 fine.\n"
    asked = len(server.asked)
    server["/example.org/gardens"] = Reply(PAGE, type="text/html")
    ran = links("--json")
    assert (ran.status, json.loads(ran.out)["counts"]["fine"]) == (0, 3)
    assert len(server.asked) - asked == 2, "only what was dead is asked for again"
    links("--age", "0")
    assert len(server.asked) - asked > 4
    assert links("okonkwo2032gardens").err == "1 links: 1 fine.\n"
    assert "Did you mean" in links("okonkwo2032garden").err


def test_markdown(links: Callable[..., Ran]) -> None:
    out = links("--markdown").out
    assert "3 checked: 1 dead, 2 fine." in out
    assert "| `papers/2032/okonkwo2032gardens.yaml:10` | https://example.org/gardens | status 404. |" in out


def test_every_registry(server: Server, links: Callable[..., Ran], checkout: Checkout) -> None:
    checkout.change(
        checkout.gardens,
        "  url: https://example.org/gardens",
        '  arxiv: "3201.99999"\n  acl: 2032.acl-long.9\n  openreview: aB3_x-9Z\n  doi: 10.5555/moonlit.12',
    )
    server["/api2.openreview.net/notes"] = answers.notes(answers.note())
    server["/doi.org/api/handles/10.5555/moonlit.12"] = Reply('{"responseCode": 1}', type="application/json")
    server["/aclanthology.org/2032.acl-long.9/"] = Reply(PAGE, type="text/html")
    found = json.loads(links("--json").out)
    assert [(one["address"], one["status"], one["detail"]) for one in found["findings"]] == [
        ("https://arxiv.org/abs/3201.99999", "unreachable", "arXiv gives no answer about it this time")
    ]
    server["/doi.org/api/handles/10.5555/moonlit.12"] = Reply('{"responseCode": 100}', 404, "application/json")
    server["/api2.openreview.net/notes"] = server["/api.openreview.net/notes"] = answers.notes()
    found = json.loads(links("--json", "--age", "0").out)
    assert {one["address"]: one["status"] for one in found["findings"]} == {
        "https://arxiv.org/abs/3201.99999": "unreachable",
        "https://openreview.net/forum?id=aB3_x-9Z": "unreachable",
        "https://doi.org/10.5555/moonlit.12": "dead",
    }


@pytest.mark.parametrize(
    ("new", "old", "fate"),
    [
        (answers.notes(answers.note(authors=[{"fullname": "Jane Doe", "username": "~Jane_Doe1"}])), None, "fine"),
        (answers.notes(answers.note(authors=[])), None, "fine"),
        (answers.notes(answers.note(authors=None)), None, "fine"),
        (answers.notes(answers.note(authors=["Anonymous"])), None, "fine"),
        (answers.notes(answers.note(title=7)), None, "fine"),
        (answers.notes({"id": "aB3_x-9Z"}), None, "fine"),
        (answers.notes(), answers.notes(answers.note(new=False)), "fine"),
        (Reply("", 403), answers.notes(answers.note(new=False)), "fine"),
        (Reply("", 500), answers.notes(answers.note(new=False)), "fine"),
        (answers.notes(), answers.notes(), "unreachable"),  # silence is no fact
        (answers.notes({**answers.note(), "id": "other", "forum": "other"}), answers.notes(), "unreachable"),
        (answers.notes(), Reply("", 404), "unreachable"),
        (Reply("", 404), Reply("", 400), "dead"),
        (Reply('{"name": "ForbiddenError"}', 403, "application/json"), answers.notes(), "walled"),
        (Reply("", 403), Reply("", 403), "walled"),
        (Reply("", 429, headers={"Retry-After": "86400"}), answers.notes(), "unreachable"),
        (Reply("{}", type="application/json"), answers.notes(), "unreachable"),
        (Reply("<html>captcha</html>", type="text/html"), answers.notes(), "unreachable"),
    ],
)
def test_whether_a_forum_exists(
    new: Reply, old: Reply | None, fate: str, server: Server, links: Callable[..., Ran], checkout: Checkout
) -> None:
    checkout.change(checkout.gardens, "url: https://example.org/gardens", "openreview: aB3_x-9Z")
    server["/api2.openreview.net/notes"] = new
    server["/api.openreview.net/notes"] = old or answers.notes()
    ran = links("okonkwo2032gardens", "--json")
    assert (json.loads(ran.out)["counts"][fate], ran.status) == (1, int(fate == "dead")), ran.out


def test_living_and_dead_through_the_command(
    server: Server, links: Callable[..., Ran], checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("catalog.base.web.Web", lambda settings, told: Web(settings, clock.sleep, clock, told))
    monkeypatch.setenv("CATALOG_TIMEOUT", "90")
    checkout.change(
        checkout.gardens,
        "  url: https://example.org/gardens",
        "  url: https://example.org/gardens/\n  code: https://github.com/okonkwo/gardens\n"
        "  project: https://example.org/index.html",
    )
    server["/example.org/gardens/"] = Reply("", 301, headers={"Location": "https://example.com/"})
    server["/example.com/"] = Reply("<title>404-Bench: What Does Not Exist</title>", 202, "text/html")
    server["/example.org/index.html"] = Reply("", 301, headers={"Location": "/"})
    server["/example.org/"] = Reply("<title>Gardens</title><svg><title>Not found</title></svg>", type="text/html")
    server["/github.com/okonkwo/gardens"] = Reply("", 429, headers={"Retry-After": "60"})
    ran = links("okonkwo2032gardens")
    assert ran.status == 0
    assert "moved: https://example.org/gardens/ -> https://example.com/" in ran.out
    assert "unreachable: https://github.com/okonkwo/gardens" in ran.out
    assert ran.err == "3 links: 1 unreachable, 1 moved, 1 fine.\n"
    server["/github.com/okonkwo/gardens"] = Reply(PAGE, type="text/html")
    server.asked.clear()
    assert links("okonkwo2032gardens").err == "3 links: 1 moved, 2 fine.\n"
    assert {one.path for one in server.asked} == {"/github.com/okonkwo/gardens"}


def test_it_remembers_since_when(server: Server, web: Web, tmp_path: Path) -> None:
    now = [1_900_000_000.0]
    link = [Link("page", "https://example.org/x", "https://example.org/x", ("a:1",))]
    first = Checker(web, tmp_path / "m.json", 0, lambda: now[0]).check(link)[0]
    now[0] += 5 * 86400
    second = Checker(web, tmp_path / "m.json", 0, lambda: now[0]).check(link)[0]
    assert (first.since, second.since) == (first.checked, first.checked)
    assert second.checked > first.checked
    assert "https://example.org/x" in as_markdown(report(link, [second]))
    (tmp_path / "m.json").write_text("[broken")
    assert Checker(web, tmp_path / "m.json", 0, lambda: now[0]).check(link)[0].status == "dead"


def test_stopped_it_keeps_what_it_found(server: Server, tmp_path: Path) -> None:
    stopped, answered = threading.Event(), threading.Semaphore(10)

    def ten_until_stopped(asked: Asked) -> Reply:
        if not answered.acquire(blocking=False):
            assert stopped.wait(60)
        return Reply("%PDF", type="application/pdf")

    server.reply = ten_until_stopped  # type: ignore[method-assign]
    some = [Link("page", url, url, ("a:1",)) for number in range(50) if (url := f"https://example.org/x?{number}")]

    def stop(done: int, total: int) -> None:
        if done == 10:
            stopped.set()
            raise KeyboardInterrupt

    # No request may run out of time on a busy machine: what was not reached is asked again, as it should be.
    with Web(Settings(read_timeout=60, deadline=60, mirrors=answers.mirrors(server))) as web:
        with pytest.raises(KeyboardInterrupt):
            Checker(web, tmp_path / "m.json", 1e9).check(some, stop)
        kept = set(json.loads((tmp_path / "m.json").read_text()))
        assert len(kept) == 10
        server.asked.clear()
        assert {one.status for one in Checker(web, tmp_path / "m.json", 1e9).check(some)} == {"fine"}
    again = {f"https:/{one.path}" for one in server.asked}
    assert again == {one.address for one in some} - kept


def test_many_hosts_are_asked_side_by_side(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [f"https://host{number}.example" for number in range(60)]
    mirrors = {host: f"{server.url}/{host.removeprefix('https://')}" for host in hosts}
    busy, most = [0], [0]
    lock = threading.Lock()

    def slow(asked: Asked) -> Reply:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.01)
        with lock:
            busy[0] -= 1
        return Reply("x", type="application/pdf")

    monkeypatch.setattr(server, "reply", slow)
    links = [Link("page", url, url, ("a:1",)) for host in hosts for n in range(5) if (url := f"{host}/{n}")]
    with Web(Settings(mirrors=mirrors)) as web:
        verdicts = Checker(web, tmp_path / "m.json", 0).check(links)
    assert {one.status for one in verdicts} == {"fine"}
    assert most[0] > 4
    first = {one.path.split("/")[1] for one in server.asked[:40]}
    assert len(first) > 20, "hosts take turns"
