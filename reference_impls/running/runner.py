"""One run from a name to a record: load, unlearn, evaluate. What the command line and the benchmark share."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from catalog.model.implementations import Implementation
from catalog.model.results import Result
from reference_impls.errors import UsageError
from reference_impls.measuring.cost import count_passes, one_thread, peak_memory_bytes, versions
from reference_impls.progress import Progress, silent
from reference_impls.running.records import reference_results
from reference_impls.running.registry import configure, recipe_of

if TYPE_CHECKING:
    from reference_impls.measuring.yardstick import Yardstick
    from reference_impls.toolkit import LanguageModel, Method, Recipe, Splits, Task, Wrapper


@dataclass(frozen=True)
class Outcome:
    """What a run left: the unlearned model, its record, and the metrics to hold it against."""

    model: LanguageModel | Wrapper
    result: Result
    before: dict[str, float]
    """The target's metrics."""
    retrained: dict[str, float]
    """The retrained model's metrics, if the task has one."""


def run_method(
    method: Implementation,
    task: Task,
    *,
    model: str | None = None,
    seed: int = 0,
    settings: dict[str, str] | None = None,
    recipe: dict[str, Any] | None = None,
    forget_share: float = 1.0,
    requests: int = 1,
    compared: bool = True,
    attacks: bool = False,
    command: str = "",
    progress: Progress = silent,
) -> Outcome:
    """Unlearn a task with a method and measure it.

    Args:
        method: which method.
        task: what to forget and keep.
        model: a folder or hub name of a causal language model; the task's own target by default.
        seed: decides the order of batches and everything else that is drawn.
        settings: hyper-parameters as typed by a person.
        recipe: learning rate, steps and so on, over those of the task's recipe for this method.
        forget_share: how much of the forget set is to be forgotten (MUSE's scalability).
        requests: in how many requests, one after another (MUSE's sustainability); each is a run of its own.
        compared: compare with the retrained model itself, and not only with what its evaluation kept.
        attacks: try every attack on the unlearned model as well.
        command: what reproduces the run, for the record.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        UsageError: an unknown or impossible hyper-parameter, a model that cannot be loaded, or several requests to a
            method that leaves the weights alone.
    """
    chosen = recipe_of(task.name, method.id)
    configured = configure(method, settings or {}, chosen.get("hyperparameters", {}))
    progress("loading", 0, 1)
    base = _load(task, model)
    splits = task.splits(base)
    if forget_share < 1:
        splits = splits.part(0, forget_share)
    used = _recipe(chosen, recipe or {}, len(splits.forget), embedded=model is None)

    from reference_impls.running.attacking import attack_all

    progress("evaluating the model before", 0, 1)
    references = reference_results(task.name) if model is None else {}
    against = _yardstick(task, splits, references, whole=forget_share == 1, compared=compared)
    if references and forget_share == 1:
        before, retrained = references["target"].metrics, references["retrained"].metrics
    else:
        before = against.measure(base).metrics
        retrained = against.measure(against.retrained).metrics if against.retrained else {}
    stages: list[dict[str, float]] = []
    seconds = 0.0
    with count_passes(base.model) as passes:
        unlearned: Any = base
        for request in range(requests):
            asked = splits if requests == 1 else splits.part(request / requests, (request + 1) / requests)
            started = time.perf_counter()
            unlearned = _unlearn(configured, unlearned, asked, used, seed * requests + request, progress)
            seconds += time.perf_counter() - started
            if requests > 1:
                so_far = splits.part(0, (request + 1) / requests)
                progress(f"evaluating after request {request + 1}", request, requests)
                with passes.paused():
                    stages.append(task.evaluate(unlearned, so_far).metrics)
    progress("evaluating", 0, 1)
    evaluation = against.measure(unlearned)
    result = Result(
        method=method.id,
        task=task.name,
        model=model or "tiny",
        seed=seed,
        hyperparameters=asdict(configured),
        recipe=asdict(used),
        forget_share=forget_share,
        requests=requests,
        stages=tuple(stages),
        metrics=evaluation.metrics,
        attacks=attack_all(unlearned, task, splits, seed, progress, reference=against.retrained) if attacks else {},
        seconds=round(seconds, 2),
        peak_memory_bytes=peak_memory_bytes(),
        forward_passes=passes.forward,
        backward_passes=passes.backward,
        versions=versions(),
        command=command,
        examples=evaluation.examples,
    )
    return Outcome(unlearned, result, before, retrained)


def _yardstick(task: Task, splits: Splits, references: dict[str, Result], *, whole: bool, compared: bool) -> Yardstick:
    """What the unlearned model is held against: all that ships with the task, or as much as is wanted."""
    from reference_impls.measuring.yardstick import Yardstick
    from reference_impls.running import checkpoints

    if not references:
        return Yardstick(task, splits)
    kept = checkpoints.retrained_evaluation(task) if whole else None
    return checkpoints.yardstick(task, splits, kept) if compared else Yardstick(task, splits, kept=kept)


def _unlearn(
    method: Method, model: Any, splits: Splits, recipe: Recipe, seed: int, progress: Progress
) -> LanguageModel | Wrapper:
    from reference_impls.toolkit import LanguageModel, Run

    if not isinstance(model, LanguageModel):
        raise UsageError(
            "Several requests need a method that changes the weights; this one works around them, and would have to "
            "answer them together."
        )
    return method.unlearn(model, splits.data, Run(recipe, seed, progress))


def _load(task: Task, model: str | None) -> LanguageModel:
    if model is None:
        from reference_impls.running import checkpoints

        if not checkpoints.folder(task, "target").is_dir():
            raise UsageError(f"The task {task.name!r} ships no model; name one with --model DIR_OR_NAME.")
        one_thread()
        return checkpoints.load(task, "target")
    from reference_impls.models.pretrained import load_pretrained

    return load_pretrained(model)


def _recipe(chosen: dict[str, Any], given: dict[str, Any], forget: int, embedded: bool) -> Recipe:
    from reference_impls.toolkit import Recipe

    names = {field.name for field in fields(Recipe)}
    searched = {name: value for name, value in chosen.items() if name in names} if embedded else {}
    recipe = replace(Recipe(), **searched)
    if not embedded:
        # As TOFU does with a 7B model: five passes over the forget set.
        recipe = replace(recipe, steps=5 * -(-forget // (given.get("batch_size") or recipe.batch_size)))
    return replace(recipe, **{name: value for name, value in given.items() if value is not None})
