"""What the page *Compare* loads: one file per method, with all that is to stand beside another's.

::

    compare/npo.js    formula, hyper-parameters, measures, trade-off curves of one method
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from catalog.insight.comparing import Side, measures, sides
from catalog.insight.leaderboard import Board, Cell
from catalog.model.implementations import Implementation
from catalog.model.results import EMBEDDED
from catalog.outputs.site import markdown
from catalog.outputs.site.formats import duration, literal, margin, number
from catalog.outputs.site.packing import script
from catalog.outputs.site.site import Site

FOLDER = "compare"


@lru_cache(maxsize=1)
def comparison_files(site: Site) -> Mapping[str, str]:
    """Address and text of each method's file; made once for the page, which tells their version, and the build."""
    return {
        f"{FOLDER}/{method.id}.js": script(f"{FOLDER}/{method.id}", _method(site, method))
        for method in site.catalog.methods
    }


def outline(site: Site) -> str:
    """What the page itself must know: the tasks with their measures, and the version of the files, as JSON."""
    seen = hashlib.sha256("".join(comparison_files(site).values()).encode()).hexdigest()[:10]
    boards = [_board(board) for board in site.boards if board.model == EMBEDDED]
    return json.dumps({"version": seen, "tasks": boards}, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _board(board: Board) -> dict[str, Any]:
    attacks = {attack.id for attack in board.attacks}
    return {
        "id": board.task,
        "name": board.task_name,
        "measures": [
            {
                "id": metric.id,
                "label": metric.heading,
                "attack": metric.id in attacks,
                "arrow": metric.arrow,
                "meaning": f"{metric.definition or metric.label} ({metric.direction})",
                "target": _said(_reference(board, "target", metric.id)),
                "retrained": _said(_reference(board, "retrained", metric.id)),
            }
            for metric in measures(board)
        ],
    }


def _reference(board: Board, which: Any, measure: str) -> Cell | None:
    row = board.reference(which)
    return row.cell(measure) if row else None


def _method(site: Site, method: Implementation) -> dict[str, Any]:
    return {
        "id": method.id,
        "name": method.name,
        "title": method.title,
        "summary": markdown.inline(method.summary),
        "objective": markdown.converter(site.settings.markdown_extensions)(markdown.typeset(objective(method.body))),
        "needs": _needs(method),
        "settings": [
            [hyperparameter.name, literal(hyperparameter.default), markdown.inline(hyperparameter.meaning)]
            for hyperparameter in method.hyperparameters
        ],
        "tasks": {side.board.task: _side(side) for side in sides(site.catalog, site.boards, method)},
    }


def objective(body: str) -> str:
    """The text under *Objective* of a method's docstring; ``""`` where there is none."""
    match = re.search(r"^## Objective\n(.*?)(?=^## |\Z)", body, re.DOTALL | re.MULTILINE)
    return match[1].strip() if match else ""


def _needs(method: Implementation) -> list[list[str]]:
    needs = method.needs
    return [
        ["Access", needs.access],
        ["Examples of what must stay", needs.retain],
        ["Models in memory", str(needs.models)],
        ["Weights that are trained", needs.trains],
        ["Result", "exact" if needs.exact else "approximate"],
    ]


def _side(side: Side) -> dict[str, Any]:
    return {
        "values": {
            name: [_said(value.cell), *([value.off.low, value.off.high] if value.off else [])]
            for name, value in side.values.items()
        },
        "chosen": {name: literal(value) for name, value in side.chosen.items()},
        "seeds": len(side.row.seeds),
        "time": duration(side.row.seconds),
        "curve": [list(place) for place in side.curve],
        "area": number(side.tried.area) if side.tried else "",
    }


def _said(cell: Cell | None) -> list[str]:
    """The mean and half its interval, as tables print them; nothing where nothing was measured."""
    if cell is None:
        return []
    return [number(cell.mean), *([] if cell.margin is None else [margin(cell.margin, cell.mean)])]
