"""Every method with several seeds, each record written as its run ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from catalog.model.results import Result
from reference_impls.running.experiment import Experiment
from reference_impls.running.records import write_record
from reference_impls.running.registry import RESULTS

TOLERANCE = 0.01
"""How far a number may be from the record's when it is measured again with the same versions: see the design."""


def plan(
    methods: Sequence[str],
    task: str,
    seeds: int,
    forget_share: float = 1.0,
    requests: int = 1,
    model: str | None = None,
) -> list[Experiment]:
    """All runs in order."""
    return [
        Experiment(method, task, seed, forget_share=forget_share, requests=requests, model=model)
        for method in methods
        for seed in range(seeds)
    ]


def recorded(experiment: Experiment) -> bool:
    """Whether the record of a run is there; a killed benchmark leaves whole records."""
    return (RESULTS / experiment.file).exists()


def run_and_record(experiment: Experiment) -> None:
    """Run and write the record; what is not the whole forget set at once is measured, not attacked."""
    write_record(_measured(experiment), RESULTS)


def run_again(experiment: Experiment) -> dict[str, float]:
    """Run without writing anything; returns how far each of the record's numbers is from what comes out now.

    Numbers above 1 are compared relative to their size; one that does not come out any more is infinitely far. What is
    measured now and was not when the record was made is left out.

    Raises:
        OSError: there is no record.
    """
    committed = Result.model_validate_json((RESULTS / experiment.file).read_bytes())
    again = _measured(experiment)
    before, after = committed.metrics | committed.attacks, again.metrics | again.attacks
    return {
        name: abs(value - after[name]) / max(1.0, abs(value)) if name in after else math.inf
        for name, value in sorted(before.items())
    }


def _measured(experiment: Experiment) -> Result:
    from reference_impls.progress import silence_libraries
    from reference_impls.running.runner import run

    silence_libraries()
    return run(experiment, attacked=experiment.plain).result
