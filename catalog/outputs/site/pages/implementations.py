"""What runs: the list of it, and a page for each method, task, benchmark and attack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalog.insight.leaderboard import Board, Row
from catalog.model.choosing import RETAIN_WEIGHT, candidates
from catalog.model.cost import work
from catalog.model.implementations import Implementation
from catalog.model.outcomes import Outcome, outcomes
from catalog.model.paper import Paper
from catalog.outputs.site.formats import code_after_docstring
from catalog.outputs.site.measurements import story
from catalog.outputs.site.page import Page, one_by_one, page, pages
from catalog.outputs.site.site import Site
from catalog.outputs.site.words import ATTACKED, RELATION_HEADINGS
from catalog.outputs.wording import is_attack, reported


@page("methods/index.md", "methods.html.j2", "Methods that run", "Every unlearning method that runs here.")
def method_list(site: Site) -> dict[str, Any]:
    """The methods in a table, and all else that runs as cards."""
    catalog = site.catalog
    found = candidates(catalog.methods, catalog.tasks, catalog.results)
    return {
        "shown_numbers": {candidate.method.id: candidate.shown(None) for candidate in found},
        "compared": found[0].compared if found else (),
    }


@pages
def methods(site: Site) -> Iterator[Page]:
    """A page for each method: its text beside its code, what it does, and what was measured."""
    numbers = _numbers(site)
    for method in site.catalog.methods:
        yield _method(site, method, numbers)


@one_by_one("methods")
def one_method(site: Site, ident: str) -> Page | None:
    """The page of one method."""
    method = next((method for method in site.catalog.methods if method.id == ident), None)
    return _method(site, method, _numbers(site)) if method else None


def _numbers(site: Site) -> dict[tuple[str, str], Outcome]:
    return outcomes(site.catalog.results, {task.id: task.headline for task in site.catalog.tasks})


def _method(site: Site, method: Implementation, numbers: dict[tuple[str, str], Outcome]) -> Page:
    catalog = site.catalog
    boards = tuple(board.only(method.id) for board in site.boards if board.row(method.id))
    context = _shared(site, method, boards) | {
        "summary": [_summary(board, row, method, numbers) for board in boards if (row := board.row(method.id))],
        "work": work(catalog.results, method),
        "architectures": catalog.architectures,
        "without_retain": any(hyperparameter.name == RETAIN_WEIGHT for hyperparameter in method.hyperparameters),
        "explained": _explained(method.body),
        "attacked_heading": ATTACKED,
        "claims": [claim for claim in catalog.claims if claim.claim.method == method.id],
        "tried": {board.slug: site.measured.tradeoff(board, method) for board in boards},
        "reported": reported(catalog, catalog.by_id[method.paper]) if method.paper in catalog.by_id else [],
        "stories": [told for board in boards if (told := story(board, method.id))],
        "asked": site.asked,
    }
    # The code stands where the table of contents would be; links on top of the page are in its stead.
    return _page(method, "method.html.j2", context, hide=["navigation", "toc"])


@pages
def tasks(site: Site) -> Iterator[Page]:
    """A page for each task, with its leaderboard."""
    for task in site.catalog.tasks:
        boards = tuple(board for board in site.boards if board.task == task.id)
        context = _shared(site, task, boards) | {
            "courses": list(site.measured.courses(task)),
            "tradeoffs": {board.slug: site.measured.tradeoffs(board) for board in boards},
            "datasets": site.datasets_of(task.paper),
        }
        yield _page(task, "task.md.j2", context, hide=["navigation", "toc"])


@pages
def benchmarks(site: Site) -> Iterator[Page]:
    """A page for each published benchmark: its parts and metrics, and how it is run."""
    for benchmark in site.catalog.benchmarks:
        yield _page(benchmark, "benchmark.md.j2", _shared(site, benchmark, ()), hide=["navigation"])


@pages
def attacks(site: Site) -> Iterator[Page]:
    """A page for each attack."""
    for attack in site.catalog.attacks:
        yield _page(attack, "attack.md.j2", _shared(site, attack, ()), hide=["navigation"])


def _page(runs: Implementation, template: str, context: dict[str, Any], hide: list[str]) -> Page:
    return Page(f"{runs.kind}s/{runs.id}.md", template, runs.title, runs.summary, context, {"hide": hide})


def _shared(site: Site, runs: Implementation, boards: tuple[Board, ...]) -> dict[str, Any]:
    """What the page of anything that runs shows."""
    code, first_line = code_after_docstring(runs.source)
    return {
        "implementation": runs,
        "by_heading": _by_heading(site, runs),
        "measured": boards,
        "figures": {board.slug: site.measured.figure(board) for board in boards},
        "routes": site.routes.by_stop.get((runs.kind, runs.id), []),
        "code": code,
        "first_line": first_line,
        "source_link": site.edit_link(runs.file),
    }


def _summary(
    board: Board, row: Row, method: Implementation, numbers: dict[tuple[str, str], Outcome]
) -> tuple[Board, Row, Outcome | None]:
    """A task in one row."""
    return board, row, numbers.get((board.task, method.id)) if board.model == method.needs.embedded else None


def _explained(body: str) -> tuple[str, str]:
    """The text of a method's page, cut where its formula and symbols end: the facts and differences come after."""
    start = body.find("\n## Facts")
    return (body, "") if start < 0 else (body[:start], body[start:])


def _by_heading(site: Site, runs: Implementation) -> dict[str, list[Paper]]:
    """The papers that are linked to it, by what they do with it."""
    introduced, extended, *others = RELATION_HEADINGS.values()
    by_heading: dict[str, list[Paper]] = {heading: [] for heading in (introduced, extended, ATTACKED, *others)}
    for relation, paper in site.catalog.papers_of[runs.id]:
        heading = ATTACKED if is_attack(relation, runs.kind, paper) else RELATION_HEADINGS[relation]
        by_heading[heading].append(paper)
    return {heading: papers for heading, papers in by_heading.items() if papers}
