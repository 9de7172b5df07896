"""The first page."""

from __future__ import annotations

from typing import Any

from catalog.outputs.site.measurements import story
from catalog.outputs.site.page import page
from catalog.outputs.site.site import Site

ABOUT = "The catalog of LLM-unlearning research in which the methods run."


@page("index.md", "home.html.j2", "LLM-Unlearning", ABOUT, {"template": "home.html"})
def home(site: Site) -> dict[str, Any]:
    """What there is, one method at work, and the ways in."""
    board = next((board for board in site.boards if board.task == site.settings.headline_task), None)
    return {
        "marked": site.marked,
        "board": board,
        "figure": site.measured.figure(board, about=site.settings.headline_method) if board else None,
        "story": story(board, site.settings.headline_method) if board else None,
    }
