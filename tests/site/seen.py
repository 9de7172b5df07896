"""What is read off a page in one question to the browser: each question takes its time."""

from __future__ import annotations

from playwright.sync_api import Page


def addresses(page: Page, links: str) -> list[str]:
    """Where the links that a selector finds lead, as they are written, in order."""
    written: list[str] = page.locator(links).evaluate_all("links => links.map(link => link.getAttribute('href'))")
    return written
