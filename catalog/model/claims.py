"""What papers say that their methods do, held against what was measured here.

A claim is one sentence with its source, in ``reference_impls/claims.yaml``, and comparisons of committed numbers that
would bear it out. Whether it holds is computed, never written down: a new measurement changes the verdict.

One rule decides a comparison: how far the value is from what it is compared with, as a 95% interval. If all of the
interval is as claimed, the comparison holds; if none of it is, it is contradicted; otherwise the two are not told
apart, as are two that are the same. What a comparison allows (``plus``, ``times``, ``within``) belongs to what is
claimed, so that "no worse by 0.02" holds where the whole interval is above -0.02.

The interval is Student's, of the mean of the differences within seeds. Runs with the same seed draw the same batches
and are attacked with the same draws, so that part of what two methods vary by is common to them (nearly all of it where
one is a variant of the other); where nothing is common, differences within seeds are as right, and a little wider than
Welch's interval. The target and the retrained model are one given model each, the same for every seed, so that the
seeds of the method vary alone.

With a single run on a side, as in all trials, there is nothing to tell noise from: the two numbers decide, and what is
said of the comparison says that they are single runs.

Most claims are held against one task, and what holds there may be the task's doing. Their comparisons of results are
therefore made on every other task that has the measurements, too, by the same rule, and told beside the verdict.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from catalog.base.spread import margin_of_mean
from catalog.model.defaults import TASK, UTILITY
from catalog.model.quantities import Finite, Given
from catalog.model.results import EMBEDDED, REFERENCES, Result
from catalog.model.trials import Trial, Trials
from catalog.parsing.datafile import Entries, read_entries
from catalog.parsing.problems import Problem

CLAIMS_FILE = "reference_impls/claims.yaml"
_DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?![\d]|\.\d)")
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
    at: dict[str, Given] = Field(default_factory=dict)
    """Of the one trial with these settings, on both sides; of the committed results if empty."""
    of_at: dict[str, Given] = Field(default_factory=dict)
    """Of the other side's trial, where its settings are others, as when a method is compared with itself."""
    is_: Annotated[Literal["above", "below", "near"], Field(alias="is")]
    of: str
    """``target``, ``retrained``, a method, or another measure of the same method."""
    times: Finite = 1.0
    plus: Finite = 0.0
    within: Annotated[Finite, Field(ge=0)] = 0.1
    """For ``near``: how far apart the two may be."""

    @property
    def other_at(self) -> dict[str, Given]:
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
                wholly, partly = low > 0, high >= 0
            case "below":
                wholly, partly = high < 0, low <= 0
            case "near":
                within = self.evidence.within
                wholly, partly = -within <= low and high <= within, -within <= high and low <= within
        if wholly:
            return "holds"
        return "not told apart" if partly else "contradicted"


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """From all comparisons together; one that cannot be made leaves the claim open.

    Of what is contradicted something may hold, and then the claim does in part. What nothing contradicts and the seeds
    do not wholly decide is undecided: more of them could tell.
    """
    outcomes = {finding.outcome for finding in findings}
    if "not measured" in outcomes:
        return "not measured"
    if "contradicted" in outcomes:
        return "holds in part" if "holds" in outcomes else "not seen at this scale"
    return "undecided" if "not told apart" in outcomes else "holds"


@dataclass(frozen=True)
class Elsewhere:
    """A claim's comparisons of results, made on another task as far as that has the measurements."""

    task: str
    findings: tuple[Finding, ...]
    asked: int
    """How many comparisons of results the claim has."""

    @property
    def verdict(self) -> Verdict:
        """By the same rule."""
        return verdict_of(self.findings)


@dataclass(frozen=True)
class Judged:
    """A claim with what was found."""

    claim: Claim
    findings: tuple[Finding, ...]
    elsewhere: tuple[Elsewhere, ...] = ()
    """On the other tasks where the same was measured; empty where the claim names several tasks itself."""

    @property
    def verdict(self) -> Verdict:
        """See :func:`verdict_of`."""
        return verdict_of(self.findings)

    @property
    def elsewhere_in_words(self) -> str:
        """``also on hazards; not on passages (1 of 2 comparisons)``; ``""`` where nothing was measured elsewhere."""
        words = {"holds": "also" if self.verdict == "holds" else "holds", "undecided": "undecided"}
        return "; ".join(
            f"{words.get(other.verdict, 'not')} on {other.task}"
            + (f" ({len(other.findings)} of {other.asked} comparisons)" if len(other.findings) < other.asked else "")
            for other in self.elsewhere
        )


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


def judge(
    claims: Iterable[Claim], results: Iterable[Result], trials: Trials, headlines: Mapping[str, str] | None = None
) -> tuple[Judged, ...]:
    """Hold every claim against the committed results and the trials of the searches.

    Args:
        claims: in the order in which they are to stand.
        results: committed runs, of which those count that forget the whole set at once.
        trials: what the searches have tried.
        headlines: the headline metric of each task on which claims are to be tried again.
    """
    by_seed: dict[tuple[tuple[str, str], str, str], dict[int, float]] = {}
    for run in filter(_counts, results):
        for name, value in (run.metrics | run.attacks).items():
            by_seed.setdefault(((run.task, run.model), run.method, name), {})[run.seed] = value
    measured = _Measured(by_seed, trials, frozenset((method, name) for _, method, name in by_seed))
    return tuple(
        Judged(
            claim,
            tuple(_finding(claim.method, evidence, measured) for evidence in claim.evidence),
            tuple(_elsewhere(claim, measured, headlines or {})),
        )
        for claim in claims
    )


def _elsewhere(claim: Claim, measured: _Measured, headlines: Mapping[str, str]) -> Iterator[Elsewhere]:
    """A claim about one task on all others where a comparison of results of it can be made."""
    here = {evidence.task for evidence in claim.evidence}
    plain = [evidence for evidence in claim.evidence if not evidence.at and not evidence.of_at]
    if len(here) != 1 or not plain or not here <= headlines.keys():
        return
    (task,) = here
    for other, headline in headlines.items():
        if other != task:
            moved = (_moved(evidence, other, headlines[task], headline) for evidence in plain)
            findings = (_finding(claim.method, evidence, measured) for evidence in moved)
            if made := tuple(finding for finding in findings if finding.outcome != "not measured"):
                yield Elsewhere(other, made, len(plain))


def _moved(evidence: Evidence, task: str, headline: str, its_headline: str) -> Evidence:
    """A comparison on another task.

    What a task asks first (its headline, such as ``forget_probability``) it asks of what must stay, too, in the same
    way: ``retain_probability``, where another task asks for ``forget_accuracy`` and ``retain_accuracy``.
    """
    way, its_way = (f"_{name.rpartition('_')[2]}" for name in (headline, its_headline))

    def renamed(measure: str) -> str:
        return measure.removesuffix(way) + its_way if measure.endswith(way) else measure

    update = {"task": task, "measure": renamed(evidence.measure), "of": renamed(evidence.of)}
    return evidence.model_copy(update=update)


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


def _counts(result: Result) -> bool:
    """Whether claims are held against a run: it forgets the whole set at once, or is a model that ships.

    Other seeds of the retrained model are noise of the yardstick.
    """
    return result.plain and not (result.method in REFERENCES and result.seed)


def _mean(by_seed: Mapping[int, float]) -> float | None:
    return statistics.fmean(by_seed.values()) if by_seed else None


def stale_numbers(
    claim: Claim, results: Iterable[Result], trials: Trials, headlines: Mapping[str, str]
) -> tuple[str, ...]:
    """The decimals of a claim's ``why`` that are no committed number (any more).

    A number may be a mean over seeds, a single run's or a trial's, of the method or what it is compared with, where the
    claim is about that: on its tasks and models, of its measures, of what its tasks ask first, and of the utility. The
    method's settings count as well. More would let any number through.

    Args:
        claim: the claim.
        results: committed runs of any method.
        trials: what the searches have tried.
        headlines: the headline metric of each task.
    """
    written = _DECIMAL.findall(claim.why)
    if not written:
        return ()
    methods = {claim.method, *REFERENCES, *(evidence.of for evidence in claim.evidence)}
    places = {(evidence.task, evidence.model) for evidence in claim.evidence}
    asked = [headlines[task].rpartition("_")[2] for task, _ in places if task in headlines]
    measures = {UTILITY, *(f"{which}_{way}" for which in ("forget", "retain") for way in asked)}
    measures |= {name for evidence in claim.evidence for name in (evidence.measure, evidence.of)}
    seeds: dict[tuple[str, str, str, str], list[float]] = {}
    known: set[float] = set()
    for run in filter(_counts, results):
        if run.method not in methods or (run.task, run.model) not in places:
            continue
        for name in measures & (run.metrics | run.attacks).keys():
            seeds.setdefault((run.task, run.model, run.method, name), []).append((run.metrics | run.attacks)[name])
    for values in seeds.values():
        known |= {*values, statistics.fmean(values)}
    for method in methods:
        for trial in (trial for place in places for trial in trials.get((*place, method), ())):
            known |= {trial.metrics[name] for name in measures & trial.metrics.keys()}
            if method == claim.method:
                known |= {value for value in trial.settings.values() if isinstance(value, (int, float))}
    return tuple(number for number in written if not any(_rounds_to(value, number) for value in known))


def _rounds_to(value: float, number: str) -> bool:
    """Whether a number as it is written, ``0.65``, is this one rounded; a half may go either way."""
    unit: float = 10.0 ** -len(number.partition(".")[2])
    return abs(value - float(number)) <= unit / 2 + 1e-9


def read_claims(reference_impls: Path, root: Path) -> tuple[Entries[Claim], list[Problem]]:
    """The claims of ``claims.yaml``, with problems; none if there is no such file."""
    return read_entries(reference_impls / "claims.yaml", root, Claim, "bad-claim")
