"""Attacks tried on a model, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from catalog.model.implementations import Implementation
from reference_impls.progress import Progress, silent
from reference_impls.running import registry

if TYPE_CHECKING:
    from reference_impls.toolkit import Splits, Task, UnlearnedModel


def attack_all(
    model: UnlearnedModel,
    task: Task,
    splits: Splits,
    seed: int,
    progress: Progress = silent,
    chosen: Sequence[Implementation] | None = None,
    reference: UnlearnedModel | None = None,
) -> dict[str, float]:
    """What attacks (all by default) get out of a model, by measurement: mostly what it then knows of the forget set.

    ``reference`` is a model that never saw the forget set, for attackers who have one.
    """
    from reference_impls.toolkit import NotApplicableError, Recipe, Run, Victim

    victim = Victim(model, splits, task.knowledge, reference)
    found: dict[str, float] = {}
    for one in registry.attacks() if chosen is None else chosen:
        progress(f"attack: {one.title}", 0, 1)
        with suppress(NotApplicableError):
            found |= registry.attack_class(one)().measure(victim, Run(Recipe(), seed, progress))
    return found
