"""What the committed runs of a method come to on a task, in four numbers that can be set beside another task's.

How near the retrained model it came, what it left of the rest, and how much of that holds when it is attacked; means
over seeds, from the records alone. The leaderboards (:mod:`catalog.insight.leaderboard`) have every measure.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from catalog.model.defaults import ATTACK, UTILITY
from catalog.model.results import MADE_HERE, REFERENCES, Result

SEPARATES = 0.25
"""How far a measure must hold the target and the retrained model apart to tell anything of a model between them."""


@dataclass(frozen=True)
class Outcome:
    """One method on one task with the embedded model."""

    forgets: float
    """How far it came from the target to the retrained model by the task's headline metric, in [0, 1]; going past it
    counts as not reaching it."""
    keeps: float
    """What is left of the target's utility, in [0, 1]."""
    withstands: float | None
    """How far it still is on that way after relearning, in [0, 1]; None where that is unknown, or tells nothing."""
    seconds: float
    memory: int
    """The most that its runs had in memory, in bytes."""

    @property
    def score(self) -> float:
        """The harmonic mean of the shares that were measured: each must be good for it to be."""
        shares = [self.forgets, self.keeps, *([self.withstands] if self.withstands is not None else [])]
        return statistics.harmonic_mean(shares)


@dataclass(frozen=True)
class Course:
    """What several requests, one after another, left of the utility."""

    task: str
    requests: int
    first: float
    """The utility after the first request; a mean over seeds, as is the next."""
    last: float


def outcomes(results: Iterable[Result], headlines: Mapping[str, str]) -> dict[tuple[str, str], Outcome]:
    """By task and method, of all that were measured with both references beside them.

    Those of the embedded model; of a method that was measured on the mixture of experts alone, those of that.

    Args:
        results: committed runs.
        headlines: the headline metric of each task.
    """
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        if (
            result.plain
            and result.model in MADE_HERE
            and result.task in headlines
            and not (result.method in REFERENCES and result.seed)
        ):
            groups.setdefault((result.model, result.task, result.method), []).append(result)
    by_method: dict[tuple[str, str], Outcome] = {}
    for model, task, method in sorted(groups, key=lambda group: MADE_HERE.index(group[0])):
        if (task, method) in by_method:
            continue
        runs, references = groups[model, task, method], [groups.get((model, task, which), []) for which in REFERENCES]
        outcome = _outcome(runs, headlines[task], *references) if method not in REFERENCES and all(references) else None
        if outcome is not None:
            by_method[task, method] = outcome
    return by_method


def mean_outcome(found: Sequence[Outcome]) -> Outcome | None:
    """The means over several tasks, of each number over those where it was measured; None of nothing."""
    if not found:
        return None
    held = [outcome.withstands for outcome in found if outcome.withstands is not None]
    return Outcome(
        forgets=statistics.fmean(outcome.forgets for outcome in found),
        keeps=statistics.fmean(outcome.keeps for outcome in found),
        withstands=statistics.fmean(held) if held else None,
        seconds=statistics.fmean(outcome.seconds for outcome in found),
        memory=max(outcome.memory for outcome in found),
    )


def courses(results: Iterable[Result]) -> dict[str, Course]:
    """By method, what the longest row of requests that was measured left of the utility."""
    groups: dict[tuple[str, str, int], list[Result]] = {}
    for result in results:
        if len(result.stages) > 1 and all(UTILITY in stage for stage in (result.stages[0], result.stages[-1])):
            groups.setdefault((result.method, result.task, result.requests), []).append(result)
    longest: dict[str, Course] = {}
    for (method, task, requests), runs in sorted(groups.items()):
        first, last = (statistics.fmean(run.stages[place][UTILITY] for run in runs) for place in (0, -1))
        if method not in longest or requests > longest[method].requests:
            longest[method] = Course(task, requests, first, last)
    return longest


def _outcome(
    runs: Sequence[Result], headline: str, target: Sequence[Result], retrained: Sequence[Result]
) -> Outcome | None:
    utility, whole = (_mean(_metric(group, UTILITY)) for group in (runs, target))
    nearer, held = (
        _nearness(*(measure(group) for group in (runs, target, retrained)))
        for measure in (partial(_metric, name=headline), _attack)
    )
    if nearer is None or utility is None or not whole:
        return None
    return Outcome(
        forgets=nearer,
        keeps=min(1.0, max(0.0, utility / whole)),
        withstands=held,
        seconds=statistics.fmean(run.seconds for run in runs),
        memory=max(run.peak_memory_bytes for run in runs),
    )


def nearness(value: float, target: float, retrained: float) -> float | None:
    """How far a value is from the target's to the retrained model's, in [0, 1]; None where those are too close."""
    apart = abs(target - retrained)
    return max(0.0, 1 - abs(value - retrained) / apart) if apart >= SEPARATES else None


def _nearness(values: Sequence[float], target: Sequence[float], retrained: Sequence[float]) -> float | None:
    """Of runs, mean over seeds: a run that went too far does not make up for one that did not go far enough."""
    before, goal = _mean(target), _mean(retrained)
    if before is None or goal is None:
        return None
    each = [nearness(value, before, goal) for value in values]
    return _mean([one for one in each if one is not None])


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _metric(runs: Sequence[Result], name: str) -> list[float]:
    return [run.metrics[name] for run in runs if name in run.metrics]


def _attack(runs: Sequence[Result]) -> list[float]:
    return [run.attacks[ATTACK] for run in runs if ATTACK in run.attacks]
