"""The watch over the browser sees what it is there for."""

from __future__ import annotations

import pytest
from guard import Guard
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_what_leaves_the_machine_is_seen_and_does_not_leave(browser: Browser) -> None:
    guard = Guard()
    with browser.new_context() as context:
        guard.watch(context)
        page = context.new_page()
        page.set_content("<img src='http://elsewhere.example/a.png'>")
        page.wait_for_function("document.images[0].complete")
        assert page.evaluate("document.images[0].naturalWidth") == 0
    assert guard.left == ["http://elsewhere.example/a.png"]
    assert "ERR_NAME_NOT_RESOLVED" in " ".join(guard.errors)
    with pytest.raises(AssertionError, match="requests left the machine"):
        guard.check()


def test_errors_on_the_console_are_seen(browser: Browser) -> None:
    guard = Guard()
    with browser.new_context() as context:
        guard.watch(context)
        page = context.new_page()
        page.set_content("<script>console.error('that went wrong'); nowhere()</script>")
        page.wait_for_function("document.scripts.length == 1")
    assert "that went wrong" in guard.errors[0]
    assert "nowhere" in guard.errors[1]
