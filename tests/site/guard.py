"""Watches a browser while tests look at pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request


class Guard:
    """What a page does that it should not: requests that would leave this machine, errors on the console.

    It only listens: to answer every request for the browser would cost more than most pages, and all of its cache. That
    none of them does leave is for the browser's `ARGUMENTS`.
    """

    ARGUMENTS = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",)

    def __init__(self) -> None:
        self.left: list[str] = []
        self.errors: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        context.on("request", self._request)
        context.on("page", self._page)

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.left.append(request.url)

    def _page(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._error)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _error(self, error: Error) -> None:
        self.errors.append(str(error))

    def check(self) -> None:
        assert self.left == [], "requests left the machine"
        assert self.errors == [], "errors on the console"
