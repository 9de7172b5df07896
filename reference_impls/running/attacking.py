"""Attacks tried on a model, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.model.implementations import Implementation
from reference_impls.errors import UsageError
from reference_impls.progress import Progress, silent
from reference_impls.running import registry

if TYPE_CHECKING:
    from reference_impls.toolkit import Knowledge, Splits, Task, UnlearnedModel


@dataclass(frozen=True)
class Attacks:
    """What attacks got out of a model, and why some of them got nothing."""

    found: dict[str, float] = field(default_factory=dict)
    """By measurement: mostly what the attacked model knows of the forget set."""
    left_out: dict[str, str] = field(default_factory=dict)
    """By the title of an attack, why it was not tried or gave no number."""


def attack_each(
    model: UnlearnedModel,
    task: Task,
    splits: Splits,
    seed: int,
    progress: Progress = silent,
    chosen: Sequence[Implementation] | None = None,
    reference: UnlearnedModel | None = None,
    knowledge: Knowledge | None = None,
) -> Attacks:
    """Try attacks (all by default) on a model. One that does not apply to it, or fails, takes no other with it.

    ``reference`` is a model that never saw the forget set, for attackers who have one; ``knowledge`` is how what is
    known is measured, by default as the task does.
    """
    from reference_impls.toolkit import NotApplicableError, Recipe, Run, Victim

    victim = Victim(model, splits, knowledge or task.knowledge, reference)
    tried = Attacks()
    for attack in registry.attacks() if chosen is None else chosen:
        progress(f"attack: {attack.title}", 0, 1)
        try:
            tried.found.update(registry.attack_class(attack)().measure(victim, Run(Recipe(), seed, progress)))
        except (NotApplicableError, UsageError) as error:
            tried.left_out[attack.title] = str(error)
    return tried


def attack_all(
    model: UnlearnedModel,
    task: Task,
    splits: Splits,
    seed: int,
    progress: Progress = silent,
    chosen: Sequence[Implementation] | None = None,
    reference: UnlearnedModel | None = None,
) -> dict[str, float]:
    """What :func:`attack_each` found, for those who need no reasons."""
    return attack_each(model, task, splits, seed, progress, chosen, reference).found
