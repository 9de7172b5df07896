"""``catalog links``: every fate that a link can have, against a server that plays them all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import answers
import pytest
from command_runs import Ran, Run
from local_server import Asked, Reply, Server
from small_checkout import Checkout

from catalog.base.web import Settings, Web
from catalog.upkeep.links import Checker, Link, as_markdown, check_page, report

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
    assert [(one["address"], one["detail"]) for one in found["findings"]] == [
        ("https://arxiv.org/abs/3201.99999", "arXiv knows no such id")
    ]
    server["/doi.org/api/handles/10.5555/moonlit.12"] = Reply('{"responseCode": 100}', 404, "application/json")
    server["/api2.openreview.net/notes"] = server["/api.openreview.net/notes"] = answers.notes()
    found = json.loads(links("--json", "--age", "0").out)
    assert found["counts"]["dead"] == 3


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


def test_stopped_it_keeps_what_it_found(
    server: Server, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(asked: Asked) -> Reply:
        time.sleep(0.02)  # or all are answered before anybody can stop it
        return Reply(PAGE, type="text/html")

    monkeypatch.setattr(server, "reply", slow)
    some = [Link("page", url, url, ("a:1",)) for number in range(50) if (url := f"https://example.org/x?{number}")]

    def stop(done: int, total: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Checker(web, tmp_path / "m.json", 100).check(some, stop)
    kept = len(json.loads((tmp_path / "m.json").read_text()))
    assert 10 <= kept < 50
    server.asked.clear()
    assert len(Checker(web, tmp_path / "m.json", 100).check(some)) == 50
    assert len({one.path for one in server.asked}) == 50 - kept


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
