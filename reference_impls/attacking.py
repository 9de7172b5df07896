"""Attacks tried on a model, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.implementations import Implementation
from reference_impls import registry
from reference_impls.errors import UsageError
from reference_impls.measure import one_thread
from reference_impls.progress import Progress, silent
from reference_impls.records import reference_results

if TYPE_CHECKING:
    from reference_impls.language_model import UnlearnedModel
    from reference_impls.splits import Splits
    from reference_impls.tasks import Task


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
    from reference_impls.attack import NotApplicableError, Victim
    from reference_impls.training import Recipe, Run

    victim = Victim(model, splits, task.knowledge, reference)
    found: dict[str, float] = {}
    for one in registry.attacks() if chosen is None else chosen:
        progress(f"attack: {one.title}", 0, 1)
        with suppress(NotApplicableError):
            found |= registry.attack_class(one)().measure(victim, Run(Recipe(), seed, progress))
    return found


@dataclass(frozen=True)
class Attacked:
    """What attacks got out of a saved model, and out of the task's own models."""

    known: float
    """What the model knows of the forget set when it is just asked."""
    attacks: dict[str, float]
    references: dict[str, dict[str, float]]
    """The same attacks on the task's target and retrained models, if it ships any."""


def attack_saved(source: str, task: Task, chosen: Sequence[Implementation], seed: int, progress: Progress) -> Attacked:
    """Attack a model that was saved, with what its method put around the weights.

    Raises:
        UsageError: the model cannot be loaded.
    """
    from reference_impls.language_model import weights_of
    from reference_impls.saving import load

    progress("loading", 0, 1)
    one_thread()
    model = load(source)
    weights = weights_of(model)
    if weights is None:
        raise UsageError(f"{source} holds no language model, so that it cannot be asked.")
    splits = task.splits(weights)
    known = task.knowledge(model, splits.forget)
    shipped = reference_results(task.name)
    reference = None
    if shipped:
        from reference_impls import checkpoints

        reference = checkpoints.load(task, "retrained")
    found = attack_all(model, task, splits, seed, progress, chosen, reference)
    references = {
        which: {name: value for name, value in record.attacks.items() if name in found}
        for which, record in shipped.items()
    }
    return Attacked(known, found, references)
