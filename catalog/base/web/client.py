"""The client: patient, polite and bounded; see :mod:`catalog.base.web`."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from catalog import __version__
from catalog.base.text import shorten
from catalog.base.web.answer import Answer
from catalog.base.web.cache import Cache
from catalog.base.web.errors import WebError, advice, in_words
from catalog.base.web.guard import GuardedAdapter, Session, is_private, origin
from catalog.base.web.settings import Settings

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator


AGENT = f"llm-unlearning-catalog/{__version__}"
"""How the project names itself to others."""

REDIRECTS = frozenset((301, 302, 303, 307, 308))
BUSY = frozenset((429, 500, 502, 503, 504))
"""Statuses that may be gone at the next try."""

_LONG = 5.0
"""Seconds of waiting that people are told of."""


class Web:
    """A client. One serves any number of threads; close it, or use it in a ``with`` statement."""

    def __init__(
        self,
        settings: Settings | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        told: Callable[[str], None] = lambda message: None,
    ) -> None:
        """Args: settings, the clock with its way to let time pass (tests bring their own), and who is told of waits."""
        self.settings = settings or Settings()
        self._told = told
        self._cache = Cache(self.settings.cache, self.settings.cache_age)
        self._sleep, self._clock = sleep, clock
        self._trusted = frozenset(origin(address) for address in self.settings.mirrors.values())
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()
        self._local = threading.local()
        self._session = Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = GuardedAdapter(self._trusted, self._local)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._session.close()

    def get(
        self,
        url: str,
        *,
        accept: str = "*/*",
        types: Collection[str] = (),
        check: Callable[[bytes], None] | None = None,
        keep: bool = True,
    ) -> Answer:
        """The content of an address, from the cache if it is there and young.

        Args:
            url: the address.
            accept: the media types that are asked for.
            types: the media types that are understood; any, if none are named.
            check: looks at the content and raises if it is unusable. Only what passes is kept.
            keep: whether the cache takes part at all; not where it matters what is there now.

        Raises:
            WebError: there is no content of such a type, for whatever reason.
        """
        return self._get(url, accept, types, lambda answer: check(answer.body) if check else None, keep)

    def read(
        self,
        url: str,
        *,
        accept: str = "*/*",
        types: Collection[str] = (),
        check: Callable[[str], object] = lambda text: None,
    ) -> str:
        """The content of an address as text, like :meth:`get`.

        Args:
            url: the address.
            accept: the media types that are asked for.
            types: the media types that are understood; any, if none are named.
            check: looks at the text and raises if it is unusable; only what passes is kept.

        Raises:
            WebError: there is no content of such a type, or it is no text in the encoding that it should have.
        """
        return self._get(url, accept, types, lambda answer: check(answer.text), keep=True).text

    def _get(
        self, url: str, accept: str, types: Collection[str], check: Callable[[Answer], object], keep: bool
    ) -> Answer:
        kept = self._cache.kept(url, accept) if keep else None
        if kept is not None:
            return kept
        answer = self.ask("GET", url, {"Accept": accept})
        if answer.status != 200:
            raise WebError("status", url, f"answers with status {answer.status}", advice(answer.status), answer.status)
        if types and answer.content_type not in types:
            message = f"gives {answer.content_type or 'something unnamed'} instead of {' or '.join(types)}"
            raise WebError("type", url, message, "Is a login page or a proxy in the way?")
        check(answer)
        if keep:
            self._cache.keep(url, accept, answer)
        return answer

    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """What an address answers, whatever the status; tried again while that may help, redirects followed.

        Raises:
            WebError: no answer came, or one that must not be followed or is too large.
        """
        wait = 0.0
        for attempt in range(1, self.settings.attempts + 1):
            if wait:
                if wait >= _LONG:
                    self._told(f"Waiting {wait:.0f} seconds for {urlsplit(url).hostname}.")
                self._sleep(wait)
            last = attempt == self.settings.attempts
            wait = self.settings.backoff * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)
            try:
                answer = self._follow(method, url, headers or {})
            except WebError as error:
                # A name that does not exist seldom comes into being; one more try is for networks that wake up.
                unknown = error.kind == "unknown" and attempt >= 2
                if last or unknown or error.kind not in ("unreachable", "timeout", "unknown"):
                    raise
                continue
            if answer.status not in BUSY:
                return answer
            asked = retry_after(answer.headers.get("retry-after"))
            if asked is not None and asked > self.settings.longest_wait:
                how_long = f"{asked:.0f} seconds" if asked < 1e6 else "for weeks"
                message = f"is busy (status {answer.status}) and asks to wait {how_long}"
                raise WebError("status", url, message, "Run this again then.", answer.status)
            if last:
                return answer
            wait = asked if asked is not None else wait
        raise AssertionError("the last attempt returns or raises")

    # One try ----------------------------------------------------------------------------------------

    def _follow(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        steps: list[tuple[int, str]] = []
        current = url
        while True:
            try:
                answer = self._once(method, current, headers)
            except WebError as error:
                if not steps:
                    raise
                message = f"redirects to {shorten(current, 120)}: {error.message}"
                raise WebError(error.kind, url, message, error.hint, error.status) from None
            where = answer.headers.get("location")
            if answer.status not in REDIRECTS or not where:
                return replace(answer, redirects=tuple(steps))
            if len(steps) >= self.settings.max_redirects:
                raise WebError("redirect", url, f"redirects more than {self.settings.max_redirects} times")
            try:
                current = urljoin(current, where)
                self._refuse(current)
            except ValueError:
                raise WebError("redirect", url, "redirects to something that is not an address") from None
            except WebError as error:
                message = f"redirects to {shorten(current, 120)}, which is not followed: {error.message}"
                raise WebError("redirect", url, message) from None
            steps.append((answer.status, current))

    def _once(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        target = self._mirrored(url)
        self._refuse(url)
        self._pace(target)
        sent = {"User-Agent": AGENT, "Accept-Encoding": "gzip, deflate", **headers}
        timeouts = (self.settings.connect_timeout, self.settings.read_timeout)
        begin = time.monotonic()
        try:
            with (
                self._watched(),
                self._session.request(
                    method,
                    target,
                    headers=sent,
                    timeout=timeouts,
                    stream=True,
                    allow_redirects=False,
                    auth=_no_password,
                ) as response,
            ):
                body = b"" if method == "HEAD" else self._read(url, response)
                found = {name.lower(): value for name, value in response.headers.items()}
                # A connection that was closed within the headers looks like an answer without content.
                if time.monotonic() - begin < self.settings.deadline:
                    return Answer(url, response.status_code, found, body)
                raise TimeoutError
        except WebError:
            raise
        except (requests.RequestException, HTTPError, OSError, ValueError, AttributeError) as error:
            # The watch closes a connection under the feet of whoever reads from it, which looks like anything.
            if time.monotonic() - begin >= self.settings.deadline:
                raise WebError(
                    "timeout", url, f"took longer than {self.settings.deadline:g} seconds", "Try again later."
                ) from None
            raise in_words(url, error) from None

    def _read(self, url: str, response: requests.Response) -> bytes:
        limit = self.settings.max_bytes
        parts: list[bytes] = []
        size = 0
        announced = response.headers.get("content-length", "")
        if (promised := _whole(announced)) is not None and promised > limit:
            size = limit + 1
        while size <= limit:
            part = response.raw.read1(64 * 1024, decode_content=True)
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
        raise WebError("size", url, f"gives more than {limit // 1024:,} KB")

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Ends the request of this thread at the deadline: timeouts of a socket only know silence."""
        local = self._local
        local.holder = holder = {}  # type: ignore[var-annotated]

        def end() -> None:
            connection: socket.socket | None = holder.get("socket")
            if connection is not None:
                with suppress(OSError, ValueError, AttributeError):
                    connection.shutdown(2)

        timer = threading.Timer(self.settings.deadline, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            local.holder = None

    # Where to, and when ---------------------------------------------------------------------------------

    def _mirrored(self, url: str) -> str:
        for start, instead in self.settings.mirrors.items():
            if url == start or url.startswith(start.rstrip("/") + "/"):
                return instead.rstrip("/") + url[len(start.rstrip("/")) :]
        return url

    def _refuse(self, url: str) -> None:
        """Raises WebError where an address cannot or must not be asked, as far as one sees before connecting."""
        try:
            parts = urlsplit(self._mirrored(url))
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise WebError("address", url, "is not an address") from None
        if parts.scheme not in ("http", "https") or not host:
            raise WebError("address", url, f"is not a web address ({shorten(parts.scheme) or 'nothing'}:)")
        if parts.username or parts.password:
            raise WebError("address", url, "holds a user name or password")
        if origin(parts.geturl()) in self._trusted:
            return
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or is_private(host):
            raise WebError("private", url, "is an address of this machine or its network")

    def _pace(self, target: str) -> None:
        """Wait until it is this host's turn. Mirrors are one's own and need no pause."""
        host = urlsplit(target).hostname or ""
        if origin(target) in self._trusted and host not in self.settings.intervals:
            return
        interval = self.settings.intervals.get(host, self.settings.interval)
        with self._lock:
            now = self._clock()
            turn = max(now, self._next.get(host, now))
            self._next[host] = turn + interval
        if turn > now:
            self._sleep(turn - now)


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a number, or a date; None where it says nothing sensible."""
    if not value:
        return None
    if (seconds := _whole(value.strip())) is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _whole(text: str) -> float | None:
    """A number in ASCII digits, as headers have them; infinite where it is absurd."""
    if not (text.isascii() and text.isdigit()):
        return None
    return float(text) if len(text) < 16 else float("inf")


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """No password of this machine (``.netrc``) goes to anybody."""
    return request
