"""A search for a recipe on a model and data of one's own, judged by a part of what must stay that is never trained on.

There is no retrained model to come near to. So what is asked of a trial is how far the forget set has gone, on the way
from what the model knew to what it knows of a holdout set (or to nothing, where there is none), and how much is left of
the part of the retain set that was held back. All of the forget set is trained on, as it will be in the end.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from catalog.model.implementations import Implementation
from reference_impls.errors import DivergedError, UsageError
from reference_impls.metrics.sets import harmonic_mean, mean
from reference_impls.models.pretrained import load_pretrained
from reference_impls.progress import Progress
from reference_impls.running.experiment import Experiment, check_use
from reference_impls.running.recipes import chosen
from reference_impls.running.registry import DEFAULT_TASK, search_of
from reference_impls.running.runner import run
from reference_impls.running.search_space import LEARNING_RATE, STEPS, Axis, Point, Space
from reference_impls.running.tuning import split, takes
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Splits, Task

SHARE = 5
"""One of so many subjects of the retain set is held back."""
STEP = 4
"""How far apart the learning rates are that are tried first."""
SEED = 1000
"""Of the trials; a result uses another."""
FORGOTTEN = {"forget_probability": "holdout_probability", "forget_rouge": "holdout_rouge"}
"""What should go, each with what it should come to."""
KEPT = ("retain_probability", "retain_rouge")


class Trial(BaseModel):
    """One setting of one method, and what came of it."""

    model_config = ConfigDict(frozen=True)

    method: str
    settings: dict[str, Any]
    forgets: float = 0.0
    """How far the forget set has gone, from 0 to 1, where it is as unknown as it should be; beyond counts less."""
    keeps: float = 0.0
    """What is left of the part that was held back, from 0 to 1."""
    score: float = 0.0
    """The harmonic mean of both; 0 where training diverged."""
    seconds: float = 0.0
    """Of unlearning."""
    forward_passes: int = 0
    backward_passes: int = 0
    metrics: dict[str, float] = {}


class Found(BaseModel):
    """All that a search tried, what it cost, and the command for its best."""

    model_config = ConfigDict(frozen=True)

    trials: tuple[Trial, ...]
    best: Trial
    command: str
    seconds: float
    """Of everything: loading, unlearning and measuring."""
    held_back: int
    """How many pairs of the retain set were never trained on, but measured."""
    trained_on: int
    left_out: dict[str, str]
    """Methods that could not be tried, with the reason."""
    ended_early: bool
    """Whether the time was over before all trials were made."""

    @property
    def forward_passes(self) -> int:
        """Sequences that went forward while models unlearned."""
        return sum(trial.forward_passes for trial in self.trials)

    @property
    def backward_passes(self) -> int:
        """Sequences that went backward."""
        return sum(trial.backward_passes for trial in self.trials)


@dataclass(frozen=True)
class Budget:
    """How much may be tried."""

    trials: int = 6
    """Of each method."""
    minutes: float | None = None
    """After so long no further trial begins."""


@dataclass
class Validation(Task):
    """A task of own files with a part of its retain set held back: never trained on, and asked instead of the rest."""

    whole: Task
    held_back: int = field(init=False, default=0)
    trained_on: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.name, self.max_new_tokens = self.whole.name, self.whole.max_new_tokens

    def splits(self, model: LanguageModel) -> Splits:
        """The data, of which a fifth of the subjects to keep is only asked about.

        Raises:
            UsageError: what must stay is about one subject alone.
        """
        splits = self.whole.splits(model)
        self.notes = self.whole.notes
        trained, held = hold_back(splits.retain)
        self.trained_on, self.held_back = len(trained), len(held)
        return replace(splits, retain=trained, retain_probe=held)


def hold_back(pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """What is trained on, and what is held back: one of five subjects, drawn once for all, at least one of each.

    What is said of one subject stays together; pairs that name none are each about their own.

    Raises:
        UsageError: they are about one subject alone.
    """
    about = [pair.about for pair in pairs]
    subjects = sorted(set(about))
    if len(subjects) < 2:
        raise UsageError(
            "--retain: all rows are about one subject, so that none can be held back to judge by. Add others."
        )
    random.Random("validation").shuffle(subjects)
    held = set(subjects[: max(1, len(subjects) // SHARE)])
    trained = tuple(pair for pair, subject in zip(pairs, about, strict=True) if subject not in held)
    return trained, tuple(pair for pair, subject in zip(pairs, about, strict=True) if subject in held)


def space_of(method: Implementation, recipe: Recipe, hyperparameters: Mapping[str, Any]) -> Space:
    """Where a method's search goes on a model of one's own: around what was published for it.

    Args:
        method: whose.
        recipe: what it is run with where nobody says otherwise.
        hyperparameters: those that a recipe brings.
    """
    axis = search_of(DEFAULT_TASK).get("methods", {}).get(method.id, {})
    if axis.get("axis", LEARNING_RATE) != LEARNING_RATE:  # nothing is trained
        return Space(Axis(axis["axis"], tuple(axis["rate"])), None, None, {})
    rate = Axis(LEARNING_RATE, tuple(float(f"{recipe.learning_rate * STEP**power:.2g}") for power in (-1, 0, 1)))
    if method.knob is not None:
        start = hyperparameters.get(method.knob.name, method.knob.default)
        knob = Axis(method.knob.name, tuple(sorted({*method.knob.trade_off, start})))
        return Space(rate, knob, start, {STEPS: recipe.steps})
    if method.stops_itself:
        return Space(rate, None, None, {STEPS: recipe.steps})
    steps = sorted({max(1, recipe.steps // 2), recipe.steps, 2 * recipe.steps})
    return Space(rate, Axis(STEPS, tuple(steps)), recipe.steps, {})


def in_turn(space: Space) -> list[Point]:
    """The first trials: what was published before what lies around it."""
    points = list(space.scan())
    middle = len(points) // 2
    return [points[middle], *points[:middle], *points[middle + 1 :]]


def judged(metrics: Mapping[str, float], before: Mapping[str, float]) -> tuple[float, float]:
    """How far a trial forgot, and how much it kept.

    Args:
        metrics: after unlearning.
        before: the same before, on the same data.

    Raises:
        UsageError: before unlearning, the forget set was known no better than the holdout set.
    """
    goals = {name: before.get(goal, 0.0) for name, goal in FORGOTTEN.items()}
    ways = {name: before[name] - goal for name, goal in goals.items() if before[name] > goal}
    if not ways:
        raise UsageError(
            "The model knows no more of the forget set than of what it never saw: there is nothing to forget."
        )
    forgets = mean([max(0.0, 1 - abs(metrics[name] - goals[name]) / way) for name, way in ways.items()])
    left = [min(1.0, metrics[name] / before[name]) for name in KEPT if before[name] > 0]
    if not left:
        raise UsageError("The model knows nothing of what was held back of --retain: what is kept cannot be told.")
    return forgets, mean(left)


@dataclass
class Search:
    """A search in progress."""

    like: Experiment
    """Any run on the model and data, from which all trials take what is not searched for."""
    task: Validation
    budget: Budget
    before: dict[str, float]
    """The metrics of the model before."""
    progress: Progress
    started: float
    trials: list[Trial] = field(init=False, default_factory=list)
    left_out: dict[str, str] = field(init=False, default_factory=dict)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self.started

    @property
    def over(self) -> bool:
        """Whether no further trial may begin."""
        return self.budget.minutes is not None and bool(self.trials) and self.seconds >= 60 * self.budget.minutes

    def method(self, method: Implementation, examples: int) -> None:
        """All trials of one method."""
        from_whom = chosen(self.task.name, method, shipped=None)
        space = space_of(method, from_whom.recipe({}, examples), from_whom.hyperparameters)
        scores: dict[Point, float] = {}

        waiting = in_turn(space)
        for number in range(self.budget.trials):
            point = waiting.pop(0) if waiting else space.towards(scores, lambda settings: takes(method, settings))
            if point is None or self.over:
                return
            self.progress(f"{method.id}: trial {number + 1} of {self.budget.trials}", number, self.budget.trials)
            try:
                trial = self._try(method, space.settings(point))
            except UsageError as error:  # of the model or of the data: what others found must not be lost
                self.left_out[method.id] = str(error)
                return
            scores[point] = trial.score
            self.trials.append(trial)

    def _try(self, method: Implementation, settings: Mapping[str, Any]) -> Trial:
        try:
            outcome = run(self.experiment(method, settings, SEED), self.task, compared=False, before=self.before)
        except DivergedError:
            return Trial(method=method.id, settings=dict(settings))
        result = outcome.result
        forgets, keeps = judged(result.metrics, self.before)
        return Trial(
            method=method.id,
            settings=dict(settings),
            forgets=forgets,
            keeps=keeps,
            score=harmonic_mean([forgets, keeps]),
            seconds=result.seconds,
            forward_passes=result.forward_passes,
            backward_passes=result.backward_passes,
            metrics=result.metrics,
        )

    def experiment(self, method: Implementation, settings: Mapping[str, Any], seed: int) -> Experiment:
        """The run of some settings."""
        recipe, own = split(settings)
        return self.like.by(method, seed, settings={name: str(value) for name, value in own.items()}, recipe=recipe)


def tune_own(
    like: Experiment, task: Task, methods: Sequence[Implementation], budget: Budget, progress: Progress
) -> Found:
    """Search for the best of some methods' settings on a model and data of one's own.

    Args:
        like: any run on that model, which is loaded anew for every trial, with the files of which the command at the
            end tells.
        task: what the files make.
        methods: which methods are tried.
        budget: how much may be tried.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        UsageError: the model cannot be loaded or does not know the forget set, no method can be tried or has a use
            for what was named, or nothing can be held back.
    """
    started = time.perf_counter()
    check_use(like, methods)
    validation = Validation(task)
    progress("evaluating the model before", 0, 1)
    assert like.model is not None
    loaded = load_pretrained(like.model, like.loading)
    splits = validation.splits(loaded)
    before = validation.evaluate(loaded, splits).metrics
    judged(before, before)
    examples = len(splits.forget)
    del loaded
    search = Search(like, validation, budget, before, progress, started)
    for method in methods:
        search.method(method, examples)
    if not search.trials:
        reasons = "; ".join(f"{name}: {why}" for name, why in search.left_out.items())
        raise UsageError(f"None of the methods can be tried on {like.model}: {reasons}")
    best = max(search.trials, key=lambda trial: trial.score)
    (winner,) = [method for method in methods if method.id == best.method]
    wanted = sum(budget.trials for method in methods if method.id not in search.left_out)
    return Found(
        trials=tuple(search.trials),
        best=best,
        command=search.experiment(winner, best.settings, 0).command,
        seconds=round(search.seconds, 2),
        held_back=search.task.held_back,
        trained_on=search.task.trained_on,
        left_out=search.left_out,
        ended_early=search.over and len(search.trials) < wanted,
    )
