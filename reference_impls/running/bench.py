"""Every method with several seeds, each record written as its run ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.model.results import Result, is_plain, record_file
from reference_impls.running.records import run_command, write_record
from reference_impls.running.registry import RESULTS, find_method, find_task

TOLERANCE = 0.01
"""How far a number may be from the record's when it is measured again with the same versions: see the design."""


@dataclass(frozen=True)
class Job:
    """One run: a method, a task and a seed, by name, so that another process can take it."""

    method: str
    task: str
    seed: int
    forget_share: float = 1.0
    requests: int = 1

    @property
    def path(self) -> Path:
        """Where its record belongs."""
        return RESULTS / record_file(self.task, "tiny", self.method, self.seed, self.forget_share, self.requests)

    @property
    def command(self) -> str:
        """What reproduces it."""
        return run_command(self.method, self.task, self.seed, self.forget_share, self.requests)


def plan(
    methods: Sequence[str], task: str, seeds: int, resume: bool, forget_share: float = 1.0, requests: int = 1
) -> list[Job]:
    """All runs in order; with ``resume``, those whose record is not there. A killed benchmark leaves whole records."""
    jobs = [Job(method, task, seed, forget_share, requests) for method in methods for seed in range(seeds)]
    return [job for job in jobs if not (resume and job.path.exists())]


def run_job(job: Job) -> None:
    """Run one job and write its record; what is not the whole forget set at once is measured, not attacked."""
    write_record(_measured(job), job.path)


def run_again(job: Job) -> dict[str, float]:
    """Run one job without writing anything; returns how far each of the record's numbers is from what comes out now.

    Numbers above 1 are compared relative to their size; one that does not come out any more is infinitely far. What is
    measured now and was not when the record was made is left out.

    Raises:
        OSError: there is no record.
    """
    committed, again = Result.model_validate_json(job.path.read_bytes()), _measured(job)
    before, after = committed.metrics | committed.attacks, again.metrics | again.attacks
    return {
        name: abs(value - after[name]) / max(1.0, abs(value)) if name in after else math.inf
        for name, value in sorted(before.items())
    }


def _measured(job: Job) -> Result:
    from reference_impls.quiet import silence_libraries
    from reference_impls.running.runner import run_method

    silence_libraries()
    outcome = run_method(
        find_method(job.method),
        find_task(job.task),
        seed=job.seed,
        forget_share=job.forget_share,
        requests=job.requests,
        attacks=is_plain(job.forget_share, job.requests),
        command=job.command,
    )
    return outcome.result
