"""Can the metrics be trusted? The metrics themselves, measured on models of which the truth is known.

After Dorna et al. (arXiv 2506.12618, section 5). A metric is *faithful* if it tells models that know the forget set
from models that never saw it. It is *robust* if what it says stays true: relearning should not raise it faster on an
unlearned model than on one that never knew (else it had missed what was there), and rounding the weights should not
raise it.

What is itself a comparison with the retrained model is settled for that model before anything is measured: relearning
tears it from its ideal further than anything else could be torn, and every other model looks robust beside it. Of such
metrics faithfulness alone is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, harmonic_mean

from catalog.model.catalog import Catalog
from catalog.model.metrics import Metric
from catalog.model.pools import Pools

NOT_OF_FORGETTING = ("retain_", "facts_", "holdout_", "model_utility", "relative_distance")
"""What the names of metrics begin with that say nothing of what a model knows of the forget set."""
ENOUGH = 5
"""Of how many unlearned models robustness has to be a mean before a metric is ranked by it."""
KEPT = 0.8
"""Share of the target's utility that an unlearned model must have left to be counted, as in the paper."""


@dataclass(frozen=True)
class Judgement:
    """What became of one metric."""

    metric: Metric
    faithfulness: float
    """AUC: the chance that it puts a model that knows above one that never knew; 0.5 is chance."""
    relearning: float | None
    """The gain of the retrained model over that of an unlearned one, at most 1, mean over unlearned models."""
    quantization: float | None
    """The value before over the value after, at most 1, mean over unlearned models."""
    counted: int
    """How many unlearned models the two are means over: those that are still of use, and that the metric calls
    forgotten."""

    @property
    def robustness(self) -> float | None:
        """The harmonic mean of the two; None where too few models tell."""
        if self.relearning is None or self.quantization is None or self.counted < ENOUGH:
            return None
        return harmonic_mean([self.relearning, self.quantization])

    @property
    def overall(self) -> float | None:
        """The harmonic mean of faithfulness and robustness, by which metrics are ranked."""
        return None if self.robustness is None else harmonic_mean([self.faithfulness, self.robustness])


def judge_metrics(catalog: Catalog, task: str) -> tuple[Judgement, ...]:
    """Every metric of a task that says something of forgetting, the most trustworthy first.

    Those that were not shaken, or of which too few models tell, come last, by their faithfulness.
    Empty where the task has no pools.
    """
    pools = catalog.pools.get(task)
    if pools is None:
        return ()
    judged = [
        judgement
        for metric in catalog.metrics
        if not metric.id.startswith(NOT_OF_FORGETTING)
        if (judgement := judge_metric(metric, pools)) is not None
    ]

    def place(judgement: Judgement) -> tuple[bool, float, float, str]:
        trust = judgement.overall
        return trust is None, -(trust or 0.0), -judgement.faithfulness, judgement.metric.label

    return tuple(sorted(judged, key=place))


def judge_metric(metric: Metric, pools: Pools) -> Judgement | None:
    """One metric; None where no model of one of the two pools has it."""
    knew, never = (
        [model.metrics[metric.id] for model in pools.models if model.knew is which and metric.id in model.metrics]
        for which in (True, False)
    )
    if not knew or not never:
        return None
    rising = fmean(knew) >= fmean(never)
    knowledge = _knowledge(metric, rising)
    raised = [[knowledge(value) for value in values] for values in (knew, never)]
    limit = best_threshold(*raised)
    relearned, quantized = _shaken(metric, pools, knowledge, limit)
    return Judgement(
        metric,
        auc(*raised),
        fmean(relearned) if relearned else None,
        fmean(quantized) if quantized else None,
        len(relearned),
    )


def auc(knew: Sequence[float], never: Sequence[float]) -> float:
    """The chance that a value of ``knew`` is above one of ``never``, ties counting half."""
    above = sum((value > other) + 0.5 * (value == other) for value in knew for other in never)
    return above / (len(knew) * len(never))


def best_threshold(knew: Sequence[float], never: Sequence[float]) -> float:
    """From which value on a model is best said to know: the most right answers on both pools, the lowest such one."""
    return max(
        sorted({*knew, *never}),
        key=lambda limit: (
            sum(value >= limit for value in knew) / len(knew) + sum(value < limit for value in never) / len(never)
        ),
    )


def relearning_robustness(retrained: tuple[float, float], unlearned: tuple[float, float]) -> float:
    """min(1, gain of the retrained model / gain of the unlearned one), and 0 where only the latter gains.

    Args:
        retrained: the metric before and after, rising with knowledge.
        unlearned: the same.
    """
    innocent, gained = (after - before for before, after in (retrained, unlearned))
    return 1.0 if gained <= max(0.0, innocent) else max(0.0, innocent) / gained


def quantization_robustness(before: float, after: float) -> float:
    """min(1, before / after), for a metric that rises with knowledge from 0."""
    return 1.0 if after <= before else max(0.0, before) / after


def _knowledge(metric: Metric, rising: bool) -> Callable[[float], float]:
    """The metric as something that rises with knowledge: itself, or what it lacks to its largest value."""
    top = (metric.range[1] if metric.range else None) or 0.0
    return (lambda value: value) if rising else (lambda value: top - value)


def _shaken(
    metric: Metric, pools: Pools, knowledge: Callable[[float], float], limit: float
) -> tuple[list[float], list[float]]:
    """Robustness to relearning and to quantization, of each unlearned model that counts."""
    if metric.against:
        return [], []
    by_method = {model.method: model for model in pools.shaken if metric.id in model.before}
    innocent, target = by_method.pop("retrained", None), by_method.pop("target", None)
    if innocent is None or target is None:
        return [], []
    needed = KEPT * target.before.get("model_utility", 0.0)
    counted = [
        model
        for model in by_method.values()
        if model.before.get("model_utility", 0.0) >= needed and knowledge(model.before[metric.id]) < limit
    ]

    def change(before: dict[str, float], after: dict[str, float]) -> tuple[float, float]:
        return knowledge(before[metric.id]), knowledge(after[metric.id])

    reference = change(innocent.before, innocent.relearned)
    return (
        [relearning_robustness(reference, change(model.before, model.relearned)) for model in counted],
        [quantization_robustness(*change(model.before, model.quantized)) for model in counted],
    )


def most_trusted(judged: Iterable[Judgement], count: int = 3) -> tuple[Judgement, ...]:
    """Which to look at: the first that were measured both ways and separate the pools better than chance."""
    good = (judgement for judgement in judged if judgement.overall is not None and judgement.faithfulness > 0.5)
    return tuple(judgement for judgement, _ in zip(good, range(count), strict=False))
