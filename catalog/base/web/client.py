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
from catalog.base.web.turns import HeldError, Turns

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator


AGENT = f"llm-unlearning-catalog/{__version__}"
"""How the project names itself to others."""

REDIRECTS = frozenset((301, 302, 303, 307, 308))
BUSY = frozenset((429, 500, 502, 503, 504))
"""Statuses that may be gone at the next try."""
TOO_OFTEN = 429
"""The status that speaks of whoever asks, not of the address."""

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
        self._sleep = sleep
        self._trusted = frozenset(origin(address) for address in self.settings.mirrors.values())
        self._turns = Turns(self.settings.longest_wait, sleep, clock)
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
        check: Callable[[bytes], bool] | None = None,
        keep: bool = True,
        explained: Collection[int] = (),
    ) -> Answer:
        """The content of an address, from the cache if it is there and young.

        Args:
            url: the address.
            accept: the media types that are asked for.
            types: the media types that are understood; any, if none are named.
            check: looks at the content: it raises WebError if that is unusable, and says whether it holds all that was
                asked for. Only what does is kept, so that what is lacking for a moment is not lacking for a day.
            keep: whether the cache takes part at all; not where it matters what is there now.
            explained: the statuses other than 200 whose content is wanted, of whatever type: the service's own words
                about what is wrong. It is neither checked nor kept.

        Raises:
            WebError: there is no content of such a type, for whatever reason.
        """
        return self._get(url, accept, types, lambda answer: check is None or check(answer.body), keep, explained)

    def read(
        self,
        url: str,
        *,
        accept: str = "*/*",
        types: Collection[str] = (),
        check: Callable[[str], object] = lambda text: True,
        keep: bool = True,
    ) -> str:
        """The content of an address as text, like :meth:`get`.

        Args:
            url: the address.
            accept: the media types that are asked for.
            types: the media types that are understood; any, if none are named.
            check: looks at the text, as for :meth:`get`; what it gives counts as true or false.
            keep: whether the cache takes part at all.

        Raises:
            WebError: there is no content of such a type, or it is no text in the encoding that it should have.
        """
        return self._get(url, accept, types, lambda answer: bool(check(answer.text)), keep).text

    def _get(
        self,
        url: str,
        accept: str,
        types: Collection[str],
        check: Callable[[Answer], bool],
        keep: bool,
        explained: Collection[int] = (),
    ) -> Answer:
        kept = self._cache.kept(url, accept) if keep else None
        if kept is not None and _holds_all(kept, check):
            return kept
        answer = self.ask("GET", url, {"Accept": accept})
        if answer.status in explained:
            return answer
        if answer.status != 200:
            raise WebError("status", url, f"answers with status {answer.status}", advice(answer.status), answer.status)
        if types and answer.content_type not in types:
            message = f"gives {answer.content_type or 'something unnamed'} instead of {' or '.join(types)}"
            raise WebError("type", url, message, "Is a login page or a proxy in the way?")
        whole = check(answer)
        if keep and whole:
            self._cache.keep(url, accept, answer)
        return answer

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        stubborn: bool = True,
        enough: int | None = None,
    ) -> Answer:
        """What an address answers, whatever the status; tried again while that may help, redirects followed.

        A host that says that it is asked too often, or when to come again, is left alone by everybody until then. While
        it serves others in between, waiting for it is no failed attempt: the queue moves.

        Args:
            method: ``GET`` or ``HEAD``.
            url: the address.
            headers: what to send beside the usual.
            stubborn: whether to try again what failed; where not, only who asks for time is asked again.
            enough: read no more than about so many bytes, however many there are.

        Raises:
            WebError: no answer came, or one that must not be followed or is too large, or a host wants more time than
                anybody waits.
        """
        attempts = self.settings.attempts
        attempt, waited = 0, 0.0
        served: int | None = None
        while True:
            attempt += 1
            last = attempt >= attempts
            backoff = self.settings.backoff * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)
            try:
                answer = self._follow(method, url, headers or {}, enough)
            except WebError as error:
                # A name that does not exist seldom comes into being; one more try is for networks that wake up.
                unknown = error.kind == "unknown" and attempt >= 2
                if last or unknown or not stubborn or error.kind not in ("unreachable", "timeout", "unknown"):
                    raise
                self._pause(backoff, url)
                continue
            if answer.status not in BUSY:
                return answer
            asked = retry_after(answer.headers.get("retry-after"))
            if asked is None and answer.status != TOO_OFTEN:
                if last or not stubborn:
                    return answer
                self._pause(backoff, url)
                continue
            host = _host(answer.url)
            wait = min(backoff, self.settings.longest_wait) if asked is None else asked
            worth = self._hold(host, wait)
            if asked is not None and not worth:
                raise _held(url, f"is busy (status {answer.status})", asked, answer.status)
            before, served = served, self._turns.times_served(host)
            moves = before is not None and served > before
            waited += wait
            if not worth or attempts == 1 or (last and not moves) or waited > self.settings.longest_wait:
                return answer
            if moves:
                attempt -= 1
            self._sleep(wait)

    def _pause(self, seconds: float, url: str) -> None:
        if seconds >= _LONG:
            self._told(f"Waiting {seconds:.0f} seconds for {_host(url)}.")
        if seconds:
            self._sleep(seconds)

    def _hold(self, host: str, seconds: float) -> bool:
        """Leave a host alone for some seconds; whether that is worth waiting for."""
        worth, news = self._turns.hold(host, seconds)
        if worth and news and seconds >= _LONG:
            self._told(f"Waiting {seconds:.0f} seconds for {host}.")
        return worth

    # One try ----------------------------------------------------------------------------------------

    def _follow(self, method: str, url: str, headers: Mapping[str, str], enough: int | None) -> Answer:
        steps: list[tuple[int, str]] = []
        current = url
        while True:
            try:
                answer = self._once(method, current, headers, enough)
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

    def _once(self, method: str, url: str, headers: Mapping[str, str], enough: int | None) -> Answer:
        target = self._mirrored(url)
        self._refuse(url)
        self._pace(url, target)
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
                body = b"" if method == "HEAD" else self._read(url, response, enough)
                fields = {name.lower(): value for name, value in response.headers.items()}
                # A connection that was closed within the headers looks like an answer without content.
                if time.monotonic() - begin < self.settings.deadline:
                    if response.status_code not in BUSY:
                        self._turns.served(_host(url))
                    return Answer(url, response.status_code, fields, body)
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

    def _read(self, url: str, response: requests.Response, enough: int | None) -> bytes:
        limit = self.settings.max_bytes
        parts: list[bytes] = []
        size = 0
        promised = _whole(response.headers.get("content-length", ""))
        if enough is None and promised is not None and promised > limit:
            size = limit + 1
        while size <= limit if enough is None else size < min(enough, limit):
            part = response.raw.read1(64 * 1024, decode_content=True)
            if not part:
                break
            parts.append(part)
            size += len(part)
        if enough is None and size > limit:
            raise WebError("size", url, f"gives more than {limit // 1024:,} KB")
        return b"".join(parts)

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

    def _pace(self, url: str, target: str) -> None:
        """Wait until it is this host's turn. Mirrors are one's own and need no pause, unless they ask for one.

        Raises:
            WebError: the host wants more time than anybody waits.
        """
        server = _host(target)
        free = origin(target) in self._trusted and server not in self.settings.intervals
        try:
            self._turns.take(_host(url), 0.0 if free else self.settings.intervals.get(server, self.settings.interval))
        except HeldError as held:
            raise _held(url, "is not asked: its host is busy", held.seconds, TOO_OFTEN) from None


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _held(url: str, what: str, seconds: float, status: int) -> WebError:
    how_long = f"{seconds:.0f} seconds" if seconds < 1e6 else "for weeks"
    return WebError("status", url, f"{what} and asks to wait {how_long}", "Run this again then.", status)


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


def _holds_all(kept: Answer, check: Callable[[Answer], bool]) -> bool:
    """Whether what was kept is of use still: an older program may have kept what this one would not."""
    try:
        return check(kept)
    except WebError:
        return False


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """No password of this machine (``.netrc``) goes to anybody."""
    return request
