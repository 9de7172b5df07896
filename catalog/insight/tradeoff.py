"""Forgetting against what is kept: not the one setting that the search chose, but all that it tried.

A single setting can be lucky, or the wrong end of a trade that a reader would make otherwise. What a method can do is
the curve of its trials: for each nearness to the retrained model, the most utility that it left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.figures import Attempt
from catalog.model.catalog import Catalog
from catalog.model.implementations import Implementation
from catalog.model.results import EMBEDDED
from catalog.model.trials import Trial, winner


@dataclass(frozen=True)
class Tradeoff:
    """What the search for one method's recipe on one task has seen."""

    task: str
    method: Implementation
    trials: tuple[Trial, ...]
    """In the order in which they were tried; those that measured something."""

    @property
    def best(self) -> Trial:
        """The winner, which is the recipe."""
        return winner(self.trials)

    @property
    def published(self) -> Trial | None:
        """The best of those with every hyper-parameter as published; only the learning rate is this task's."""
        trials = [trial for trial in self.trials if self.is_published(trial)]
        return max(trials, key=lambda trial: trial.score, default=None)

    def is_published(self, trial: Trial) -> bool:
        """See :meth:`~catalog.model.trials.Trial.is_published`."""
        return trial.is_published(self.method)

    @property
    def area(self) -> float:
        """How much of the square below the ideal the curve takes, in [0, 1]: see :func:`area_below`."""
        return area_below(_places(self.trials))

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The trials as marks of a figure."""
        return tuple(
            Attempt(_in_words(trial), closeness, utility, trial is self.best, self.is_published(trial))
            for trial, (closeness, utility) in zip(self.trials, _places(self.trials), strict=True)
        )


def tradeoffs(catalog: Catalog, task: str, model: str = EMBEDDED) -> tuple[Tradeoff, ...]:
    """Of every method that a search was made for on a task with a model, the largest area first."""
    searches = (tradeoff(catalog, task, method, model) for method in catalog.methods)
    return tuple(
        sorted(
            (search for search in searches if search), key=lambda search: (-search.area, search.method.name.casefold())
        )
    )


def tradeoff(catalog: Catalog, task: str, method: Implementation, model: str = EMBEDDED) -> Tradeoff | None:
    """Of one method; None where its trials were not measured this way."""
    tried = catalog.trials.get((task, model, method.id), ())
    trials = tuple(trial for trial in tried if trial.closeness is not None)
    return Tradeoff(task, method, trials) if trials else None


def front(places: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The places that no other one beats in both numbers, by the first, ascending."""
    edge: list[tuple[float, float]] = []
    for across, up in sorted(set(places), reverse=True):
        if not edge or up > edge[-1][1]:
            edge.append((across, up))
    return edge[::-1]


def area_below(places: Iterable[tuple[float, float]]) -> float:
    """The area of what some place of [0, 1] x [0, 1] beats in both numbers, known as hypervolume, in [0, 1].

    1: one of the places is (1, 1), the retrained model. A setting that forgets nothing, or keeps nothing, adds nothing.
    """
    total, before = 0.0, 0.0
    for across, up in front(places):
        total += (across - before) * up
        before = across
    return total


def _places(trials: Sequence[Trial]) -> list[tuple[float, float]]:
    return [(trial.closeness or 0.0, trial.kept) for trial in trials]


def _in_words(trial: Trial) -> str:
    fixed = ("steps", "batch_size")
    settings = {name: value for name, value in trial.settings.items() if name not in fixed} or trial.settings
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
