"""A web server on this machine that answers as it is told: well, slowly, wrongly or with malice."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    body: bytes | str = b""
    status: int = 200
    type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Before anything is said."""
    drip: float = 0.0
    """Between two bytes of the body."""
    cut: bool = False
    """Announce more than is sent."""
    hang_up: bool = False
    """Say nothing at all."""


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    at: float


class Http(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up, as they may, are not worth a traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@dataclass
class Clock:
    """A clock that runs when somebody sleeps; any number sleep side by side."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        with self.lock:
            self.slept.append(seconds)
            self.now = max(self.now, until)


Answering = Reply | Callable[[Asked], Reply] | list[Reply]


class Server:
    """``server[path] = Reply(...)``; the path is compared without its query, unless one is in the key."""

    def __init__(self) -> None:
        self.replies: dict[str, Answering] = {}
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                asked = Asked(self.command, self.path, dict(self.headers), time.monotonic())
                outer.asked.append(asked)
                with contextlib.suppress(OSError):
                    self.send(outer.reply(asked))

            def send(self, reply: Reply) -> None:
                time.sleep(reply.delay)
                if reply.hang_up:
                    self.close_connection = True
                    return
                body = reply.body.encode() if isinstance(reply.body, str) else reply.body
                self.send_response(reply.status)
                if reply.type:
                    self.send_header("Content-Type", reply.type)
                self.send_header("Content-Length", str(len(body) + (100 if reply.cut else 0)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "HEAD":
                    return
                if reply.drip:
                    for index in range(len(body)):
                        self.wfile.write(body[index : index + 1])
                        self.wfile.flush()
                        time.sleep(reply.drip)
                else:
                    self.wfile.write(body)
                if reply.cut:
                    self.close_connection = True

            do_GET = do_HEAD = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.http = Http(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __setitem__(self, path: str, reply: Answering) -> None:
        self.replies[path] = reply

    def reply(self, asked: Asked) -> Reply:
        found = self.replies.get(asked.path, self.replies.get(asked.path.partition("?")[0]))
        if found is None:
            return Reply("nothing here", 404)
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found(asked) if callable(found) else found

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
