"""How sure a number is: 95% intervals of means over questions, of their changes, and of an AUC."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

RESAMPLES = 2000
NORMAL = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""
TAIL = 0.025
"""What an interval leaves out at each end."""
DRAWN = 4
"""From fewer values nothing is drawn."""
SAME = 1e-12
"""Values that differ by no more are equal but for rounding."""


class Estimate(BaseModel):
    """A number with its 95% interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    count: int
    """Over how many questions."""


def of_mean(values: Sequence[float], seed: int = 0, bounds: tuple[float, float] = (0.0, 1.0)) -> Estimate:
    r"""The mean, with the percentile bootstrap's interval over questions (Efron, 1979).

    Values that are all equal, as one value is, have nothing to draw, and two or three next to nothing. Of other
    questions of the kind, a share of up to :math:`1 - 0.025^{1/n}` may have come out otherwise (Clopper and Pearson,
    1934), as far off as values can be: those are the interval then.

    Args:
        values: one of each question.
        seed: decides what is drawn.
        bounds: between which values lie.

    Raises:
        ValueError: there is nothing to average.
    """
    import numpy as np

    if not values:
        raise ValueError("the mean of nothing is not defined")
    count, mean = len(values), math.fsum(values) / len(values)
    if count < DRAWN or max(values) - min(values) <= SAME:
        others = 1 - TAIL ** (1 / count)
        low, high = mean - others * max(0.0, mean - bounds[0]), mean + others * max(0.0, bounds[1] - mean)
        return Estimate(value=mean, low=low, high=high, count=count)
    sample = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    low, high = np.quantile(sample[drawn].mean(axis=1), [TAIL, 1 - TAIL])
    return Estimate(value=mean, low=float(low), high=float(high), count=count)


def of_change(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of after minus before, question by question.

    Raises:
        ValueError: the two are of different questions, or of none.
    """
    return of_mean([now - then for then, now in zip(before, after, strict=True)], seed, (-1.0, 1.0))


def of_auc(value: float, members: int, others: int) -> Estimate:
    r"""An AUC with the interval of Hanley and McNeil (1982), cut to [0, 1].

    With :math:`Q_1 = A / (2 - A)` and :math:`Q_2 = 2 A^2 / (1 + A)`, its variance is
    :math:`(A (1 - A) + (n_1 - 1)(Q_1 - A^2) + (n_2 - 1)(Q_2 - A^2)) / (n_1 n_2)`. It says that nothing is uncertain
    where all texts are told apart; where less than one text is on the wrong side, the interval is that of all
    :math:`A` that are no further from what was measured than 1.96 of *their* deviations, as Wilson's is of a share
    (Newcombe, 2006).
    """
    if min(members, others) * min(value, 1 - value) >= 1:
        reach = NORMAL * math.sqrt(_auc_variance(value, members, others))
        low, high = value - reach, value + reach
    else:
        low, high = (_furthest(value, end, members, others) for end in (0.0, 1.0))
    return Estimate(value=value, low=max(0.0, low), high=min(1.0, high), count=members + others)


def _auc_variance(value: float, members: int, others: int) -> float:
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (members - 1) * (q1 - value**2) + (others - 1) * (q2 - value**2)
    return max(0.0, variance) / (members * others)


def _furthest(value: float, end: float, members: int, others: int) -> float:
    """The AUC nearest to ``end`` from which the value measured is no further than chance goes, by halving."""
    near, far = value, end
    for _ in range(60):
        middle = (near + far) / 2
        if (value - middle) ** 2 <= NORMAL**2 * _auc_variance(middle, members, others):
            near = middle
        else:
            far = middle
    return near
