"""What a method costs on another model, as far as runs on the embedded one tell: how much work an example is.

Seconds are of this machine and that model; how many sequences go forward and backward for each is of the method.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from catalog.model.implementations import Implementation
from catalog.model.results import Result

BACKWARD = 2
"""A backward pass costs about two forward passes."""


def work(results: Iterable[Result], method: Implementation) -> float | None:
    """How many times the work of plain fine-tuning on as many examples; None where that was not measured.

    Nor is it told of a method that says that it trains no weights: its recipe's steps and batches have no examples. It
    is 0 where what trains is beside the model, through which nothing goes then.

    Plain fine-tuning passes each example forward and backward once. The mean over the method's whole runs with the
    embedded model that it is for, of which the steps that were made and the batch size tell the number of examples.
    """
    if method.needs.trains == "nothing":
        return None
    ratios = []
    for result in results:
        steps = result.stopped if result.stopped is not None else result.recipe.get("steps")
        examples = (steps or 0) * result.recipe.get("batch_size", 0)
        if result.method == method.id and result.plain and result.model == method.needs.embedded and examples:
            ratios.append((result.forward_passes + BACKWARD * result.backward_passes) / ((1 + BACKWARD) * examples))
    return statistics.fmean(ratios) if ratios else None
