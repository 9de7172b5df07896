"""A model that was saved, by this project or another, held against a task: evaluated, or attacked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from pydantic import BaseModel, ConfigDict

from catalog.model.implementations import Implementation
from catalog.model.results import EMBEDDED, MADE_HERE, Example
from reference_impls import extensions
from reference_impls.errors import UsageError
from reference_impls.measuring.comparison import Yardstick
from reference_impls.measuring.cost import one_thread
from reference_impls.models.loading import Loading
from reference_impls.progress import Progress
from reference_impls.running import checkpoints
from reference_impls.running.attacking import attack_each
from reference_impls.running.notes import check_whole, cut
from reference_impls.running.records import reference_results
from reference_impls.running.registry import find_embedded, other_models
from reference_impls.running.saving import load
from reference_impls.toolkit import LanguageModel, Splits, Task, UnlearnedModel, weights_of


class Evaluated(BaseModel):
    """What a saved model measures on a task."""

    model_config = ConfigDict(frozen=True)

    model: str
    task: str
    metrics: dict[str, float]
    """Without those that compare with the retrained model where the two do not share a vocabulary."""
    references: dict[str, dict[str, float]]
    """The metrics of the task's target and retrained models, if it ships any."""
    examples: tuple[Example, ...]
    notes: tuple[str, ...] = ()
    """What one has to know besides, such as what of the data was cut."""


class Attacked(BaseModel):
    """What attacks got out of a saved model, and out of the task's own models."""

    model_config = ConfigDict(frozen=True)

    known: float
    """What the model knows of the forget set when it is just asked."""
    attacks: dict[str, float]
    references: dict[str, dict[str, float]]
    """The same attacks on the task's target and retrained models, if it ships any."""
    left_out: dict[str, str] = {}
    """By the title of an attack, why it gave no number."""
    notes: tuple[str, ...] = ()
    """What one has to know besides, such as what of the data was cut."""


def evaluate_saved(
    source: str | UnlearnedModel,
    task: Task,
    progress: Progress,
    loading: Loading | None = None,
    reference: str | None = None,
) -> Evaluated:
    """Measure a model, with what its method put around the weights: one that was saved, or one that is at hand.

    Args:
        source: the model, or its folder or name.
        task: on what.
        progress: called as ``progress(stage, done, total)``.
        loading: how models are loaded.
        reference: a model that was trained without the forget set, to compare with.

    Raises:
        UsageError: a model cannot be loaded.
        DivergedError: what it says are not numbers.
    """
    against_reference = None
    if reference is not None:
        progress("evaluating the reference", 0, 1)
        other, _, splits = _opened(reference, task, progress, loading)
        against_reference = task.evaluate(other, splits)
        del other
    model, weights, splits = _opened(source, task, progress, loading)
    task = _with_checkpoints_like(weights, task)
    shipped = reference_results(task.name, task.model)
    against = Yardstick(task, splits)
    if shipped:
        shipping = checkpoints.yardstick(task, splits, checkpoints.retrained_evaluation(task))
        if shipping.retrained and _share_vocabulary(weights, shipping.retrained):
            against = shipping
    references = {which: record.metrics for which, record in shipped.items()}
    if against_reference is not None:
        against = Yardstick(task, splits, kept=against_reference.kept)
        references = {"reference": against_reference.metrics}
    progress("evaluating", 0, 1)
    evaluation = against.measure(model)
    outside_metrics, failed = extensions.measure(model, splits, evaluation.metrics)
    return Evaluated(
        model=source if isinstance(source, str) else type(source).__name__,
        task=task.name,
        metrics=evaluation.metrics | outside_metrics,
        references=references,
        examples=evaluation.examples,
        notes=(*_notes(task, weights, splits), *failed),
    )


def attack_saved(
    source: str | UnlearnedModel,
    task: Task,
    chosen: Sequence[Implementation],
    seed: int,
    progress: Progress,
    loading: Loading | None = None,
) -> Attacked:
    """Attack a model, with what its method put around the weights: one that was saved, or one that is at hand.

    Raises:
        UsageError: the model cannot be loaded.
    """
    model, weights, splits = _opened(source, task, progress, loading)
    check_whole(task, splits)
    known = task.knowledge(model, splits.forget)
    task = _with_checkpoints_like(weights, task)
    shipped = reference_results(task.name, task.model)
    reference = checkpoints.load(task, "retrained") if shipped else None
    tried = attack_each(model, task, splits, seed, progress, chosen, reference)
    references = {
        which: {name: value for name, value in record.attacks.items() if name in tried.found}
        for which, record in shipped.items()
    }
    return Attacked(
        known=known,
        attacks=tried.found,
        references=references,
        left_out=tried.left_out,
        notes=_notes(task, weights, splits),
    )


def _notes(task: Task, weights: LanguageModel, splits: Splits) -> tuple[str, ...]:
    return (*weights.notes, *task.notes, *cut(weights, splits))


def _opened(
    source: str | UnlearnedModel, task: Task, progress: Progress, loading: Loading | None
) -> tuple[UnlearnedModel, LanguageModel, Splits]:
    """The model, the weights inside it, and the task's data in their format."""
    progress("loading", 0, 1)
    one_thread()
    model = load(source, loading) if isinstance(source, str) else source
    weights = weights_of(model)
    if weights is None:
        raise UsageError(f"{source} holds no language model, so that it cannot be asked.")
    return model, weights, task.splits(weights)


def _with_checkpoints_like(weights: LanguageModel, task: Task) -> Task:
    """The task with those of its checkpoints that are of the model's kind: of its architecture and its vocabulary.

    Where none are, those that share its vocabulary will do; and where none do, the task as it is. A larger model that
    cannot be had here is passed over.
    """
    if not checkpoints.ships(task) or task.model != EMBEDDED:
        return task
    shared: list[Task] = []
    for name in sorted([EMBEDDED, *other_models(task.name)], key=lambda name: (name not in MADE_HERE, name)):
        candidate = task if name == EMBEDDED else find_embedded(task.name, model=name)
        with suppress(UsageError):
            other = checkpoints.load(candidate, "target" if name in MADE_HERE else "base")
            if _share_vocabulary(weights, other):
                shared.append(candidate)
                if type(weights.model) is type(other.model):
                    return candidate
    return shared[0] if shared else task


def _share_vocabulary(model: LanguageModel, other: LanguageModel) -> bool:
    vocabulary: dict[str, int] = model.tokenizer.get_vocab()
    return bool(vocabulary == other.tokenizer.get_vocab())
