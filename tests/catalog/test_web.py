"""The client, against servers of every temper on this machine."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from local_server import Clock, Reply, Server

from catalog.base.web import AGENT, Settings, Web, WebError, retry_after
from catalog.base.web.turns import HeldError, Turns


class Made:
    """Clients for a server that stands in for example.org, closed at the end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.slept: list[float] = []
        self.told: list[str] = []
        self.webs: list[Web] = []

    def __call__(self, **given: Any) -> Web:
        quick = {"connect_timeout": 1, "read_timeout": 0.3, "deadline": 1.0, "attempts": 2, "backoff": 0.0}
        settings = Settings(**{**quick, "mirrors": {"https://example.org": self.server.url}, **given})
        web = Web(settings, self.slept.append, told=self.told.append)
        self.webs.append(web)
        return web


@pytest.fixture
def web(server: Server) -> Iterator[Made]:
    made = Made(server)
    yield made
    for one in made.webs:
        one.close()


def failure(web: Web, path: str = "/", **given: Any) -> WebError:
    with pytest.raises(WebError) as caught:
        web.get(path if "://" in path else f"https://example.org{path}", **given)
    return caught.value


def test_an_answer(server: Server, web: Made) -> None:
    server["/paper?id=1"] = Reply("hello", type="text/x-bibtex; charset=utf-8")
    answer = web().get("https://example.org/paper?id=1", accept="text/x-bibtex", types=("text/x-bibtex",))
    assert (answer.body, answer.content_type, answer.url) == (
        b"hello",
        "text/x-bibtex",
        "https://example.org/paper?id=1",
    )
    assert server.asked[0].headers["User-Agent"] == AGENT
    assert server.asked[0].headers["Accept"] == "text/x-bibtex"


def test_no_password_and_no_cookie_is_sent(
    server: Server, web: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server["/"] = Reply("x", headers={"Set-Cookie": "a=b"})
    one = web()
    one.get("https://example.org/")
    one.get("https://example.org/")
    assert not {"Authorization", "Cookie"} & set(server.asked[1].headers)


@pytest.mark.parametrize("status", [404, 410, 403, 418])
def test_a_bad_status_is_not_tried_again(status: int, server: Server, web: Made) -> None:
    server["/"] = Reply("no", status)
    error = failure(web())
    assert (error.kind, error.status) == ("status", status)
    assert str(status) in str(error)
    assert len(server.asked) == 1


def test_a_busy_server_is_tried_again(server: Server, web: Made) -> None:
    server["/"] = [Reply("", 503, headers={"Retry-After": "7"}), Reply("", 429), Reply("at last")]
    assert web(attempts=3).get("https://example.org/").body == b"at last"
    assert web.slept[0] == 7
    assert web.told == ["Waiting 7 seconds for example.org."]
    server["/"] = Reply("", 503, headers={"Retry-After": "0"})
    assert failure(web()).status == 503
    assert len(server.asked) == 5


def test_nobody_is_waited_for_for_hours(server: Server, web: Made) -> None:
    server["/"] = Reply("", 429, headers={"Retry-After": "86400"})
    assert "asks to wait 86400 seconds" in str(failure(web()))
    assert len(server.asked) == 1
    server["/"] = Reply("", 429, headers={"Retry-After": "9" * 30})
    assert "asks to wait for weeks" in str(failure(web()))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("120", 120),
        ("-5", None),
        ("9" * 400, float("inf")),
        ("²", None),
        ("٣", None),
        ("Wed, 01 Jan 2031 00:01:30 GMT", 90),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0),
        ("Wed, 99 Jan 2031 00:01:30 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, datetime(2031, 1, 1, tzinfo=UTC)) == seconds


def test_silence(server: Server, web: Made) -> None:
    server["/"] = Reply("late", delay=0.8)
    begin = time.monotonic()
    assert failure(web()).kind == "timeout"
    assert time.monotonic() - begin < 2


def test_dripping(server: Server, web: Made) -> None:
    server["/"] = Reply(b"x" * 1000, drip=0.05)
    begin = time.monotonic()
    error = failure(web(attempts=1))
    assert error.kind == "timeout"
    assert time.monotonic() - begin < 2.5


def test_dripping_headers(web: Made) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stop.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                pass

    thread = threading.Thread(target=drip)
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    begin = time.monotonic()
    assert failure(web(attempts=1, mirrors={"https://example.org": url})).kind == "timeout"
    assert time.monotonic() - begin < 2.5
    stop.set()
    thread.join()
    listening.close()


def test_breaking_off(server: Server, web: Made) -> None:
    server["/"] = Reply("half", cut=True)
    assert failure(web()).kind in ("unreachable", "timeout")
    assert len(server.asked) == 2


def test_nobody_there(web: Made) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    error = failure(web(mirrors={"https://example.org": f"http://127.0.0.1:{port}"}))
    assert error.kind == "unreachable"


def test_no_http(web: Made) -> None:
    def speak() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + os.urandom(200))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=speak)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # On a busy machine the other side may take its time to speak.
        patient = web(attempts=1, read_timeout=30.0, deadline=30.0, mirrors={"https://example.org": url})
        assert failure(patient).kind == "unreachable"
        thread.join()


def test_size(server: Server, web: Made) -> None:
    server["/announced"] = Reply(b"x" * 5000)
    server["/bomb"] = Reply(gzip.compress(b"\0" * 50_000_000), headers={"Content-Encoding": "gzip"})
    server["/fits"] = Reply(gzip.compress(b"y" * 900), headers={"Content-Encoding": "gzip"})
    one = web(max_bytes=1000)
    assert failure(one, "/announced").kind == "size"
    assert failure(web(max_bytes=100_000), "/bomb").kind == "size"
    assert one.get("https://example.org/fits").body == b"y" * 900


def test_wrong_compression(server: Server, web: Made) -> None:
    server["/"] = Reply(b"not gzip at all", headers={"Content-Encoding": "gzip"})
    assert failure(web(attempts=1)).kind == "unreachable"


def test_type(server: Server, web: Made) -> None:
    server["/"] = Reply("<html>log in</html>", type="text/html")
    error = failure(web(), types=("application/json",))
    assert error.kind == "type"
    assert "text/html instead of application/json" in str(error)


def test_redirects(server: Server, web: Made) -> None:
    server["/a"] = Reply("", 301, headers={"Location": "/b?x=1"})
    server["/b"] = Reply("", 302, headers={"Location": "https://example.org/c"})
    server["/c"] = Reply("there")
    answer = web().get("https://example.org/a")
    assert answer.url == "https://example.org/c"
    assert answer.redirects == ((301, "https://example.org/b?x=1"), (302, "https://example.org/c"))
    server["/c"] = Reply("", 302, headers={"Location": "http://nowhere.invalid/d"})
    error = failure(web(attempts=1), "/a")
    assert (error.kind, error.url) == ("unknown", "https://example.org/a")
    assert "redirects to http://nowhere.invalid/d: there is no such host" in str(error)
    server["/c"] = Reply("", 302, headers={"Location": "/a"})
    assert "more than 6 times" in str(failure(web(), "/a"))


@pytest.mark.parametrize(
    "where",
    [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "gopher://127.0.0.1/",
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]:1/",
        "http://[64:ff9b::10.0.0.8]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:808:808::80ff:fffe]/",
        "http://10.0.0.8/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/",
        "http://metadata.google.internal/",
        "https://user:secret@example.org/",
        "http://[oops/",
        "https://example.org:99999999/",
    ],
)
def test_hostile_redirects(where: str, server: Server, web: Made) -> None:
    server["/"] = Reply("", 302, headers={"Location": where})
    error = failure(web())
    assert error.kind == "redirect"
    assert "not followed" in str(error) or "not an address" in str(error)
    assert failure(web(), where).kind in ("address", "private")
    assert len(server.asked) == 1


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
def test_names_that_resolve_to_this_machine(host: str, server: Server, web: Made) -> None:
    port = server.url.rpartition(":")[2]
    assert failure(web(mirrors={}), f"http://{host}:{port}/").kind in ("private", "unreachable")
    assert server.asked == []


def test_a_name_that_says_private_and_does_not_resolve(web: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert failure(web(mirrors={}), "https://private.example.org/").kind == "unknown"


def test_a_name_that_turns_private_when_it_is_used(server: Server, web: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(server.url.rpartition(":")[2])
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: real("127.0.0.1", port, *more[1:], **named))
    assert failure(web(mirrors={}), f"http://rebound.example.org:{port}/").kind == "private"
    assert server.asked == []


def test_no_such_host(web: Made) -> None:
    error = failure(web(mirrors={}, attempts=4), "https://nowhere.invalid/" + "x" * 150 + "?a=b")
    assert (error.kind, len(web.slept)) == ("unknown", 1), "one more try, at the host's pace"
    assert str(error).count("?…") == 1


# Busy hosts -----------------------------------------------------------------------------------------


def limited(seconds: str | None = "60", status: int = 429) -> Reply:
    return Reply("", status, headers={"Retry-After": seconds} if seconds else {})


class Busy:
    """A client for two hosts on a server, with a clock of its own."""

    def __init__(self, server: Server, **given: Any) -> None:
        self.clock, self.told = Clock(), []  # type: ignore[var-annotated]
        mirrors = {f"https://{host}": f"{server.url}/{host}" for host in ("example.org", "example.com")}
        settings = Settings(**{"mirrors": mirrors, "attempts": 2, "backoff": 1.0, "deadline": 5.0, **given})
        self.web = Web(settings, self.clock.sleep, self.clock, self.told.append)

    def __enter__(self) -> Busy:
        return self

    def __exit__(self, *_: object) -> None:
        self.web.close()

    def status(self, address: str, **given: Any) -> int:
        return self.web.ask("GET", f"https://{address}", **given).status


def in_seconds(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("asked", "least", "most"), [("60", 60, 60), ("date", 80, 90)])
def test_what_one_is_told_holds_for_all_who_ask_that_host(
    asked: str, least: float, most: float, status: int, server: Server
) -> None:
    server["/example.org/a"] = limited(in_seconds(90) if asked == "date" else asked, status)
    server["/example.org/b"] = server["/example.com/c"] = Reply("x")
    with Busy(server, attempts=1) as busy:
        assert busy.status("example.org/a") == status
        assert busy.status("example.com/c") == 200
        assert busy.clock.slept == []
        assert busy.status("example.org/b") == 200
        assert least <= sum(busy.clock.slept) <= most
        assert len(busy.told) == 1


def test_too_often_without_a_time_holds_for_a_moment(server: Server) -> None:
    server["/example.org/a"] = limited(None)
    server["/example.org/b"] = Reply("x")
    with Busy(server, attempts=1) as busy:
        busy.status("example.org/a")
        busy.status("example.org/b")
        assert 0.7 < sum(busy.clock.slept) < 1.3
    server["/example.org/a"] = [limited(None), Reply("x")]
    with Busy(server, longest_wait=0.5) as busy:
        assert busy.status("example.org/a") == 200
        assert busy.clock.slept == [0.5], "nobody waits longer than the longest wait"


def test_the_host_that_is_redirected_to_is_the_one_that_is_held(server: Server) -> None:
    server["/example.org/a"] = Reply("", 302, headers={"Location": "https://example.com/a"})
    server["/example.com/a"] = limited()
    server["/example.org/b"] = server["/example.com/b"] = Reply("x")
    with Busy(server, attempts=1) as busy:
        busy.status("example.org/a")
        busy.status("example.org/b")
        assert busy.clock.slept == []
        busy.status("example.com/b")
        assert busy.clock.slept == [60]


def test_a_host_that_goes_on_asking_for_time_is_given_up_until_then(server: Server) -> None:
    server["/example.org/a"] = limited("50")
    server["/example.org/b"] = Reply("x")
    with Busy(server, attempts=9) as busy:
        with pytest.raises(WebError, match="asks to wait 50 seconds") as caught:
            busy.status("example.org/a")
        assert (caught.value.status, sum(busy.clock.slept), len(server.asked)) == (429, 100, 3)
        with pytest.raises(WebError, match="is not asked: its host is busy and asks to wait 50 seconds"):
            busy.status("example.org/b")
        assert len(server.asked) == 3
        busy.clock.sleep(50)
        assert busy.status("example.org/b") == 200
        server["/example.org/a"] = [limited("50"), Reply("y")]
        assert busy.status("example.org/a") == 200, "patience began anew"


def test_an_answer_while_all_wait_renews_patience_for_what_comes_after() -> None:
    clock = Clock()
    turns = Turns(100, clock.sleep, clock)
    assert turns.hold("a", 1000) == (False, True)
    turns.served("a")
    with pytest.raises(HeldError):
        turns.take("a", 0)
    clock.sleep(1000)
    turns.served("a")
    for _ in range(20):
        assert turns.hold("a", 60) == (True, True)
        turns.served("a")
        clock.sleep(60)


def test_who_waits_already_hears_of_a_later_hold() -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        if not clock.slept:
            turns.hold("a", 30)
        clock.sleep(seconds)

    turns = Turns(100, sleep, clock)
    turns.take("a", 5)
    turns.take("a", 5)
    assert clock.now == 1030
    assert turns.hold("a", 20) == (True, True)
    assert turns.hold("a", 20) == (True, False), "told twice, held once"


def test_waiting_is_no_failed_attempt_while_the_queue_moves(server: Server) -> None:
    server["/example.org/a"] = [limited("10")] * 8 + [Reply("x")]
    server["/example.org/b"] = Reply("y")
    with Busy(server) as busy:
        assert busy.status("example.org/a") == 429, "nobody is served, and this is the last attempt"
        sleep = busy.clock.sleep

        def others_are_served(seconds: float) -> None:
            sleep(seconds)
            if not nested:
                nested.append(1)
                busy.status("example.org/b")
                nested.clear()

        nested: list[int] = []
        busy.web._sleep = others_are_served
        assert busy.status("example.org/a") == 200
    server["/example.org/a"] = limited("10")
    with Busy(server) as busy:
        sleep, busy.web._sleep = busy.clock.sleep, others_are_served
        assert busy.status("example.org/a") == 429
        assert 100 <= sum(busy.clock.slept) <= 130, "but not for ever"


def test_only_who_is_stubborn_tries_again_what_failed(server: Server) -> None:
    server["/example.org/a"] = Reply("", 500)
    server["/example.org/b"] = Reply(hang_up=True)
    server["/example.org/c"] = [limited("60"), Reply("x")]
    with Busy(server) as busy:
        assert busy.status("example.org/a", stubborn=False) == 500
        with pytest.raises(WebError):
            busy.status("example.org/b", stubborn=False)
        assert len(server.asked) == 2
        assert busy.status("example.org/c", stubborn=False) == 200


def test_no_more_is_read_than_is_enough(server: Server, web: Made) -> None:
    server["/"] = Reply(b"x" * 5_000_000)
    answer = web(max_bytes=1_000_000).ask("GET", "https://example.org/", enough=100_000)
    assert 100_000 <= len(answer.body) < 200_000
    server["/"] = Reply(b"x" * 500)
    assert len(web().ask("GET", "https://example.org/", enough=100_000).body) == 500


def test_the_pace(server: Server) -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    settings = Settings(mirrors={"https://example.org": server.url}, intervals={"127.0.0.1": 3.0})
    server["/"] = Reply("x")
    with Web(settings, sleep, lambda: now[0]) as web:
        for _ in range(3):
            web.get("https://example.org/")
        now[0] += 2
        web.get("https://example.org/")
    assert slept == [3.0, 3.0, 1.0]


def test_the_cache(server: Server, web: Made, tmp_path: Path) -> None:
    server["/"] = [Reply("first"), Reply("second")]
    one = web(cache=tmp_path / "cache")
    assert [one.get("https://example.org/").cached for _ in range(2)] == [False, True]
    assert one.get("https://example.org/").body == b"first"
    assert one.get("https://example.org/", accept="text/html").body == b"second"
    (kept, _) = sorted((tmp_path / "cache").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    kept.write_bytes(kept.read_bytes()[:-2])
    assert one.get("https://example.org/").body == b"second"
    for path in (tmp_path / "cache").iterdir():
        os.utime(path, (0, 0))
    assert not one.get("https://example.org/").cached
    assert not list((tmp_path / "cache").glob(".*"))


def test_what_is_wrong_is_not_kept(server: Server, web: Made, tmp_path: Path) -> None:
    def check(body: bytes) -> bool:
        if body == b"bad":
            raise WebError("content", "https://example.org/", "is bad")
        return body != b"half"

    server["/"] = [Reply("bad"), Reply("no", 404), Reply("half"), Reply("good"), Reply("bad")]
    one = web(cache=tmp_path)
    assert failure(one, check=check).kind == "content"
    assert failure(one, check=check).status == 404
    answers = [one.get("https://example.org/", check=check) for _ in range(3)]
    assert [(answer.body, answer.cached) for answer in answers] == [(b"half", False), (b"good", False), (b"good", True)]


def test_what_was_kept_must_hold_what_is_asked_for_now(server: Server, web: Made, tmp_path: Path) -> None:
    server["/"] = [Reply("half"), Reply("good")]
    one = web(cache=tmp_path)
    assert one.get("https://example.org/").body == b"half"
    assert one.get("https://example.org/").cached
    assert one.get("https://example.org/", check=lambda body: body != b"half").body == b"good"


def test_what_a_service_says_about_its_refusal_can_be_read(server: Server, web: Made, tmp_path: Path) -> None:
    server["/"] = [Reply("the id is wrong", 400, type="text/html"), Reply("good", type="text/plain")]
    one = web(cache=tmp_path)
    answer = one.get("https://example.org/", types=("text/plain",), explained=(400,))
    assert (answer.status, answer.body) == (400, b"the id is wrong")
    assert one.get("https://example.org/", types=("text/plain",)).body == b"good", "it was not kept"


def test_settings_from_the_environment() -> None:
    made = Settings.from_environment({"CATALOG_MIRRORS": "https://a.org=http://127.0.0.1:1/a", "CATALOG_TIMEOUT": "5"})
    assert made.mirrors == {"https://a.org": "http://127.0.0.1:1/a"}
    assert (made.deadline, made.read_timeout, made.longest_wait) == (5, 5, 5)
    for wrong in ({"CATALOG_MIRRORS": "a.org"}, {"CATALOG_TIMEOUT": "soon"}, {"CATALOG_TIMEOUT": "-1"}):
        with pytest.raises(ValueError, match="CATALOG_"):
            Settings.from_environment(wrong)
