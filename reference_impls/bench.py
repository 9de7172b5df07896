"""Every method with several seeds, each record written as its run ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reference_impls.registry import RESULTS, find_method, find_task


@dataclass(frozen=True)
class Job:
    """One run: a method, a task and a seed, by name, so that another process can take it."""

    method: str
    task: str
    seed: int

    @property
    def path(self) -> Path:
        """Where its record belongs."""
        return RESULTS / self.task / "tiny" / f"{self.method}-{self.seed}.json"

    @property
    def command(self) -> str:
        """What reproduces it."""
        return f"unlearn run {self.method} --task {self.task} --seed {self.seed}"


def plan(methods: Sequence[str], task: str, seeds: int, resume: bool) -> list[Job]:
    """All runs in order; with ``resume``, those whose record is not there. A killed benchmark leaves whole records."""
    jobs = [Job(method, task, seed) for method in methods for seed in range(seeds)]
    return [job for job in jobs if not (resume and job.path.exists())]


def run_job(job: Job) -> None:
    """Run one job and write its record."""
    from reference_impls.quiet import silence_libraries
    from reference_impls.runner import run_method, write_record

    silence_libraries()
    outcome = run_method(find_method(job.method), find_task(job.task), seed=job.seed, attacks=True, command=job.command)
    write_record(outcome.result, job.path)
