"""What papers say that their methods do, held against what was measured here.

A claim is one sentence with its source, in ``reference_impls/claims.yaml``, and comparisons of committed numbers that
would bear it out. Whether it holds is computed, never written down: a new measurement changes the verdict.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from catalog.model.defaults import TASK
from catalog.model.quantities import Finite, Given
from catalog.model.results import EMBEDDED, REFERENCES, Result
from catalog.model.trials import Trials
from catalog.parsing.datafile import Entries, read_entries
from catalog.parsing.problems import Problem

CLAIMS_FILE = "reference_impls/claims.yaml"
Verdict = Literal["holds", "holds in part", "not seen at this scale", "not measured"]


class Evidence(BaseModel):
    """One comparison: a measurement of the claim's method with the same one of something else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = TASK
    model: str = EMBEDDED
    """With which of the task's models it was measured."""
    measure: str
    """A metric, or what an attack measures."""
    at: dict[str, Given] = Field(default_factory=dict)
    """Of the trial with these settings, on both sides; of the committed results if empty."""
    of_at: dict[str, Given] = Field(default_factory=dict)
    """Of the other side's trial, where its settings are others, as when a method is compared with itself."""
    is_: Annotated[Literal["above", "below", "near"], Field(alias="is")]
    of: str
    """``target``, ``retrained``, a method, or another measure of the same method."""
    times: Finite = 1.0
    plus: Finite = 0.0
    within: Annotated[Finite, Field(ge=0)] = 0.1
    """For ``near``: how far apart the two may be."""


class Claim(BaseModel):
    """What a paper says about its method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    claim: str
    paper: str
    """Id of the record of the paper that says so, which need not be the method's own."""
    where: str = ""
    """In which part of it, if not simply in the experiments."""
    why: str = ""
    """Why it does not come out throughout, where it does not: what is different here, for a reader."""
    evidence: Annotated[tuple[Evidence, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Finding:
    """One comparison with its numbers; None where there is no measurement."""

    evidence: Evidence
    value: float | None
    other: float | None

    @property
    def bound(self) -> float | None:
        """What the value is compared with."""
        return None if self.other is None else self.evidence.times * self.other + self.evidence.plus

    @property
    def holds(self) -> bool | None:
        """Whether the comparison comes out as claimed; None if it cannot be made."""
        if self.value is None or self.bound is None:
            return None
        match self.evidence.is_:
            case "above":
                return self.value > self.bound
            case "below":
                return self.value < self.bound
            case "near":
                return abs(self.value - self.bound) <= self.evidence.within


@dataclass(frozen=True)
class Judged:
    """A claim with what was found."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """From all comparisons together; one that cannot be made leaves the claim open."""
        outcomes = [finding.holds for finding in self.findings]
        if None in outcomes:
            return "not measured"
        if all(outcomes):
            return "holds"
        return "holds in part" if any(outcomes) else "not seen at this scale"


def judge(claims: Iterable[Claim], results: Iterable[Result], trials: Trials) -> tuple[Judged, ...]:
    """Hold every claim against the committed results and the trials of the searches.

    Args:
        claims: in the order in which they are to stand.
        results: committed runs, of which those count that forget the whole set at once, as means over seeds.
        trials: what the searches have tried.
    """
    measured: dict[tuple[tuple[str, str], str, str], list[float]] = {}
    runs = (result for result in results if result.plain)
    for run in (result for result in runs if not (result.method in REFERENCES and result.seed)):
        for name, value in (run.metrics | run.attacks).items():
            measured.setdefault(((run.task, run.model), run.method, name), []).append(value)
    measures = {(method, name) for _, method, name in measured}

    def average(place: tuple[str, str], method: str, measure: str, at: Mapping[str, Any]) -> float | None:
        if at and method not in REFERENCES:
            rows = trials.get((*place, method), ())
            values = [row.metrics.get(measure) for row in rows if at.items() <= row.settings.items()]
        else:
            values = list(measured.get((place, method, measure), ()))
        numbers = [number for number in values if number is not None]
        return statistics.fmean(numbers) if numbers else None

    def finding(claim: Claim, evidence: Evidence) -> Finding:
        place = evidence.task, evidence.model
        mine = average(place, claim.method, evidence.measure, evidence.at)
        # What it is compared with is the same measure of something else, or another measure of the same method.
        itself = (claim.method, evidence.of) in measures
        other = (claim.method, evidence.of) if itself else (evidence.of, evidence.measure)
        return Finding(evidence, mine, average(place, *other, evidence.of_at or evidence.at))

    return tuple(Judged(claim, tuple(finding(claim, evidence) for evidence in claim.evidence)) for claim in claims)


def read_claims(reference_impls: Path, root: Path) -> tuple[Entries[Claim], list[Problem]]:
    """The claims of ``claims.yaml``, with problems; none if there is no such file."""
    return read_entries(reference_impls / "claims.yaml", root, Claim, "bad-claim")
