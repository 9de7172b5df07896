"""The fair search: every method gets the same number of trials, along the same kind of axes, scored alike.

It runs on seeds that no result uses: on one of them all trials, on the next those again that did best, for one seed may
be lucky. What may be tried is data: ``search.yaml`` of the task, and the knob that a
method's file names. What was tried and what it gave is kept in ``search.json``, and the winner becomes the method's
recipe in ``recipes.yaml``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from catalog.base.files import write_whole
from catalog.model.implementations import Implementation
from catalog.model.results import EMBEDDED
from catalog.model.trials import Trial, winner
from reference_impls.errors import DivergedError, UsageError
from reference_impls.metrics.sets import harmonic_mean, mean
from reference_impls.progress import Progress, silence_libraries
from reference_impls.running.experiment import Experiment
from reference_impls.running.parallel import run_all
from reference_impls.running.records import reference_results
from reference_impls.running.registry import configure, find_method, find_task
from reference_impls.running.runner import run
from reference_impls.running.search_space import Point, Space
from reference_impls.toolkit import Recipe, Task

RECIPE_FIELDS = frozenset(field.name for field in fields(Recipe))
SENSE = "forget_sense"

HEADER = """\
# How each method is run on this task: written by `unlearn tune`, which gives every method the same number of trials.
# What was tried is in search.json; what may be tried, in search.yaml.
"""


@dataclass(frozen=True)
class Score:
    """How well a run did, each in [0, 1]."""

    closeness: float
    """The share of the way from the target to the retrained model, averaged over the task's metrics of forgetting;
    going too far counts like not going far enough."""
    utility: float
    """What is left of the target's."""
    sense: float
    """Of what it writes to forget questions, relative to the retrained model's; 1 where that was not measured."""

    @property
    def score(self) -> float:
        """The harmonic mean of the three: none can make up for another."""
        return harmonic_mean([self.closeness, self.utility, self.sense])

    @classmethod
    def of(
        cls,
        metrics: Mapping[str, float],
        target: Mapping[str, float],
        retrained: Mapping[str, float],
        forgetting: Sequence[str],
    ) -> Score:
        """The score of a run's metrics, against those of both references."""
        closeness = [
            max(0.0, 1 - abs(metrics[name] - retrained[name]) / abs(target[name] - retrained[name]))
            for name in forgetting
        ]
        utility = min(1.0, metrics["model_utility"] / target["model_utility"])
        measured = SENSE in metrics and SENSE in retrained
        return cls(mean(closeness), utility, min(1.0, metrics[SENSE] / retrained[SENSE]) if measured else 1.0)


@dataclass(frozen=True)
class Search:
    """The search for one method's recipe on one task, to be made in any process."""

    method: str
    task: str
    content: Mapping[str, Any]
    """Of the task's ``search.yaml``."""
    model: str | None = None
    """One that ships with the task; the embedded one by default."""

    def experiment(self, settings: Mapping[str, Any], *, again: bool = False) -> Experiment:
        """The run of settings of which some belong to the recipe, and some to the method.

        What they do not name is as published, and not as the recipe of an earlier search had it. With ``again``, it is
        on the next seed.
        """
        recipe, chosen = split(settings)
        published = {
            hyperparameter.name: hyperparameter.default for hyperparameter in find_method(self.method).hyperparameters
        }
        typed = {name: str(value) for name, value in (published | chosen).items()}
        seed = self.content["seed"] + again
        return Experiment(self.method, self.task, seed, settings=typed, recipe=recipe, model=self.model)


def search(job: Search) -> list[Trial]:
    """All trials of one method, one after another: the scan, the published settings, the walk, and the best again."""
    silence_libraries()
    method = find_method(job.method)
    space = Space.of(job.content, method)
    scores: dict[Point, float] = {}
    timid: set[Point] = set()
    trials: list[Trial] = []

    def attempt(settings: dict[str, Any], point: Point | None) -> None:
        trial = try_out(job, method, settings)
        trials.append(trial)
        if point is not None:
            scores[point] = trial.score
            if trial.timid:
                timid.add(point)

    for point in space.scan():
        attempt(space.settings(point), point)
    best = max(scores, key=lambda point: scores[point])
    if not any(trial.is_published(method) for trial in trials):
        published = space.published(best[0], method)
        with suppress(UsageError):  # what suits a paper's data need not suit the task's, such as texts of many words
            attempt(published, space.point(published, method))
    while len(trials) < job.content["budget"]:
        following = space.towards(scores, lambda settings: takes(method, settings), timid)
        if following is None:
            break
        attempt(space.settings(following), following)
    return look_again(job, trials)


def look_again(job: Search, trials: Sequence[Trial]) -> list[Trial]:
    """The same trials, of which the best was run on a second seed, and the next where it then stands better, and so on.

    At most as many as the task's ``search.yaml`` says under ``again``.
    """
    silence_libraries()
    method = find_method(job.method)
    seen = list(trials)
    for _ in range(job.content.get("again", 0)):
        best = max(range(len(seen)), key=lambda number: seen[number].standing)
        if seen[best].again is not None or not seen[best].score:
            break
        second = try_out(job, method, seen[best].settings, again=True)
        seen[best] = seen[best].model_copy(update={"again": second.score})
    return seen


def try_out(job: Search, method: Implementation, settings: Mapping[str, Any], *, again: bool = False) -> Trial:
    """One trial. Its score is 0 if it diverged, or if the steps ended it where a rule of the method's own was to."""
    task = find_task(job.task, model=job.model)
    references = reference_results(job.task, task.model)
    target, retrained = (references[which].metrics for which in ("target", "retrained"))
    try:
        result = run(job.experiment(settings, again=again), task).result
    except DivergedError:
        return Trial(settings=dict(settings), score=0.0, metrics={})
    # Records of the references that are older than a metric do not hold it.
    forgetting = [name for name in task.forgetting if name in target and name in retrained]
    score = Score.of(result.metrics, target, retrained, forgetting)
    counts = not method.stops_itself or result.stopped is not None
    return Trial(
        settings=dict(settings),
        score=score.score if counts else 0.0,
        **asdict(score),
        stopped=result.stopped,
        metrics=result.metrics,
    )


def tune(
    task: Task,
    methods: Sequence[Implementation],
    progress: Progress,
    workers: int | None = None,
    *,
    again: bool = False,
) -> dict[str, dict[str, Any]]:
    """Search for each method, and write ``recipes.yaml`` and ``search.json`` of the task; returns the recipes.

    With ``again`` no setting is tried that is not on record: the best of those are looked at again. Both files are
    written as soon as a method's last trial has ended, so that a search that is stopped loses little.
    """
    content = yaml.safe_load((task.folder / "search.yaml").read_text(encoding="utf-8"))
    recipes = _read(task.folder / "recipes.yaml", yaml.safe_load)
    tried = _read(task.folder / "search.json", json.loads)
    model = None if task.model == EMBEDDED else task.model
    jobs = [Search(method.id, task.name, content, model) for method in methods]
    if again and (missing := [job.method for job in jobs if job.method not in tried]):
        raise UsageError(f"No trials of {', '.join(missing)} are on record for {task.name}: search without --again.")
    done: list[str] = []

    def finished(job: Search, trials: list[Trial]) -> None:
        done.append(job.method)
        progress(f"{len(done)}/{len(jobs)} methods, last {job.method}", len(done), len(jobs))
        recipe, hyperparameters = split(winner(trials).settings)
        recipes[job.method] = recipe | {"hyperparameters": hyperparameters}
        tried[job.method] = [trial.model_dump(exclude_none=True) for trial in trials]
        write_whole(task.folder / "search.json", json.dumps(dict(sorted(tried.items())), indent=1) + "\n")
        write_whole(task.folder / "recipes.yaml", HEADER + yaml.safe_dump(recipes, sort_keys=True))

    progress(f"0/{len(jobs)} methods", 0, len(jobs))
    on_record = {method: [Trial(**row) for row in rows] for method, rows in tried.items()}
    run_all(partial(_again, on_record) if again else search, jobs, finished, workers)
    return recipes


def _again(on_record: Mapping[str, Sequence[Trial]], job: Search) -> list[Trial]:
    return look_again(job, on_record[job.method])


def takes(method: Implementation, settings: Mapping[str, Any]) -> bool:
    """Whether a recipe and a method may have these settings."""
    recipe, hyperparameters = split(settings)
    try:
        Recipe(**recipe)
        configure(method, {}, hyperparameters)
    except UsageError:
        return False
    return True


def split(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What belongs to the training recipe, and what to the method."""
    recipe = {name: value for name, value in settings.items() if name in RECIPE_FIELDS}
    return recipe, {name: value for name, value in settings.items() if name not in RECIPE_FIELDS}


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    return dict(parse(path.read_text(encoding="utf-8"))) if path.exists() else {}
