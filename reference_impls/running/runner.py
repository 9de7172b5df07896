"""One run, from an experiment to its record: prepare, unlearn, measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.model.results import EMBEDDED, EXPERTS, Result
from reference_impls import extensions
from reference_impls.errors import UsageError
from reference_impls.measuring.cost import Passes, count_passes, peak_memory_bytes, versions
from reference_impls.progress import Progress, silent
from reference_impls.running import fitting
from reference_impls.running.experiment import Experiment
from reference_impls.running.recipes import chosen
from reference_impls.running.records import reference_results
from reference_impls.running.registry import DEFAULT_TASK, configure, find_method, ships, tasks
from reference_impls.scaling import Scaling

if TYPE_CHECKING:
    from reference_impls.measuring.comparison import Yardstick
    from reference_impls.toolkit import Evaluation, LanguageModel, Method, Recipe, Splits, Task, Wrapper
    from reference_impls.toolkit.adapters import Adapter
    from reference_impls.toolkit.savepoints import Savepoints


@dataclass(frozen=True)
class Outcome:
    """What a run left: the unlearned model, its record, and the metrics to hold it against."""

    model: LanguageModel | Wrapper
    result: Result
    before: dict[str, float]
    """The target's metrics."""
    retrained: dict[str, float]
    """The retrained model's metrics, if the task has one."""
    left_out: dict[str, str] = field(default_factory=dict)
    """By the title of an attack, why it gave no number."""
    adapter: Adapter | None = None
    """What was trained in the model's place and merged into it, if anything was."""


@dataclass(frozen=True)
class _Prepared:
    """All that a run needs before its first step."""

    method: Method
    recipe: Recipe
    source: str
    """Who says so; empty for the embedded model's own."""
    model: LanguageModel
    yardstick: Yardstick
    reference: Evaluation | None
    """Of a model of one's own that was trained without the forget set."""
    notes: tuple[str, ...]
    savepoints: Savepoints | None
    earlier: Callable[[], LanguageModel] | None
    """Loads the model as it was before it met what is to be forgotten, if the method needs that."""


@dataclass(frozen=True)
class _Unlearned:
    """What unlearning left, and what it cost."""

    model: Any
    stages: tuple[dict[str, float], ...]
    """Metrics after each request, if there are several."""
    seconds: float
    passes: Passes
    notes: tuple[str, ...]
    """What the method said of what it left."""
    stopped: int | None
    """After how many steps a rule of the method's own ended the (last) training."""
    adapter: Adapter | None
    """See :attr:`Outcome.adapter`."""


def run(
    experiment: Experiment,
    task: Task | None = None,
    *,
    compared: bool = True,
    attacked: bool = False,
    before: dict[str, float] | None = None,
    progress: Progress = silent,
    keep: Callable[[Outcome], None] = lambda outcome: None,
    checkpoints: Path | None = None,
) -> Outcome:
    """Unlearn a task with a method and measure it.

    Args:
        experiment: what to run.
        task: the experiment's task, if it has been loaded already.
        compared: compare with the retrained model itself, and not only with what its evaluation kept.
        attacked: try every attack on the unlearned model as well.
        before: the metrics of the model before, if somebody measured them already.
        progress: called as ``progress(stage, done, total)``.
        keep: called with the outcome before anybody attacks the model, so that an attack takes nothing with it.
        checkpoints: the folder of the states of training, where those are kept.

    Raises:
        UsageError: an unknown name, an impossible hyper-parameter, a model that cannot be loaded or that the method
            does not know, more requests than there are subjects, several to a method that leaves the weights alone, or
            a way of training that does not go with the method or the model.
    """
    prepared = _prepare(experiment, task or experiment.load_task(), compared, progress, checkpoints)
    before, retrained = _measure_before(experiment, prepared, progress, before)
    unlearned = _unlearn(experiment, prepared, progress)
    prepared.model.round_as_stored()
    result = _measure(experiment, prepared, unlearned, progress)
    outcome = Outcome(unlearned.model, result, before, retrained, adapter=unlearned.adapter)
    keep(outcome)
    return _attack(outcome, prepared.yardstick, progress) if attacked else outcome


def unlearn(
    experiment: Experiment,
    task: Task | None = None,
    *,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> LanguageModel | Wrapper:
    """Unlearn a task with a method, for somebody who wants the model and no numbers.

    Raises:
        UsageError: as :func:`run`.
    """
    prepared = _prepare(experiment, task or experiment.load_task(), False, progress, checkpoints)
    model: LanguageModel | Wrapper = _unlearn(experiment, prepared, progress).model
    return model


def _prepare(
    experiment: Experiment, task: Task, compared: bool, progress: Progress, checkpoints: Path | None
) -> _Prepared:
    """Configure the method, then load the model and the data."""
    shipped = None if experiment.own_model else task.model
    recipe = chosen(task.name, find_method(experiment.method), shipped=shipped)
    method = configure(find_method(experiment.method), experiment.settings, recipe.hyperparameters)
    if experiment.requests > 1 and method.wraps() and not method.continues:
        raise UsageError(
            f"{experiment.requests} requests need a method that changes the weights; {experiment.method} works around "
            "them, and would have to answer all requests together. Leave --requests out."
        )
    if experiment.data and experiment.data.retain is None and method.retain == "needed":
        raise UsageError(
            f"{find_method(experiment.method).name} needs examples of what must stay: give them with --retain FILE. "
            "`unlearn plan --retain no` lists the methods that do without."
        )
    fitting.check_method(method, find_method(experiment.method).name, experiment.scaling, experiment.requests)
    earlier = _earlier(experiment, task, method)
    if experiment.autoencoders and not method.reads_features:
        raise UsageError(f"{find_method(experiment.method).name} reads no features; leave --autoencoder out.")
    from reference_impls.running.notes import check_whole

    progress("loading", 0, 1)
    _check_support(experiment, task, method)
    reference = _reference(experiment, task, progress) if experiment.reference else None
    model = _load(task, experiment, method)
    splits, whole = _splits(task, model, experiment), experiment.forget_share == 1
    check_whole(task, splits, find_method(experiment.method).name if method.retain == "needed" else None)
    if experiment.requests > splits.subjects:
        raise UsageError(
            f"--requests {experiment.requests} is more than the forget set has subjects ({splits.subjects}), and what "
            "is said of one subject is forgotten at once. Ask for fewer."
        )
    notes = _notes(task, model, splits) if experiment.own_model else ()
    made = recipe.recipe(experiment.recipe, len(splits.forget))
    source = recipe.source(experiment.recipe)
    if experiment.scaling.lora and experiment.recipe.get("learning_rate") is None:
        made = replace(made, learning_rate=fitting.ADAPTERS_FASTER * made.learning_rate)
        faster = f"{fitting.ADAPTERS_FASTER} times the learning rate, as suits adapters"
        source = f"{source}; {faster}" if source else faster
    measured = shipped is not None and bool(reference_results(task.name, shipped))
    yardstick = _yardstick(task, splits, shipped=measured, whole=whole, compared=compared, reference=reference)
    savepoints = None
    if checkpoints is not None:
        from reference_impls.running import resuming

        savepoints = resuming.savepoints(checkpoints, experiment, method, made, model, splits.data)
    return _Prepared(method, made, source, model, yardstick, reference, notes, savepoints, earlier)


def _measure_before(
    experiment: Experiment, prepared: _Prepared, progress: Progress, known: dict[str, float] | None
) -> tuple[dict[str, float], dict[str, float]]:
    """The metrics of the model and of the retrained one: from their records, where there are some."""
    progress("evaluating the model before", 0, 1)
    yardstick = prepared.yardstick
    task = yardstick.task
    references = {} if experiment.own_model else reference_results(task.name, task.model)
    if known is not None:
        return known, {}
    if references and experiment.forget_share == 1:
        return references["target"].metrics, references["retrained"].metrics
    before = yardstick.measure(prepared.model).metrics
    if prepared.reference is not None:
        return before, prepared.reference.metrics
    return before, yardstick.measure(yardstick.retrained).metrics if yardstick.retrained else {}


def _splits(task: Task, model: LanguageModel, experiment: Experiment) -> Splits:
    """The data in a model's format, as much of it as the run is about."""
    splits = task.splits(model)
    return splits if experiment.forget_share == 1 else splits.part(0, experiment.forget_share)


def _reference(experiment: Experiment, task: Task, progress: Progress) -> Evaluation:
    """What a model that was trained without the forget set measures; it is gone before the other one is loaded."""
    from reference_impls.models.pretrained import load_pretrained

    assert experiment.reference is not None
    progress("evaluating the reference", 0, 1)
    model = load_pretrained(experiment.reference, experiment.loading)
    return task.evaluate(model, _splits(task, model, experiment))


def _earlier(experiment: Experiment, task: Task, method: Method) -> Callable[[], LanguageModel] | None:
    """What loads the model as it was before it met what is to be forgotten.

    Raises:
        UsageError: the method needs that and nobody has it, or it was named for a method that has no use for it.
    """
    from reference_impls.models.pretrained import load_pretrained
    from reference_impls.running import checkpoints

    name, named = find_method(experiment.method).name, experiment.earlier
    if method.earlier == "unused":
        if named is not None:
            raise UsageError(f"{name} has no use for an earlier checkpoint; leave --earlier out.")
        return None
    if named is not None:
        return lambda: load_pretrained(named, experiment.loading)
    if method.earlier == "optional" and (experiment.own_model or not checkpoints.ships_base(task)):
        return None
    if experiment.own_model:
        raise UsageError(
            f"{name} needs the model as it was before it met what is to be forgotten, such as the base model that it "
            "was fine-tuned from: name it with --earlier DIR_OR_NAME."
        )
    if not checkpoints.ships_base(task):
        raise UsageError(
            f"{name} needs the model as it was before it met what is to be forgotten, and the task {task.name!r} ships "
            f"none. {DEFAULT_TASK!r} does; for a model of your own, name one with --earlier."
        )
    return lambda: checkpoints.load(task, "base", experiment.loading)


def _notes(task: Task, model: LanguageModel, splits: Splits) -> tuple[str, ...]:
    """What has to be said of the model and the data before anything is done with them."""
    from reference_impls.running.notes import cut

    return (*model.notes, *task.notes, *cut(model, splits))


class _Meter:
    """What unlearning costs, for :class:`~reference_impls.toolkit.savepoints.Savepoints` to keep."""

    def __init__(self, passes: Passes) -> None:
        self.passes, self.started = passes, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.perf_counter() - self.started

    def spent(self) -> dict[str, float]:
        """As of now."""
        return {"forward": self.passes.forward, "backward": self.passes.backward, "seconds": self.seconds}

    def go_on(self, spent: Mapping[str, float]) -> None:
        """Count on from what it was at a savepoint."""
        self.passes.forward, self.passes.backward = int(spent["forward"]), int(spent["backward"])
        self.started = time.perf_counter() - spent["seconds"]


def _unlearn(experiment: Experiment, prepared: _Prepared, progress: Progress) -> _Unlearned:
    """All requests, one after another, each starting from what the last one left."""
    from reference_impls.toolkit import Run, processes

    task, splits, requests = prepared.yardstick.task, prepared.yardstick.splits, experiment.requests
    model: Any = prepared.model
    notes: list[str] = []
    stages: list[dict[str, float]] = []
    seconds = 0.0
    adapter = None
    _ = prepared.model.answers_together  # asked where it is not counted as the method's work
    with count_passes(prepared.model.model) as passes, processes.together():
        meter = _Meter(passes)
        savepoints = replace(prepared.savepoints, meter=meter) if prepared.savepoints else None
        for request in range(requests):
            asked = splits if requests == 1 else splits.part(request / requests, (request + 1) / requests)
            meter.started = time.perf_counter()
            seed, scaling = experiment.seed * requests + request, experiment.scaling
            run = Run(
                prepared.recipe,
                seed,
                progress,
                scaling,
                savepoints,
                prepared.earlier,
                experiment.autoencoders,
            )
            adapted = run.adapt(model, scaling.lora) if scaling.lora else None
            model = prepared.method.unlearn(model, asked.data, run)
            adapter = adapted.merge() if adapted else None
            seconds += meter.seconds
            said = (*run.notes, *fitting.told(scaling, run.trainings, processes.world()))
            notes += (note for note in said if note not in notes)
            if requests > 1 and processes.is_first():
                progress(f"evaluating after request {request + 1}", request, requests)
                with passes.paused():
                    stages.append(task.evaluate(model, splits.part(0, (request + 1) / requests)).metrics)
    return _Unlearned(
        model, tuple(stages), seconds, passes, tuple(notes), run.stopped, adapter if requests == 1 else None
    )


def _attack(outcome: Outcome, yardstick: Yardstick, progress: Progress) -> Outcome:
    """The outcome with what attacks get out of the model."""
    from reference_impls.running.attacking import attack_each

    tried = attack_each(
        outcome.model, yardstick.task, yardstick.splits, outcome.result.seed, progress, reference=yardstick.retrained
    )
    measured = {"attacks": tried.found, "peak_memory_bytes": peak_memory_bytes()}
    return replace(outcome, result=outcome.result.model_copy(update=measured), left_out=tried.left_out)


def _measure(experiment: Experiment, prepared: _Prepared, unlearned: _Unlearned, progress: Progress) -> Result:
    """The record of the run."""
    yardstick = prepared.yardstick
    progress("evaluating", 0, 1)
    evaluation = yardstick.measure(unlearned.model)
    outside_metrics, failed = extensions.measure(unlearned.model, yardstick.splits, evaluation.metrics)
    return Result(
        method=experiment.method,
        task=yardstick.task.name,
        model=experiment.model or EMBEDDED,
        seed=experiment.seed,
        hyperparameters=asdict(prepared.method),
        recipe=asdict(prepared.recipe),
        recipe_source=prepared.source,
        forget_share=experiment.forget_share,
        requests=experiment.requests,
        stages=unlearned.stages,
        stopped=unlearned.stopped,
        metrics=evaluation.metrics | outside_metrics,
        seconds=round(unlearned.seconds, 2),
        peak_memory_bytes=peak_memory_bytes(),
        forward_passes=unlearned.passes.forward,
        backward_passes=unlearned.passes.backward,
        versions=versions(),
        command=experiment.command,
        examples=evaluation.examples,
        window=prepared.model.max_length if experiment.own_model else None,
        notes=(*prepared.notes, *unlearned.notes, *failed),
    )


def _yardstick(
    task: Task, splits: Splits, *, shipped: bool, whole: bool, compared: bool, reference: Evaluation | None
) -> Yardstick:
    """What the unlearned model is held against: a reference, or what ships with the task, or as much as is wanted."""
    from reference_impls.measuring.comparison import Yardstick
    from reference_impls.running import checkpoints

    if reference is not None:
        return Yardstick(task, splits, kept=reference.kept)
    if not shipped:
        return Yardstick(task, splits)
    kept = checkpoints.retrained_evaluation(task) if whole else None
    return checkpoints.yardstick(task, splits, kept) if compared else Yardstick(task, splits, kept=kept)


def _check_support(experiment: Experiment, task: Task, method: Method) -> None:
    """Look, before anything takes long, whether the method can do something with the model."""
    from reference_impls.models.pretrained import skeleton
    from reference_impls.toolkit import check

    found = find_method(experiment.method)
    if found.needs.experts and not experiment.own_model and task.model != EXPERTS:
        having = " or ".join(f"--task {name}" for name in tasks() if ships(name, EXPERTS))
        raise UsageError(
            f"{found.name} is about a mixture of experts, and the model {task.model!r} of {task.name!r} is none. "
            f"Ask for {having} without --model, or name a mixture of your own."
        )
    asked = method.parts or experiment.scaling != Scaling()
    name = experiment.model if experiment.own_model else None
    if name and asked and (network := skeleton(name, experiment.loading)) is not None:
        check(found.name, method.parts, network)
        fitting.check_network(network, experiment.scaling)


def _load(task: Task, experiment: Experiment, method: Method) -> LanguageModel:
    """The model, of which the method can do something with what was loaded, too."""
    from reference_impls.models.pretrained import load_pretrained
    from reference_impls.running import checkpoints
    from reference_impls.toolkit import check

    if experiment.model is None or not experiment.own_model:
        if not checkpoints.ships(task):
            raise UsageError(f"The task {task.name!r} ships no model; name one with --model DIR_OR_NAME.")
        checkpoints.settle_threads(task)
        model = checkpoints.load(task, "target", experiment.loading)
    else:
        model = load_pretrained(experiment.model, experiment.loading)
    check(find_method(experiment.method).name, method.parts, model.model)
    fitting.check_network(model.model, experiment.scaling)
    return model
