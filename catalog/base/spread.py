"""How well a mean over seeds is known: its 95% interval by Student's t.

Three seeds are few, and the interval says so: it is 4.3 standard errors wide on either side.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

_T_95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
"""97.5% quantiles of Student's t distribution for 1 to 20 degrees of freedom; for more, the last is a little wide."""


def margin_of_mean(values: Sequence[float]) -> float | None:
    """Half the width of the 95% interval of a mean; None for one value, which says nothing of how it varies.

    >>> round(margin_of_mean([0.5, 0.6, 0.7]), 4)
    0.2484
    """
    if len(values) < 2:
        return None
    quantile = _T_95[min(len(values) - 1, len(_T_95)) - 1]
    return quantile * statistics.stdev(values) / math.sqrt(len(values))
