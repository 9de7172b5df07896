"""What papers say that their methods do, held against what was measured here.

A claim is one sentence with its source, in ``reference_impls/claims.yaml``, and comparisons of committed numbers that
would bear it out. Whether it holds is computed, never written down: a new measurement changes the verdict.

One rule decides a comparison: how far the value is from what it is compared with, as a 95% interval. If all of the
interval is as claimed, the comparison holds; if none of it is, it is contradicted; otherwise the two are not told
apart. What a comparison allows (``plus``, ``times``, ``within``) belongs to what is claimed, so that "no worse by 0.02"
holds where the whole interval is above -0.02.

The interval is Student's, of the mean of the differences within seeds. Runs with the same seed draw the same batches
and are attacked with the same draws, so that part of what two methods vary by is common to them (nearly all of it where
one is a variant of the other); where nothing is common, differences within seeds are as right, and a little wider than
Welch's interval. The target and the retrained model are one given model each, the same for every seed, so that the
seeds of the method vary alone.

With a single run on a side, as in all trials, there is nothing to tell noise from: the two numbers decide, and what is
said of the comparison says that they are single runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from catalog.base.spread import margin_of_mean
from catalog.model.defaults import TASK
from catalog.model.results import EMBEDDED, REFERENCES, Result
from catalog.model.trials import Trial, Trials
from catalog.parsing.datafile import Entries, read_entries
from catalog.parsing.problems import Problem

CLAIMS_FILE = "reference_impls/claims.yaml"
Outcome = Literal["holds", "not told apart", "contradicted", "not measured"]
"""Of one comparison."""
Verdict = Literal["holds", "undecided", "holds in part", "not seen at this scale", "not measured"]
"""Of a claim, from all of its comparisons."""


class Evidence(BaseModel):
    """One comparison: a measurement of the claim's method with the same one of something else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = TASK
    model: str = EMBEDDED
    """With which of the task's models it was measured."""
    measure: str
    """A metric, or what an attack measures."""
    at: dict[str, float | str] = Field(default_factory=dict)
    """Of the one trial with these settings, on both sides; of the committed results if empty."""
    of_at: dict[str, float | str] = Field(default_factory=dict)
    """Of the other side's trial, where its settings are others, as when a method is compared with itself."""
    is_: Annotated[Literal["above", "below", "near"], Field(alias="is")]
    of: str
    """``target``, ``retrained``, a method, or another measure of the same method."""
    times: float = 1.0
    plus: float = 0.0
    within: float = 0.1
    """For ``near``: how far apart the two may be."""

    @property
    def other_at(self) -> dict[str, float | str]:
        """The settings of the trial on the other side."""
        return self.of_at or self.at


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
    margin: float | None = None
    """Half of the 95% interval of how far the value is from its bound; None with a single run on a side."""

    @property
    def bound(self) -> float | None:
        """What the value is compared with."""
        return None if self.other is None else self.evidence.times * self.other + self.evidence.plus

    @property
    def outcome(self) -> Outcome:
        """What the rule says that stands on top of this module."""
        if self.value is None or self.bound is None:
            return "not measured"
        apart, margin = self.value - self.bound, self.margin or 0.0
        low, high = apart - margin, apart + margin
        match self.evidence.is_:
            case "above":
                wholly, partly = low > 0, high > 0
            case "below":
                wholly, partly = high < 0, low < 0
            case "near":
                within = self.evidence.within
                wholly, partly = -within <= low and high <= within, -within <= high and low <= within
        if wholly:
            return "holds"
        return "not told apart" if partly else "contradicted"


@dataclass(frozen=True)
class Judged:
    """A claim with what was found."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """From all comparisons together; one that cannot be made leaves the claim open.

        Of what is contradicted something may hold, and then the claim does in part. What nothing contradicts and the
        seeds do not wholly decide is undecided: more of them could tell.
        """
        outcomes = {finding.outcome for finding in self.findings}
        if "not measured" in outcomes:
            return "not measured"
        if "contradicted" in outcomes:
            return "holds in part" if "holds" in outcomes else "not seen at this scale"
        return "undecided" if "not told apart" in outcomes else "holds"


@dataclass(frozen=True)
class _Measured:
    """What was measured: by task and model, method and measure, a value for each seed; and the trials."""

    results: Mapping[tuple[tuple[str, str], str, str], Mapping[int, float]]
    trials: Trials
    measures: frozenset[tuple[str, str]]
    """All pairs of a method and a measure that was taken of it."""

    def of(self, place: tuple[str, str], method: str, measure: str, at: Mapping[str, Any]) -> Mapping[int, float]:
        """By seed; empty where nothing was measured, or where the settings are not those of one trial."""
        if at and method not in REFERENCES:
            rows = matching(self.trials.get((*place, method), ()), at)
            return {0: rows[0].metrics[measure]} if len(rows) == 1 and measure in rows[0].metrics else {}
        return self.results.get((place, method, measure), {})


def matching(trials: Iterable[Trial], settings: Mapping[str, Any]) -> list[Trial]:
    """The trials that have these settings, among others."""
    return [trial for trial in trials if settings.items() <= trial.settings.items()]


def judge(claims: Iterable[Claim], results: Iterable[Result], trials: Trials) -> tuple[Judged, ...]:
    """Hold every claim against the committed results and the trials of the searches.

    Args:
        claims: in the order in which they are to stand.
        results: committed runs, of which those count that forget the whole set at once.
        trials: what the searches have tried.
    """
    by_seed: dict[tuple[tuple[str, str], str, str], dict[int, float]] = {}
    runs = (result for result in results if result.plain)
    # Other seeds of the retrained model are noise of the yardstick; all is held against the one that ships.
    for run in (result for result in runs if not (result.method in REFERENCES and result.seed)):
        for name, value in (run.metrics | run.attacks).items():
            by_seed.setdefault(((run.task, run.model), run.method, name), {})[run.seed] = value
    measured = _Measured(by_seed, trials, frozenset((method, name) for _, method, name in by_seed))
    return tuple(
        Judged(claim, tuple(_finding(claim.method, evidence, measured) for evidence in claim.evidence))
        for claim in claims
    )


def _finding(method: str, evidence: Evidence, measured: _Measured) -> Finding:
    place = evidence.task, evidence.model
    mine = measured.of(place, method, evidence.measure, evidence.at)
    # What it is compared with is the same measure of something else, or another measure of the same method.
    itself = (method, evidence.of) in measured.measures
    other = (method, evidence.of) if itself else (evidence.of, evidence.measure)
    theirs = measured.of(place, *other, evidence.other_at)
    if evidence.of in REFERENCES and theirs:
        theirs = dict.fromkeys(mine, statistics.fmean(theirs.values()))
    apart = [value - evidence.times * theirs[seed] for seed, value in mine.items() if seed in theirs]
    return Finding(evidence, _mean(mine), _mean(theirs), margin_of_mean(apart))


def _mean(by_seed: Mapping[int, float]) -> float | None:
    return statistics.fmean(by_seed.values()) if by_seed else None


def read_claims(reference_impls: Path, root: Path) -> tuple[Entries[Claim], list[Problem]]:
    """The claims of ``claims.yaml``, with problems; none if there is no such file."""
    return read_entries(reference_impls / "claims.yaml", root, Claim, "bad-claim")
