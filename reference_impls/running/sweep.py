"""Methods times seeds on a model of one's own: each a run of its own, in another process or on a cluster.

A run leaves its record in a folder of its own, so that a sweep that was stopped, or sent to a cluster, goes on with
the same command: what is there is not run again.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.base.files import write_whole
from catalog.model.results import Result
from reference_impls.errors import UsageError
from reference_impls.progress import Progress, silence_libraries, silent
from reference_impls.running.experiment import Experiment
from reference_impls.running.parallel import run_all
from reference_impls.running.registry import find_method
from reference_impls.scaling import Scaling

BEFORE = "before.json"
"""What the runs are of, and the metrics of the model before, which are the same for all of them."""
RECORD = "result.json"
LOGS = "cluster"
"""The folder of what a cluster's jobs print."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep, to be made anywhere."""

    experiment: Experiment
    out: Path
    """The sweep's folder."""
    keep: bool = False
    """Whether the model is kept beside the record."""
    attacked: bool = False

    @property
    def folder(self) -> Path:
        """Where it leaves what it leaves."""
        return self.out / f"{self.experiment.method}-{self.experiment.seed}"

    @property
    def about(self) -> str:
        """Which model and data it is of, whatever the method: the command without what belongs to the one run."""
        same = replace(self.experiment, method="METHOD", seed=0, settings={}, recipe={}, scaling=Scaling())
        return replace(same, reference=None, earlier=None, autoencoders=()).command

    def before(self) -> dict[str, float] | None:
        """The metrics of the model before, if another run of the sweep has measured them.

        Raises:
            UsageError: the sweep's folder is of another model or of other data, or cannot be read.
        """
        path = self.out / BEFORE
        if not path.is_file():
            return None
        try:
            record = json.loads(path.read_bytes())
            about, metrics = record["about"], {name: float(value) for name, value in record["metrics"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UsageError(f"{path} cannot be read. Delete it: it is measured again.") from None
        if about != self.about:
            raise UsageError(f"{self.out} holds runs of something else: {about}. Name another folder.")
        return metrics

    def result(self) -> Result | None:
        """Its record, if it is there.

        Raises:
            UsageError: the folder holds the record of another run, one that cannot be read, or none of the model that
                was to be kept.
        """
        path = self.folder / RECORD
        if not path.is_file():
            return None
        try:
            result = Result.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise UsageError(f"{path} cannot be read: {str(error).splitlines()[0]}. Delete its folder.") from None
        if result.command != self.experiment.command:
            raise UsageError(
                f"{path} is of another run: {result.command}. Name another folder, or delete this run's to make it "
                "anew."
            )
        if self.keep and not (self.folder / "config.json").is_file():
            raise UsageError(f"{path} is of a run whose model was not kept. Delete {self.folder} to make it anew.")
        return result


def plan(experiments: Sequence[Experiment], out: Path, *, keep: bool, attacked: bool) -> list[Job]:
    """The jobs of a sweep.

    Raises:
        UsageError: the folder cannot be made, or holds other runs.
    """
    jobs = [Job(experiment, out, keep, attacked) for experiment in experiments]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UsageError(f"{out} cannot be written to: {error.strerror}. Name another folder.") from None
    for job in jobs:
        job.before()
        job.result()
    return jobs


def run_job(job: Job) -> str:
    """Make one run and leave its record; returns why there is none, or nothing."""
    silence_libraries()
    from reference_impls.running.runner import Outcome, run
    from reference_impls.running.saving import Keeper

    try:
        before = job.before()
        keeper = Keeper(job.folder, find_method(job.experiment.method)) if job.keep else None

        def kept(outcome: Outcome) -> None:
            if keeper:
                keeper.keep(outcome)

        outcome = run(job.experiment, attacked=job.attacked, before=before, keep=kept)
        if before is None:
            told = {"about": job.about, "metrics": outcome.before}
            write_whole(job.out / BEFORE, json.dumps(told, indent=1) + "\n")
        if keeper:
            keeper.update(outcome)
            keeper.check()
        else:
            write_whole(job.folder / RECORD, outcome.result.to_json())
    except UsageError as error:
        return str(error)
    return ""


def sweep(jobs: Sequence[Job], progress: Progress = silent, workers: int = 1) -> list[tuple[Job, str]]:
    """Make the runs whose record is not there; returns those that left none, and why."""
    missing = [job for job in jobs if job.result() is None]
    done: list[Job] = []

    def finished(job: Job, said: str) -> None:
        done.append(job)
        progress(f"{len(done)}/{len(missing)} runs, last {job.experiment.title}", len(done), len(missing))

    progress(f"0/{len(missing)} runs", 0, len(missing))
    said = run_all(run_job, missing, finished, workers)
    return [(job, why) for job, why in zip(missing, said, strict=True) if why]


def submit(jobs: Sequence[Job], cluster: str, settings: Mapping[str, str]) -> list[str]:
    """Give the runs whose record is not there to a cluster, through ``submitit``; returns the jobs' ids.

    Args:
        jobs: all of the sweep.
        cluster: ``slurm``, or ``local`` for processes that outlive this one.
        settings: what the cluster has to know, such as ``slurm_partition`` or ``timeout_min``.

    Raises:
        UsageError: the package is not there, or refuses.
    """
    try:
        import submitit
    except ImportError:
        raise UsageError(
            "A cluster takes a package to talk to: pip install 'llm-unlearning[cluster]'. Without --cluster, runs are "
            "processes of this machine."
        ) from None
    missing = [job for job in jobs if job.result() is None]
    if not missing:
        return []
    try:
        executor = submitit.AutoExecutor(folder=jobs[0].out / LOGS, cluster=cluster)
        executor.update_parameters(name="unlearn-sweep", **{name: _number(text) for name, text in settings.items()})
        return [str(job.job_id) for job in executor.map_array(run_job, missing)]
    except (ValueError, RuntimeError, NameError, AssertionError, OSError, submitit.core.utils.FailedJobError) as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UsageError(f"The cluster {cluster!r} does not take the runs: {reason}") from None


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
