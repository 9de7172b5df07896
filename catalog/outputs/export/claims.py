"""Claims of papers with what was found, one row each: for a page, for programs, and for the database."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from catalog.base.text import slug
from catalog.model.catalog import Catalog
from catalog.model.claims import Evidence, Finding, Judged
from catalog.model.results import EMBEDDED
from catalog.outputs.export.table import BYTE_ORDER_MARK, line


@dataclass(frozen=True)
class ClaimRow:
    """One claim as it is told."""

    id: str
    """Its address within a page: the method's id and the claim's first words."""
    method: str
    claim: str
    paper: str
    where: str
    verdict: str
    why: str
    """Empty where it holds."""
    held: int
    """How many of the comparisons came out."""
    undecided: int
    """How many the seeds do not decide."""
    comparisons: int
    elsewhere: str
    """How its comparisons of results come out on other tasks, where it names one: ``also on hazards``."""
    commands: tuple[str, ...]
    """What makes the numbers again."""


def claim_rows(catalog: Catalog) -> tuple[ClaimRow, ...]:
    """Every claim, in the order of the claims' file."""
    rows, taken = [], set()
    for judged in catalog.claims:
        row = _row(judged)
        number = 2
        while row.id in taken:
            row = _row(judged, f"-{number}")
            number += 1
        taken.add(row.id)
        rows.append(row)
    return tuple(rows)


def claims_csv(catalog: Catalog) -> str:
    """The rows as CSV; commands are joined by ``; ``."""
    columns = [field.name for field in fields(ClaimRow)]
    rows = ({**asdict(row), "commands": "; ".join(row.commands)} for row in claim_rows(catalog))
    return BYTE_ORDER_MARK + line(columns) + "".join(line([str(row[name]) for name in columns]) for row in rows)


def claims_json(catalog: Catalog) -> list[dict[str, Any]]:
    """The rows with their comparisons and numbers."""
    return [
        {
            **asdict(row),
            "commands": list(row.commands),
            "findings": [_finding(finding) for finding in judged.findings],
            "other_tasks": [
                {
                    "task": other.task,
                    "verdict": other.verdict,
                    "comparisons": other.asked,
                    "findings": [_finding(finding) for finding in other.findings],
                }
                for other in judged.elsewhere
            ],
        }
        for row, judged in zip(claim_rows(catalog), catalog.claims, strict=True)
    ]


def _row(judged: Judged, suffix: str = "") -> ClaimRow:
    claim = judged.claim
    words = "-".join(slug(claim.claim).split("-")[:6])
    return ClaimRow(
        id=f"{claim.method}-{words}{suffix}",
        method=claim.method,
        claim=claim.claim,
        paper=claim.paper,
        where=claim.where,
        verdict=judged.verdict,
        why="" if judged.verdict == "holds" else claim.why,
        held=sum(finding.outcome == "holds" for finding in judged.findings),
        undecided=sum(finding.outcome == "not told apart" for finding in judged.findings),
        comparisons=len(judged.findings),
        elsewhere=judged.elsewhere_in_words,
        commands=_commands(judged),
    )


def _commands(judged: Judged) -> tuple[str, ...]:
    """The search makes trials again, the benchmark results."""
    return tuple(
        dict.fromkeys(
            f"unlearn tune {judged.claim.method} {_place(finding.evidence)}"
            if finding.evidence.at
            else f"unlearn bench {judged.claim.method} {_place(finding.evidence)} --check"
            for finding in (*judged.findings, *(finding for other in judged.elsewhere for finding in other.findings))
        )
    )


def _place(evidence: Evidence) -> str:
    model = "" if evidence.model == EMBEDDED else f" --model {evidence.model}"
    return f"--task {evidence.task}{model}"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        **finding.evidence.model_dump(mode="json", by_alias=True),
        "value": finding.value,
        "other": finding.other,
        "bound": finding.bound,
        "margin": finding.margin,
        "outcome": finding.outcome,
        "holds": {"holds": True, "contradicted": False}.get(finding.outcome),
    }
