"""How sure a number is: 95% intervals of means over questions, of their changes, and of an AUC."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

RESAMPLES = 2000
NORMAL = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""


class Estimate(BaseModel):
    """A number with its 95% interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    count: int
    """Over how many questions."""


def of_mean(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean, with the percentile bootstrap's interval over questions (Efron, 1979).

    Raises:
        ValueError: there is nothing to average.
    """
    import numpy as np

    if not values:
        raise ValueError("the mean of nothing is not defined")
    sample = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.quantile(sample[drawn].mean(axis=1), [0.025, 0.975])
    return Estimate(value=math.fsum(values) / len(values), low=float(low), high=float(high), count=len(values))


def of_change(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of after minus before, question by question.

    Raises:
        ValueError: the two are of different questions, or of none.
    """
    return of_mean([now - then for then, now in zip(before, after, strict=True)], seed)


def of_auc(value: float, members: int, others: int) -> Estimate:
    r"""An AUC with the interval of Hanley and McNeil (1982), cut to [0, 1].

    With :math:`Q_1 = A / (2 - A)` and :math:`Q_2 = 2 A^2 / (1 + A)`, its variance is
    :math:`(A (1 - A) + (n_1 - 1)(Q_1 - A^2) + (n_2 - 1)(Q_2 - A^2)) / (n_1 n_2)`.
    """
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (members - 1) * (q1 - value**2) + (others - 1) * (q2 - value**2)
    reach = NORMAL * math.sqrt(max(0.0, variance) / (members * others))
    return Estimate(value=value, low=max(0.0, value - reach), high=min(1.0, value + reach), count=members + others)
