"""Metrics of whole sets: how the numbers of single answers become one."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

ROUNDING = 1e-5
"""Truth ratios that are no further apart than this, relative to their size, are one number: another processor adds up
in another order, which moves the ratios of a model in 32 bits by less than a tenth of it."""


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean.

    Raises:
        ValueError: there is nothing to average.
    """
    if not values:
        raise ValueError("the mean of nothing is not defined")
    return math.fsum(values) / len(values)


def forget_truth_ratio(ratios: Sequence[float]) -> float:
    r""":math:`\tfrac1N\sum\min(R, 1/R)`, in [0, 1]: 1 if right and wrong answers are equally likely everywhere.

    Source: TOFU, forget quality. Also low for a model that was pushed to *prefer* wrong answers.

    Raises:
        ValueError: a truth ratio is not a number.
    """
    return mean([min(ratio, 1 / ratio) if ratio > 0 else 0.0 for ratio in _numbers(ratios)])


def utility_truth_ratio(ratios: Sequence[float]) -> float:
    r""":math:`\tfrac1N\sum\max(0, 1-R)`, in [0, 1]; higher is better. Source: TOFU, model utility.

    Raises:
        ValueError: a truth ratio is not a number.
    """
    return mean([max(0.0, 1 - ratio) for ratio in _numbers(ratios)])


def _numbers(values: Sequence[float]) -> Sequence[float]:
    if any(map(math.isnan, values)):
        raise ValueError("some of the values are not numbers")
    return values


def truth_preferred(ratios: Sequence[float]) -> float:
    """The share of questions whose truth ratio is below 1, in [0, 1]: where the truth still wins over wrong answers.

    The retrained model's value is the aim, about a half where it has to guess. Source: this project.

    Raises:
        ValueError: a truth ratio is not a number.
    """
    return mean([float(ratio < 1) for ratio in _numbers(ratios)])


def forget_distance(unlearned: Sequence[float], retrained: Sequence[float]) -> float:
    r"""Kolmogorov and Smirnov's :math:`D = \sup_r |F_\theta(r) - F_{\mathrm{ret}}(r)|` of truth ratios, in [0, 1].

    What :func:`forget_quality` is the p-value of, on a scale that shows how far apart two models are. 0: the same.

    Raises:
        ValueError: a truth ratio is not a number.
    """
    return float(_kolmogorov_smirnov(unlearned, retrained).statistic)


def forget_quality(unlearned: Sequence[float], retrained: Sequence[float]) -> float:
    """The p-value of a two-sample Kolmogorov-Smirnov test between two models' truth ratios, in (0, 1].

    Above 0.05 the test cannot tell the unlearned model from the retrained one; a test, not a score: 0.9 is not
    better than 0.3. Source: TOFU, forget quality. Exact p-value (scipy's ``method="auto"``).

    Raises:
        ValueError: a truth ratio is not a number.
    """
    return float(_kolmogorov_smirnov(unlearned, retrained).pvalue)


def _kolmogorov_smirnov(unlearned: Sequence[float], retrained: Sequence[float]) -> Any:
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        # Where the two are all but alike, rounding takes scipy's exact sum past 1; it says so and falls back.
        warnings.simplefilter("ignore", RuntimeWarning)
        return ks_2samp(*_tied(_finite(unlearned), _finite(retrained)))


def _tied(unlearned: Sequence[float], retrained: Sequence[float]) -> tuple[list[float], list[float]]:
    """Both samples, with the same number for what differs by no more than :data:`ROUNDING` from the next smaller one.

    The test goes by the order of values alone: it would take a model for another one where ties fall by chance.
    """
    meant: dict[float, float] = {}
    before = -math.inf
    for value in sorted({*unlearned, *retrained}):
        meant[value] = meant[before] if value - before <= ROUNDING * abs(value) else value
        before = value
    return [meant[value] for value in unlearned], [meant[value] for value in retrained]


def _finite(ratios: Sequence[float]) -> Sequence[float]:
    if not all(map(math.isfinite, ratios)):
        raise ValueError("a truth ratio is not finite, so there is no distribution to compare")
    return ratios


def harmonic_mean(values: Sequence[float]) -> float:
    """The harmonic mean, in [0, 1] for values in [0, 1]; 0 if any value is 0. TOFU's model utility is one.

    Raises:
        ValueError: a value is negative or not a number.
    """
    if any(not value >= 0 for value in values):
        raise ValueError("the harmonic mean is defined for values of at least 0")
    if min(values) == 0:
        return 0.0
    return len(values) / math.fsum(1 / value for value in values)


def membership_auc(members: Sequence[float], others: Sequence[float]) -> float:
    """The chance that a member has a lower loss than a non-member, ties counting half, in [0, 1].

    1: the forget set is fully recognizable as training data; 0.5: no signal; below: over-unlearned, which is a
    signal too. The aim is the retrained model's value. Source: loss attack of Yeom et al. (arXiv 1709.01604).

    Raises:
        ValueError: a loss is not a number.
    """
    from scipy.stats import rankdata

    ranks = rankdata(_numbers([*others, *members]))[: len(others)]
    wins = float(ranks.sum()) - len(others) * (len(others) + 1) / 2
    return wins / (len(members) * len(others))
