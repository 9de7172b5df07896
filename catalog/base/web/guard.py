"""Connections that look whom they are talking to: nothing on this machine or its network is reached."""

from __future__ import annotations

import ipaddress
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PrivateError(OSError):
    """A name resolved to an address of this machine or its network."""


class _Guard:
    """What both kinds of connection have in common."""

    trusted: frozenset[tuple[str, int]]
    watched: threading.local
    """Where the socket of this thread's request is shown to whoever ends it at the deadline."""

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        # The peer is looked at after connecting, before a byte is sent: a name can change between a look and a use.
        if (self.host, self.port) not in self.trusted and is_private(connection.getpeername()[0]):  # type: ignore[attr-defined]
            connection.close()
            raise PrivateError("private")
        self._show(connection)
        return connection

    def getresponse(self) -> Any:
        self._show(self.sock)  # type: ignore[attr-defined]
        return super().getresponse()  # type: ignore[misc]

    def _show(self, connection: socket.socket) -> None:
        holder = getattr(self.watched, "holder", None)
        if holder is not None:
            holder["socket"] = connection


class Session(requests.Session):
    """Follows no redirect, and reads no content to prepare for one, as the library does even when told not to."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, always: the client follows redirects itself, each one looked at first."""
        return None


class GuardedAdapter(HTTPAdapter):
    """Hands out guarded connections. Those through a proxy are the proxy's, who decides for itself."""

    def __init__(self, trusted: frozenset[tuple[str, int]], watched: threading.local) -> None:
        """Args: hosts and ports that may be private ones, and where sockets are shown."""
        self._own = {"trusted": trusted, "watched": watched}
        super().__init__(pool_connections=32, pool_maxsize=32)

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        """As the adapter's own, with pools whose connections look at their peer."""
        super().init_poolmanager(*arguments, **more)
        plain = type("_Http", (_Guard, HTTPConnection), self._own)
        secure = type("_Https", (_Guard, HTTPSConnection), self._own)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_HttpPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_HttpsPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


def is_private(host: str) -> bool:
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
        if any(embedded is not None and is_private(str(embedded)) for embedded in inside):
            return True
        address = address.ipv4_mapped or address
    return not address.is_global or address.is_multicast


def origin(url: str) -> tuple[str, int]:
    """The host and port of an address."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
