"""What the searches for recipes have tried: every task's ``search.json``, as ``unlearn tune`` writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from catalog.base.manifest import found
from catalog.model.implementations import Implementation
from catalog.model.quantities import Finite, Setting, Whole
from catalog.model.results import EMBEDDED, read_json
from catalog.parsing.problems import Problem

Share = Annotated[Finite, Field(ge=0, le=1)]


class Trial(BaseModel):
    """One setting of a method that was tried: how it did, and what was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, Setting]
    score: Share
    """The harmonic mean of the next three; 0 where the run diverged, or where its steps ended what a rule of the
    method's own was to end."""
    closeness: Share | None = None
    """How near the retrained model it came, from the target's 0 to 1."""
    utility: Share | None = None
    """What is left of the target's."""
    sense: Share | None = None
    """How much sense its answers to forget questions make, beside the retrained model's."""
    stopped: Whole | None = None
    """After how many steps a rule of the method's own ended the training."""
    metrics: dict[str, Finite]
    again: Share | None = None
    """The score on another seed, of those that stood among the best: one seed may be lucky."""

    @property
    def standing(self) -> float:
        """The score, or the mean of both where it was run again."""
        return self.score if self.again is None else (self.score + self.again) / 2

    @property
    def kept(self) -> float:
        """What is left: of the utility, or of the sense of its answers where that is less."""
        return min(self.utility or 0.0, 1.0 if self.sense is None else self.sense)

    @property
    def timid(self) -> bool:
        """Whether it scored 0 for want of forgetting, and lost no more than half of the utility."""
        return self.closeness == 0 and (self.utility or 0.0) >= 0.5

    def is_published(self, method: Implementation) -> bool:
        """Whether every hyper-parameter is the default of the method's file, which is the published one."""
        return all(
            self.settings.get(hyperparameter.name, hyperparameter.default) == hyperparameter.default
            for hyperparameter in method.hyperparameters
        )


def winner(trials: Sequence[Trial]) -> Trial:
    """The one that becomes the recipe: of those that were run again, if there are any, the one that stands best."""
    return max([trial for trial in trials if trial.again is not None] or trials, key=lambda trial: trial.standing)


Trials = Mapping[tuple[str, str, str], Sequence[Trial]]
"""By task, model and method."""

_SEARCH: TypeAdapter[dict[str, list[Trial]]] = TypeAdapter(dict[str, list[Trial]])


def read_trials(reference_impls: Path, root: Path) -> tuple[Trials, list[Problem]]:
    """What every task's searches have tried, with the embedded model and with larger ones, with problems."""
    trials: dict[tuple[str, str, str], Sequence[Trial]] = {}
    problems: list[Problem] = []
    tasks = reference_impls / "tasks"
    for path in sorted([*found(tasks, "*/search.json"), *found(tasks, "*/*/search.json")]):
        folder, *larger = path.parent.relative_to(tasks).parts
        task, model = folder.replace("_", "-"), larger[0] if larger else EMBEDDED
        contents, wrong = read_json(path, path.relative_to(root).as_posix(), _SEARCH, "bad-search", "`unlearn tune`")
        problems += wrong
        trials |= {(task, model, method): rows for by_method in contents for method, rows in by_method.items()}
    return trials, problems
