"""What a method costs on another model, as far as runs on the embedded one tell: how much work an example is.

Seconds are of this machine and that model; how many sequences go forward and backward for each is of the method.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from catalog.model.results import EMBEDDED, Result

BACKWARD = 2
"""A backward pass costs about two forward passes."""


def work(results: Iterable[Result], method: str) -> float | None:
    """How many times the work of plain fine-tuning on as many examples; None where nothing is trained in steps.

    Plain fine-tuning passes each example forward and backward once. The mean over the method's whole runs with the
    embedded model, of which the steps that were made and the batch size tell the number of examples.
    """
    found = []
    for one in results:
        steps = one.stopped if one.stopped is not None else one.recipe.get("steps")
        examples = (steps or 0) * one.recipe.get("batch_size", 0)
        if one.method == method and one.plain and one.model == EMBEDDED and examples and one.backward_passes:
            found.append((one.forward_passes + BACKWARD * one.backward_passes) / ((1 + BACKWARD) * examples))
    return statistics.fmean(found) if found else None
