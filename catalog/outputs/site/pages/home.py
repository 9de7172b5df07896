"""The first page."""

from __future__ import annotations

from typing import Any

from catalog.outputs.site.measurements import story
from catalog.outputs.site.page import page
from catalog.outputs.site.site import Site


@page("index.md", "home.html.j2", "LLM-Unlearning", "", {"template": "home.html"})
def home(site: Site) -> dict[str, Any]:
    """What there is, one method at work, and the ways in."""
    board = next((board for board in site.boards if board.task == site.settings.headline_task), None)
    relations = [{link.relation for link in paper.implementations} for paper in site.catalog.papers]
    return {
        "coverage": {
            "introduces": sum("introduces" in kinds for kinds in relations),
            "akin": sum(bool(kinds) and "introduces" not in kinds for kinds in relations),
        },
        "board": board,
        "figure": site.measured.figure(board) if board else None,
        "story": story(board, site.settings.headline_method) if board else None,
    }
