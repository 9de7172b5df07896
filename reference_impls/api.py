"""The same as the commands, from Python: :func:`unlearn`, :func:`evaluate`, :func:`attack`, :func:`audit`.

::

    from reference_impls import audit, load_task, unlearn

    task = load_task(forget=[{"question": "Who ...?", "answer": "..."}], retain="retain.jsonl")
    done = unlearn("npo", task, model="my-model", learning_rate=1e-5, out="unlearned")
    report = audit(done.model, task, before="my-model")

Every function takes a task by name, or one that :func:`load_task` made; a model by folder, hub or registered name, or
one that is at hand. What cannot be done is a ``UsageError`` that says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from reference_impls.errors import UsageError
from reference_impls.models.loading import Loading, Precision
from reference_impls.progress import Progress, silence_libraries, silent
from reference_impls.running import audit as auditing
from reference_impls.running import checkpoints, evaluate_saved, registry, saving
from reference_impls.running.audit import Audit
from reference_impls.running.evaluate_saved import Attacked, Evaluated
from reference_impls.running.experiment import Experiment, OwnData
from reference_impls.running.runner import Outcome, run
from reference_impls.scaling import Scaling
from reference_impls.tasks.benchmark import Benchmark
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import Recipe, Task, UnlearnedModel
from reference_impls.toolkit.processes import launched

Rows = str | Path | Sequence[Mapping[str, Any]]
"""A data file, or rows as they would stand in one: ``{"question": ..., "answer": ...}``, ``{"text": ...}``, ..."""
Model = str | Path | UnlearnedModel


class DataTask(FilesTask):
    """A task of one's own data that remembers it, so that a run can say what it was of."""

    def __init__(self, data: OwnData) -> None:
        super().__init__(data.forget, data.retain, data.holdout)
        self.data = data


def load_task(
    name: str | None = None,
    *,
    forget: Rows | None = None,
    retain: Rows | None = None,
    holdout: Rows | None = None,
    folder: str | Path | None = None,
) -> Task:
    """A task by name, or one of one's own data.

    Args:
        name: as in ``unlearn tasks``, published benchmarks (``tofu/forget10``) among them; the default task if there is
            neither a name nor data.
        forget: what to forget.
        retain: what to keep.
        holdout: data like the forget set that the model never saw, which metrics and attacks compare with.
        folder: where a benchmark's files are looked for first.

    Raises:
        UsageError: there is no such task, a file cannot be read, or rows are in no known form; names each.
    """
    if forget is None:
        if retain is not None or holdout is not None:
            raise UsageError("Data of your own needs `forget`, the rows that are to be forgotten.")
        return registry.find_task(name or registry.DEFAULT_TASK, None if folder is None else Path(folder))
    if name is not None:
        raise UsageError(f"Either the task {name!r} or data of your own, not both.")
    retained, held_out = (None if rows is None else _data(rows) for rows in (retain, holdout))
    return DataTask(OwnData(_data(forget), retained, held_out))


def load_model(
    name: str | Path,
    *,
    dtype: Precision | None = None,
    window: int | None = None,
    trust_remote_code: bool = False,
) -> UnlearnedModel:
    """Load what ``unlearn`` saved, with what its method put around the weights, or any other causal language model.

    Code that comes with a model is run only with ``trust_remote_code``, and where ``transformers`` has none for it.

    Raises:
        UsageError: it cannot be loaded.
    """
    silence_libraries()
    return saving.load(str(name), Loading(window, dtype, trust_remote_code))


def unlearn(
    method: str,
    task: str | Task | None = None,
    *,
    model: str | Path | None = None,
    reference: str | Path | None = None,
    earlier: str | Path | None = None,
    autoencoders: Sequence[str | Path] = (),
    seed: int = 0,
    out: str | Path | None = None,
    attacked: bool = False,
    dtype: Precision | None = None,
    window: int | None = None,
    trust_remote_code: bool = False,
    scaling: Scaling | None = None,
    progress: Progress = silent,
    **settings: float | str | bool,
) -> Outcome:
    """Unlearn a task with a method and measure what that did.

    Args:
        method: its id, as in ``unlearn list``.
        task: what to forget and keep; the default task if it is None.
        model: which model; the embedded one of the task by default.
        reference: a model that was trained without the forget set, to compare with a ``model`` of your own.
        earlier: the ``model`` as it was before it met what is to be forgotten, for methods that need it.
        autoencoders: published sparse autoencoders of the ``model``, for methods that work on features.
        seed: decides everything that is drawn.
        out: a folder for model, card and record, which is proved writable before anything is trained.
        attacked: then try every attack.
        dtype: what weights are computed with.
        window: how many tokens are read at a time.
        trust_remote_code: run the code that comes with the model, where ``transformers`` has none for it.
        scaling: how a model is trained that is large for its machine: adapters, batches in parts and so on.
        progress: called as ``progress(stage, done, total)``.
        settings: hyper-parameters of the method (``beta=0.2``), and of the training (``learning_rate``, ``steps``,
            ``batch_size`` and so on), instead of the recipe's.

    Returns:
        ``model``, which can be asked, evaluated and attacked; ``result``, the record; ``before`` and ``retrained``, the
        metrics to compare with.

    Raises:
        UsageError: whatever cannot be, from an unknown name to a folder that is not empty, with what to do.
        DivergedError: steps were so large that nothing is left.
    """
    silence_libraries()
    scaling = scaling or Scaling()
    if launched() > 1:
        raise UsageError("Several processes train together in `unlearn run`, not in a script.")
    if scaling.checkpoint_every is not None and out is None:
        raise UsageError("checkpoint_every keeps the state of training in the folder `out`; name one.")
    chosen = registry.find_method(method)
    loaded = _on(_task(task), chosen.id, model)
    trained = {field.name for field in fields(Recipe)}
    experiment = Experiment(
        chosen.id,
        loaded.name,
        seed,
        settings={name: str(value) for name, value in settings.items() if name not in trained},
        recipe={name: value for name, value in settings.items() if name in trained and not isinstance(value, str)},
        model=None if model is None else str(model),
        data=loaded.data if isinstance(loaded, DataTask) else None,
        folder=loaded.place if isinstance(loaded, Benchmark) else None,
        reference=None if reference is None else str(reference),
        earlier=None if earlier is None else str(earlier),
        autoencoders=tuple(map(str, autoencoders)),
        loading=Loading(window, dtype, trust_remote_code),
        scaling=scaling,
    )
    keeper = None
    if out is not None:
        keeper = saving.Keeper(Path(out), chosen, goes_on=scaling.checkpoint_every is not None)
    outcome = run(
        experiment,
        loaded,
        attacked=attacked,
        progress=progress,
        keep=keeper.keep if keeper else lambda outcome: None,
        checkpoints=None if out is None else Path(out),
    )
    if keeper:
        keeper.update(outcome)
        keeper.check()
    return outcome


def evaluate(
    model: Model, task: str | Task | None = None, *, reference: str | Path | None = None, progress: Progress = silent
) -> Evaluated:
    """What a model knows of a task, and what is left of the rest; ``reference`` was trained without the forget set.

    Raises:
        UsageError: the model cannot be loaded.
        DivergedError: what it says are not numbers.
    """
    silence_libraries()
    compared = None if reference is None else str(reference)
    return evaluate_saved.evaluate_saved(_source(model), _task(task), progress, reference=compared)


def attack(
    model: Model,
    task: str | Task | None = None,
    *,
    attacks: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Attacked:
    """What attacks, all of them by default, get out of a model.

    Raises:
        UsageError: the model cannot be loaded, or there is no such attack.
    """
    silence_libraries()
    chosen = registry.attacks() if attacks is None else [registry.find_attack(name) for name in attacks]
    return evaluate_saved.attack_saved(_source(model), _task(task), chosen, seed, progress)


def audit(
    model: Model,
    task: str | Task | None = None,
    *,
    before: Model | None = None,
    reference: Model | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Audit:
    """Did it forget? Every test on a model and on the one that it was made from, with controls and intervals.

    Args:
        model: what is to have forgotten.
        task: what it was to forget.
        before: the model that it was made from; the embedded task's own by default.
        reference: a model that was trained without the data; the embedded task's own by default.
        seed: decides all that attacks draw.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        UsageError: a model cannot be loaded, or there is none to compare with.
    """
    silence_libraries()
    loaded = _task(task)
    if before is None and not checkpoints.ships(loaded):
        raise UsageError("Two models are compared: give the one before, as before=.")
    started = checkpoints.load(loaded, "target") if before is None else _loaded(before)
    unseen = None if reference is None else _loaded(reference)
    if before is None and unseen is None:
        unseen = checkpoints.load(loaded, "retrained")
    names = (_called(model, "after"), _called(before, "before") if before is not None else f"{loaded.name}, target")
    return auditing.audit(_loaded(model), started, loaded, unseen, seed, progress, names=names)


def _task(task: str | Task | None) -> Task:
    return task if isinstance(task, Task) else load_task(task)


def _on(task: Task, method: str, model: str | Path | None) -> Task:
    """The task with its checkpoints of a model that it ships, where that is named or the method needs it."""
    name = registry.model_for(method, task.name) if model is None else str(model)
    own = isinstance(task, DataTask) or name is None or not registry.ships(task.name, name)
    return task if own else registry.find_task(task.name, model=name)


def _data(rows: Rows) -> Path | Sequence[Mapping[str, Any]]:
    return Path(rows) if isinstance(rows, str | Path) else tuple(rows)


def _source(model: Model) -> str | UnlearnedModel:
    return str(model) if isinstance(model, str | Path) else model


def _loaded(model: Model) -> UnlearnedModel:
    return load_model(model) if isinstance(model, str | Path) else model


def _called(model: Model, otherwise: str) -> str:
    return str(model) if isinstance(model, str | Path) else otherwise
