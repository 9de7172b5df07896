"""The fair search: every method gets the same number of trials, scored alike, on a seed that no result uses.

What may be tried is data: ``search.yaml`` of the task. What was tried and what it gave is kept in ``search.json``, and
the winner becomes the method's recipe in ``recipes.yaml``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from catalog.base.files import write_whole
from catalog.model.implementations import Implementation
from reference_impls.errors import DivergedError, UsageError
from reference_impls.metrics.sets import harmonic_mean, mean
from reference_impls.progress import Progress
from reference_impls.running.experiment import Experiment
from reference_impls.running.parallel import run_all
from reference_impls.running.records import reference_results
from reference_impls.running.runner import run
from reference_impls.toolkit import Recipe, Task

RECIPE_FIELDS = frozenset(field.name for field in fields(Recipe))

HEADER = """\
# How each method is run on this task: written by `unlearn tune`, which gives every method the same number of trials.
# What was tried is in search.json; what may be tried, in search.yaml.
"""


def score(
    metrics: dict[str, float], target: dict[str, float], retrained: dict[str, float], forgetting: Sequence[str]
) -> float:
    """How well a run did, in [0, 1]: the harmonic mean of forgetting and of the utility that is left.

    Forgetting is the share of the way from the target to the retrained model, averaged over the task's metrics of
    ``forgetting``; going too far counts like not going far enough. Utility is relative to the target's.
    """
    closeness = [
        max(0.0, 1 - abs(metrics[name] - retrained[name]) / abs(target[name] - retrained[name])) for name in forgetting
    ]
    return harmonic_mean([mean(closeness), min(1.0, metrics["model_utility"] / target["model_utility"])])


def trials(search: dict[str, Any], method: str) -> list[dict[str, Any]]:
    """The settings to try for a method: every combination of its lists of values.

    Raises:
        UsageError: it is not as many as the budget.
    """
    space = search["methods"].get(method, search["default"])
    found = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    if len(found) != search["budget"]:
        raise UsageError(f"search.yaml gives {method} {len(found)} trials; the budget is {search['budget']} for all.")
    return found


@dataclass(frozen=True)
class Trial:
    """One setting of one method, to be tried in any process."""

    experiment: Experiment
    number: int
    """Which of the method's trials it is."""

    @classmethod
    def of(cls, method: str, task: str, seed: int, settings: dict[str, Any], number: int = 0) -> Trial:
        """The trial of settings of which some belong to the recipe, and some to the method."""
        recipe, hyperparameters = _split(settings)
        typed = {name: str(value) for name, value in hyperparameters.items()}
        return cls(Experiment(method, task, seed, settings=typed, recipe=recipe), number)


def try_out(trial: Trial) -> dict[str, float]:
    """Run a trial; returns its metrics, none if it diverged."""
    from reference_impls.progress import silence_libraries

    silence_libraries()
    try:
        return run(trial.experiment, compared=False).result.metrics
    except DivergedError:
        return {}


def tune(task: Task, methods: Sequence[Implementation], progress: Progress) -> dict[str, dict[str, Any]]:
    """Search for each method, and write ``recipes.yaml`` and ``search.json`` of the task; returns the recipes.

    Both files are written as soon as a method's last trial has ended, so that a search that is stopped loses little.
    """
    search = yaml.safe_load((task.folder / "search.yaml").read_text(encoding="utf-8"))
    recipes = _read(task.folder / "recipes.yaml", yaml.safe_load)
    tried = _read(task.folder / "search.json", json.loads)
    target, retrained = (reference_results(task.name)[which].metrics for which in ("target", "retrained"))
    settings = {method.id: trials(search, method.id) for method in methods}
    jobs = [
        Trial.of(name, task.name, search["seed"], search["fixed"] | one, number)
        for name, tries in settings.items()
        for number, one in enumerate(tries)
    ]
    measured: dict[str, dict[int, dict[str, float]]] = {name: {} for name in settings}

    def done(trial: Trial, metrics: dict[str, float]) -> None:
        method = trial.experiment.method
        own, tries = measured[method], settings[method]
        own[trial.number] = metrics
        count = sum(map(len, measured.values()))
        progress(f"{count}/{len(jobs)} trials, last of {method}", count, len(jobs))
        if len(own) == len(tries):
            rows = [row(one, own[number]) for number, one in enumerate(tries)]
            recipe, hyperparameters = _split(search["fixed"] | max(rows, key=lambda row: row["score"])["settings"])
            recipes[method] = recipe | {"hyperparameters": hyperparameters}
            tried[method] = rows
            write_whole(task.folder / "search.json", json.dumps(dict(sorted(tried.items())), indent=1) + "\n")
            write_whole(task.folder / "recipes.yaml", HEADER + yaml.safe_dump(recipes, sort_keys=True))

    def row(one: dict[str, Any], metrics: dict[str, float]) -> dict[str, Any]:
        reached = score(metrics, target, retrained, task.forgetting) if metrics else 0.0
        return {"settings": one, "score": reached, "metrics": metrics}

    run_all(try_out, jobs, done)
    return recipes


def _split(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What belongs to the training recipe, and what to the method."""
    recipe = {name: value for name, value in settings.items() if name in RECIPE_FIELDS}
    return recipe, {name: value for name, value in settings.items() if name not in RECIPE_FIELDS}


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    return dict(parse(path.read_text(encoding="utf-8"))) if path.exists() else {}
