"""Pages that answer a question over all methods: which one fits what one has, and how some differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from catalog.model.choosing import TASK, Candidate, candidates, questions, ranked
from catalog.model.results import EMBEDDED
from catalog.outputs.site.comparison import outline
from catalog.outputs.site.page import page
from catalog.outputs.site.site import Site

ADDRESSES = ("choose.html", "compare.html")
"""Where these pages are, for the search."""


@page(
    "choose.md",
    "choose.html.j2",
    "Choose a method",
    "Say what you have, and see which unlearning methods fit, why, and how they did.",
)
def choose(site: Site) -> dict[str, Any]:
    """The questions, and every method with its verdict on each answer."""
    catalog = site.catalog
    ranking = ranked(candidates(catalog.methods, catalog.tasks, catalog.results), {})
    return {
        "questions": [question for question in questions(catalog.tasks) if question.options],
        "candidates": ranking,
        "compared": ranking[0].compared if ranking else (),
        "verdicts": _for_script(ranking),
        "task_question": TASK,
    }


@page(
    "compare.md",
    "compare.html.j2",
    "Compare methods",
    "Unlearning methods side by side: formulas, hyper-parameters, every measure, attacks and trade-off curves.",
)
def compare(site: Site) -> dict[str, Any]:
    """What is picked is set side by side by a script; without one, all methods stand in a table."""
    return {
        "outline": outline(site),
        "compared": [board for board in site.boards if board.model == EMBEDDED],
    }


def _for_script(ranking: Sequence[Candidate]) -> str:
    """Sentences once, and each method's verdicts as ``question:option -> [fit, sentence]``, as JSON."""
    sentences = sorted({verdict.why for candidate in ranking for verdict in candidate.verdicts.values()})
    place = {why: number for number, why in enumerate(sentences)}
    methods = {
        candidate.method.id: {
            f"{question}:{option}": [verdict.fit, place[verdict.why]]
            for (question, option), verdict in candidate.verdicts.items()
        }
        for candidate in ranking
    }
    return json.dumps({"why": sentences, "methods": methods}, ensure_ascii=False, separators=(",", ":"))
