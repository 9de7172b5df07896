"""The one way to the network: patient, polite, bounded, and closed towards this machine and its neighbours.

What other programs answer is untrusted. A request has timeouts and a deadline for all of it, an answer a size, a chain
of redirects a length; a redirect leads to http(s) on public addresses only, however the name resolves. Hosts are asked
at their own pace, ``Retry-After`` is obeyed, and answers are kept on disk for a while.

Addresses are always the real ones. ``CATALOG_MIRRORS`` says where to fetch some of them instead, which is how the tests
run without a network: ``https://arxiv.org=http://127.0.0.1:8000/arxiv https://doi.org=http://127.0.0.1:8000/doi``.
Only origins that were named so may be private ones.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from catalog import __version__
from catalog.base.files import write_whole
from catalog.base.text import shorten

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
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Kind = Literal[
    "address", "private", "unknown", "unreachable", "tls", "timeout", "redirect", "status", "type", "size", "content"
]


class WebError(Exception):
    """An address gave no usable answer; the message says which, why, and what to do."""

    def __init__(self, kind: Kind, url: str, message: str, hint: str = "", status: int | None = None) -> None:
        """Args: the kind of failure, the address, what happened, what to do, and the status if there was one."""
        # The parameters of an interface say nothing to people.
        shown = url if len(url) <= 100 else f"{url.partition('?')[0]}?…" if "?" in url else url
        super().__init__(f"{shorten(shown, 200)}: {message}" + (f". {hint}" if hint else ""))
        self.kind, self.url, self.message, self.hint, self.status = kind, url, message, hint, status


@dataclass(frozen=True)
class Settings:
    """How patient, polite and trusting the client is. Times are in seconds."""

    connect_timeout: float = 10
    read_timeout: float = 20
    """Of silence."""
    deadline: float = 60
    """For one try with everything that belongs to it, however busily the other side drips."""
    attempts: int = 4
    backoff: float = 1.5
    """The first wait between two tries; it doubles."""
    longest_wait: float = 120
    """Who asks for more with ``Retry-After`` is not waited for."""
    max_bytes: int = 8 * 1024 * 1024
    max_redirects: int = 6
    interval: float = 0.5
    """Between the starts of two requests to one host."""
    intervals: Mapping[str, float] = field(
        # arXiv's terms of use ask for three seconds; the others publish rates far above these.
        default_factory=lambda: {"export.arxiv.org": 3.0, "arxiv.org": 1.0, "doi.org": 0.2, "github.com": 0.2}
    )
    cache: Path | None = None
    """A folder for answers; none are kept without one."""
    cache_age: float = 24 * 3600
    mirrors: Mapping[str, str] = field(default_factory=dict)
    """Addresses that begin with a key are fetched from the value instead."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> Settings:
        """The defaults, with ``CATALOG_MIRRORS`` and ``CATALOG_TIMEOUT`` (the deadline) of the environment.

        Raises:
            ValueError: a variable cannot be understood; the message says which and how to write it.
        """
        settings = cls(**given)
        if text := environment.get("CATALOG_MIRRORS"):
            pairs = [one.partition("=")[::2] for one in text.split()]
            if not all(urlsplit(a).hostname and urlsplit(b).hostname for a, b in pairs):
                raise ValueError("CATALOG_MIRRORS holds pairs like https://arxiv.org=http://127.0.0.1:8000/arxiv")
            settings = replace(settings, mirrors=dict(pairs))
        if text := environment.get("CATALOG_TIMEOUT"):
            try:
                seconds = float(text)
                if not 0 < seconds < 3600:
                    raise ValueError
            except ValueError:
                raise ValueError(f"CATALOG_TIMEOUT is a number of seconds, not {shorten(text)!r}") from None
            shorter = min(seconds, settings.read_timeout)
            settings = replace(
                settings, deadline=seconds, read_timeout=shorter, connect_timeout=min(seconds, settings.connect_timeout)
            )
        return settings


@dataclass(frozen=True)
class Answer:
    """What an address gave in the end."""

    url: str
    """The address at the end of all redirects."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""
    redirects: tuple[tuple[int, str], ...] = ()
    """(status, where it pointed) of every step."""
    cached: bool = False

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


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
        self._sleep, self._clock = sleep, clock
        self._trusted = frozenset(_origin(address) for address in self.settings.mirrors.values())
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()
        self._local = threading.local()
        self._session = _Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(self)
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
        kept = self._kept(url, accept) if keep else None
        if kept is not None:
            return kept
        answer = self.ask("GET", url, {"Accept": accept})
        if answer.status != 200:
            raise WebError("status", url, f"answers with status {answer.status}", _advice(answer.status), answer.status)
        if types and answer.content_type not in types:
            message = f"gives {answer.content_type or 'something unnamed'} instead of {' or '.join(types)}"
            raise WebError("type", url, message, "Is a login page or a proxy in the way?")
        if check:
            check(answer.body)
        if keep:
            self._keep(url, accept, answer)
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
            raise _in_words(url, error) from None

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
        if _origin(parts.geturl()) in self._trusted:
            return
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or _is_private(host):
            raise WebError("private", url, "is an address of this machine or its network")

    def _pace(self, target: str) -> None:
        """Wait until it is this host's turn. Mirrors are one's own and need no pause."""
        host = urlsplit(target).hostname or ""
        if _origin(target) in self._trusted and host not in self.settings.intervals:
            return
        interval = self.settings.intervals.get(host, self.settings.interval)
        with self._lock:
            now = self._clock()
            turn = max(now, self._next.get(host, now))
            self._next[host] = turn + interval
        if turn > now:
            self._sleep(turn - now)

    # The cache ----------------------------------------------------------------------------------------

    def _place(self, url: str, accept: str) -> Path | None:
        if self.settings.cache is None:
            return None
        name = hashlib.sha256(f"{accept}\n{url}".encode()).hexdigest()[:32]
        return self.settings.cache / f"{name}.json"

    def _kept(self, url: str, accept: str) -> Answer | None:
        place = self._place(url, accept)
        if place is None:
            return None
        try:
            if time.time() - place.stat().st_mtime > self.settings.cache_age:
                return None
            head, _, body = place.read_bytes().partition(b"\n")
            kept = json.loads(head)
            if kept["asked"] != url or kept["size"] != len(body):
                return None
            return Answer(kept["url"], 200, kept["headers"], body, cached=True)
        except (OSError, ValueError, KeyError, TypeError):
            # A cache that cannot be read is no cache.
            return None

    def _keep(self, url: str, accept: str, answer: Answer) -> None:
        place = self._place(url, accept)
        if place is None:
            return
        headers = {name: answer.headers[name] for name in ("content-type", "last-modified") if name in answer.headers}
        head = json.dumps({"asked": url, "url": answer.url, "headers": headers, "size": len(answer.body)})
        with suppress(OSError):
            write_whole(place, head.encode() + b"\n" + answer.body)


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


# Connections that look whom they are talking to ------------------------------------------------------


class _PrivateError(OSError):
    """A name resolved to an address of this machine or its network."""


class _Guard:
    """What both kinds of connection have in common."""

    web: Web

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        # The peer is looked at after connecting, before a byte is sent: a name can change between a look and a use.
        if (self.host, self.port) not in self.web._trusted and _is_private(connection.getpeername()[0]):  # type: ignore[attr-defined]
            connection.close()
            raise _PrivateError("private")
        self._show(connection)
        return connection

    def getresponse(self) -> Any:
        self._show(self.sock)  # type: ignore[attr-defined]
        return super().getresponse()  # type: ignore[misc]

    def _show(self, connection: socket.socket) -> None:
        holder = getattr(self.web._local, "holder", None)
        if holder is not None:
            holder["socket"] = connection


class _Session(requests.Session):
    """Follows no redirect, and reads no content to prepare for one, as the library does even when told not to."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(HTTPAdapter):
    """Hands out guarded connections. Those through a proxy are the proxy's, who decides for itself."""

    def __init__(self, web: Web) -> None:
        self._web = web
        super().__init__(pool_connections=32, pool_maxsize=32)

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more)
        plain = type("_Http", (_Guard, HTTPConnection), {"web": self._web})
        secure = type("_Https", (_Guard, HTTPSConnection), {"web": self._web})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_HttpPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_HttpsPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


def _is_private(host: str) -> bool:
    """Whether a numeric address is not one of the public internet; names are not known to be."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        # Some networks hand such addresses on to the IPv4 address inside.
        inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if any(one is not None and _is_private(str(one)) for one in inside):
            return True
        address = address.ipv4_mapped or address
    return not address.is_global or address.is_multicast


def _origin(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """No password of this machine (``.netrc``) goes to anybody."""
    return request


def _in_words(url: str, error: Exception) -> WebError:
    """What went wrong, for people: the libraries below say it in many classes and nestings."""
    said = f"{error} {error.__cause__ or ''} {error.__context__ or ''}"
    if isinstance(error, requests.Timeout) or "timed out" in said:
        return WebError("timeout", url, "does not answer in time", "Try again later.")
    if isinstance(error, requests.exceptions.SSLError) or "CERTIFICATE" in said:
        return WebError("tls", url, "has no valid certificate")
    if "_PrivateError" in repr(error) or "private" in said:
        return WebError("private", url, "is an address of this machine or its network")
    if "resol" in said or "getaddrinfo" in said:
        return WebError("unknown", url, "there is no such host, or no network", "Check the address and your connection")
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return WebError("address", url, "is not an address")
    return WebError("unreachable", url, "cannot be reached, or broke off", "Try again later.")


def _advice(status: int) -> str:
    match status:
        case 404 | 410:
            return "Is the id right?"
        case 401 | 403:
            return "It wants a login, or refuses programs; look in a browser."
        case 429 | 500 | 502 | 503 | 504:
            return "It is busy; run this again later."
        case _:
            return ""
