"""Which of many states stand apart from the rest, by an isolation forest (Liu et al., ICDM 2008).

Trees cut a sample of the states in two at a random value of a random coordinate, and each half again. What stands apart
is soon alone.
"""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor

TREES, SAMPLE = 100, 256
"""How many trees there are, and of how many states each is made, as in the paper."""


def expected_depth(count: int) -> float:
    """How deep a random tree has to be, on average, to part so many states: c(n)."""
    if count <= 2:
        return max(0.0, count - 1.0)
    return 2 * (math.log(count - 1) + 0.5772156649) - 2 * (count - 1) / count


def outlier_scores(states: Tensor, rng: random.Random) -> Tensor:
    """(n,) how much of an outlier each of (n, d) states is, in (0, 1)."""
    count = len(states)
    size = min(SAMPLE, count)
    depths = torch.zeros(count)
    for _ in range(TREES):
        pending = [(torch.arange(count), torch.tensor(rng.sample(range(count), size)), 0)]
        while pending:
            rows, grown, depth = pending.pop()
            low, high = states[grown].aminmax(dim=0) if len(grown) else (states[0], states[0])
            varying = (high > low).nonzero()[:, 0].tolist()
            if depth >= math.log2(size) or not varying:
                depths[rows] += depth + expected_depth(len(grown))
                continue
            column = rng.choice(varying)
            cut = rng.uniform(float(low[column]), float(high[column]))
            for side in (torch.lt, torch.ge):
                halves = [some[side(states[some, column], cut)] for some in (rows, grown)]
                pending.append((halves[0], halves[1], depth + 1))
    return 2 ** -(depths / TREES / max(expected_depth(size), 1e-9))
