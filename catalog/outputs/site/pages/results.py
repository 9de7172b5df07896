"""What was measured, and what is still missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from catalog.insight.currency import currency
from catalog.insight.lineage import wanted
from catalog.insight.meta_evaluation import ENOUGH, judge_metrics, most_trusted
from catalog.insight.ranking import comparisons
from catalog.insight.stats import statistics
from catalog.model.claims import Judged, Verdict
from catalog.outputs.export.claims import claim_rows
from catalog.outputs.site.measurements import NEAREST
from catalog.outputs.site.page import page
from catalog.outputs.site.site import Site
from catalog.outputs.site.words import COVERAGE_WORDS


@page(
    "results.md",
    "results.html.j2",
    "Results",
    "What the reference implementations measured, with seeds, versions and commands.",
)
def results(site: Site) -> dict[str, Any]:
    """Every leaderboard, with its figures and its first methods; all of them are on the tasks' pages."""
    return {
        "shown": NEAREST,
        "figures": {board.slug: site.measured.figure(board, large=True) for board in site.boards},
        "robustness": {board.slug: site.measured.robustness(board) for board in site.boards},
        "trusted": {board.slug: site.measured.trusted(board) for board in site.boards},
        "tradeoffs": {board.slug: site.measured.tradeoffs(board) for board in site.boards},
    }


@page(
    "metrics.md",
    "metrics.html.j2",
    "Can the metrics be trusted?",
    "Every metric of forgetting, measured on models of which it is known whether they know.",
)
def metrics(site: Site) -> dict[str, Any]:
    """The meta-evaluation, by task."""
    measured = (task for task in site.catalog.tasks if task.id in site.catalog.pools)
    judged = {task: judge_metrics(site.catalog, task.id) for task in measured}
    trusted = {task.id: most_trusted(rows) for task, rows in judged.items()}
    return {"judged": judged, "trusted": trusted, "enough": ENOUGH}


@page(
    "ranking.md",
    "ranking.html.j2",
    "Does the ranking hold?",
    "The same methods on the embedded model and on others: by which measures the order is the same.",
)
def ranking(site: Site) -> dict[str, Any]:
    """Boards of the embedded model beside those of others."""
    shown = (*site.settings.headline_metrics, "forget_distance", "forget_truth_ratio", "forget_sense")
    return {"comparisons": tuple(comparisons(site.boards)), "headlines": shown}


@page(
    "architectures.md",
    "architectures.html.j2",
    "Which models does it run on?",
    "Every method on a small network of every architecture: what runs, what is refused, and why.",
)
def architectures(site: Site) -> dict[str, Any]:
    """What was tried of methods and architectures."""
    tried = site.catalog.architectures
    return {"tried": tried, "named": site.catalog.implementation_by_id}


@page(
    "claims.md",
    "claims.html.j2",
    "Claimed, and seen here",
    "What papers say that their methods do, each with a verdict from committed numbers.",
)
def claims(site: Site) -> dict[str, Any]:
    """Every claim with what was found."""
    judged = site.catalog.claims
    verdicts = get_args(Verdict)
    counted = ((verdict, sum(claim.verdict == verdict for claim in judged)) for verdict in verdicts)
    rows = [
        {
            "row": row,
            "method": site.catalog.implementation_by_id[row.method],
            "findings": [site.measured.found_in_words(finding, claim.claim) for finding in claim.findings],
            "elsewhere": [
                site.measured.found_in_words(finding, claim.claim)
                for other in claim.elsewhere
                for finding in other.findings
            ],
            "rank": verdicts.index(row.verdict),
        }
        for row, claim in zip(claim_rows(site.catalog), judged, strict=True)
    ]
    return {"rows": rows, "counts": dict(counted), "repeated": _repeated(judged)}


def _repeated(judged: Iterable[Judged]) -> dict[str, int]:
    """What becomes of claims that hold where other tasks have the measurements, by the worst of these."""
    there = [{other.verdict for other in one.elsewhere} for one in judged if one.verdict == "holds" and one.elsewhere]
    hold = sum(verdicts == {"holds"} for verdicts in there)
    undecided = sum("undecided" in verdicts and verdicts <= {"holds", "undecided"} for verdicts in there)
    return {"all": len(there), "hold": hold, "undecided": undecided, "fail": len(there) - hold - undecided}


@page(
    "coverage.md",
    "coverage.html.j2",
    "Coverage",
    "What runs here behind the papers, by family and year, what is missed most, and how current the catalog is.",
)
def coverage(site: Site) -> dict[str, Any]:
    """How much of the field runs here, and how current the records are."""
    return {
        "stats": statistics(site.catalog),
        "wanted": wanted(site.catalog),
        "words": COVERAGE_WORDS,
        "current": currency(site.catalog),
    }
