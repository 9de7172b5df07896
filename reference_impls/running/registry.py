"""Methods, tasks, benchmarks, attacks and recipes by name. Names are resolved without importing torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.base.terminal import say
from catalog.base.text import as_typed
from catalog.model import defaults
from catalog.model.implementations import Implementation, read_implementations
from catalog.model.results import EMBEDDED
from reference_impls import extensions
from reference_impls.errors import SharedNameError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from reference_impls.toolkit import Attack, Method, Task

PACKAGE = Path(__file__).parents[1]
DEFAULT_TASK = defaults.TASK
RESULTS = PACKAGE / "results"
FINETUNING = "finetuning.yaml"
"""In a folder of a task named for a model: how that model is fine-tuned on the task."""


@cache
def implementations() -> dict[str, Implementation]:
    """Methods, tasks and attacks by id, read from their files; after the project's own, those of other packages."""
    shipped, problems = read_implementations(PACKAGE)
    if problems:
        first = problems[0]
        raise UsageError(f"{first.file}:{first.line}: {first.message} {first.hint}")
    known = {implementation.id: implementation for implementation in shipped}
    for extension in extensions.implementations():
        if known.setdefault(extension.id, extension) is not extension and extension.outside:
            say(
                f"{extension.outside.package} registers the {extension.kind} {extension.id!r}, a name that is taken; "
                "it is left out."
            )
    return known


def methods() -> list[Implementation]:
    """The methods that run, by id."""
    return [implementation for implementation in implementations().values() if implementation.kind == "method"]


def find_method(name: str) -> Implementation:
    """A method by its id, or else by its short name, in any case (``npo``, ``NPO``, ``GA``).

    Raises:
        SharedNameError: it is the short name of several, such as one that another package brings.
        UnknownNameError: there is none.
    """
    wanted, known = as_typed(name), methods()
    found = [method for method in known if method.id == wanted] or [
        method for method in known if method.short == wanted
    ]
    if len(found) > 1:
        raise SharedNameError("method", name, [method.id for method in found])
    if not found:
        begun = [
            method.id
            for method in known
            if wanted and any(one.startswith(wanted) for one in (method.id, method.short, as_typed(method.title)))
        ]
        raise UnknownNameError("method", name, {one for method in known for one in (method.id, method.short)}, begun)
    return found[0]


def namesakes(method: Implementation) -> list[Implementation]:
    """The methods whose short name is another's with more words behind it, where their ids do not show it."""
    return [
        other
        for other in methods()
        if other.name.casefold().startswith(f"{method.name.casefold()} ") and not other.id.startswith(method.id)
    ]


def method_class(method: Implementation) -> type[Method]:
    """The class of a method's file. Imports torch."""
    from reference_impls.toolkit import Method

    cls: type[Method] = _class_of(method.module, Method)
    return cls


def attacks() -> list[Implementation]:
    """The attacks that run, by id."""
    return [implementation for implementation in implementations().values() if implementation.kind == "attack"]


def find_attack(name: str) -> Implementation:
    """An attack by its id.

    Raises:
        UnknownNameError: there is none.
    """
    known = {attack.id: attack for attack in attacks()}
    if as_typed(name) not in known:
        raise UnknownNameError("attack", name, known)
    return known[as_typed(name)]


def attack_class(attack: Implementation) -> type[Attack]:
    """The class of an attack's file. Imports torch."""
    from reference_impls.toolkit import Attack

    cls: type[Attack] = _class_of(attack.module, Attack)
    return cls


def _class_of(module_name: str, base: type) -> Any:
    """The one class of a module that derives from ``base``."""
    module = importlib.import_module(module_name)
    (cls,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    )
    return cls


def configure(method: Implementation, settings: Mapping[str, str], defaults: Mapping[str, Any]) -> Method:
    """A method with hyper-parameters: ``settings`` as typed by a person, over ``defaults`` of a recipe.

    Raises:
        UsageError: an unknown name, or a value that is not of its type or range.
    """
    from reference_impls.toolkit import HyperparameterError

    declared = {hyperparameter.name: hyperparameter for hyperparameter in method.hyperparameters}
    values = dict(defaults)
    for name, text in settings.items():
        if name not in declared:
            raise UnknownNameError(f"hyper-parameter of {method.id}", name, declared)
        values[name] = _parse(name, text, declared[name].type)
    try:
        return method_class(method)(**values)
    except HyperparameterError as error:
        raise UsageError(f"{method.id}: {error}.") from None


def _parse(name: str, text: str, kind: str) -> Any:
    try:
        match kind:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        wanted = {"int": "a whole number", "float": "a number", "bool": "true or false"}[kind]
        raise UsageError(f"{name} must be {wanted}, not {text!r}.") from None
    return text


def tasks() -> list[str]:
    """The ids of the tasks that ship models."""
    return [implementation.id for implementation in implementations().values() if implementation.kind == "task"]


def benchmarks() -> list[Implementation]:
    """The published benchmarks, by id."""
    return [implementation for implementation in implementations().values() if implementation.kind == "benchmark"]


def find_task(name: str, folder: Path | None = None, model: str | None = None) -> Task:
    """A task that ships models by its id, or one of a published benchmark by its name (``tofu/forget10``).

    Args:
        name: the id or name.
        folder: where a benchmark's files are looked for first.
        model: on which the task is to be run; where it ships checkpoints of it, it is the task with these.

    Raises:
        UnknownNameError: there is none.
        UsageError: a benchmark's files are missing, or a folder is named for a task that ships its data.
    """
    family, slash, _ = name.partition("/")
    benchmark = next((candidate for candidate in benchmarks() if candidate.id == family), None)
    if benchmark is None:
        return find_embedded(name, folder, model)
    if not slash:
        raise UsageError(f"{family} is several tasks: name one of {', '.join(benchmark.task_names)}.")
    if not benchmark.has_task(name):
        raise UnknownNameError("task", name, benchmark.task_names)
    from reference_impls.toolkit import Task

    task: Task = _class_of(benchmark.module, Task)(name, folder)
    return task


def find_embedded(name: str, folder: Path | None = None, model: str | None = None) -> Task:
    """A task that ships models by its id; see :func:`find_task`.

    Raises:
        UnknownNameError: there is none.
        UsageError: it is a benchmark, which ships none, or a folder of data is named for it.
    """
    from reference_impls.toolkit import Task

    if name.partition("/")[0] in {benchmark.id for benchmark in benchmarks()}:
        raise UsageError(
            f"{name} ships no models. `unlearn run METHOD --task {name} --model DIR_OR_NAME` runs on yours."
        )
    if name not in tasks():
        raise UnknownNameError(
            "task", name, [*tasks(), *(task for benchmark in benchmarks() for task in benchmark.task_names)]
        )
    if folder is not None:
        raise UsageError(f"--data is for published benchmarks such as tofu/forget10; {name} ships its data.")
    chosen = implementations()[name]
    task: Task = _class_of(chosen.module, Task)()
    if chosen.outside:
        task.name, task.folder = name, Path(chosen.file).parent
    if model is not None and ships(name, model):
        task.model, task.folder = model, home(name, model)
    return task


def home(task: str, model: str = EMBEDDED) -> Path:
    """Where the checkpoints of a task that were made from a model are, and the recipes that were searched for there."""
    chosen = implementations().get(task)
    own = PACKAGE / "tasks" / task.replace("-", "_")
    folder = Path(chosen.file).parent if chosen and chosen.outside else own
    return folder if model == EMBEDDED else folder / model


def other_models(task: str) -> list[str]:
    """The models besides the embedded one that a task ships checkpoints of, or says how to make them."""
    return sorted(path.parent.name for path in home(task).glob("*/search.yaml"))


def ships(task: str, model: str | None) -> bool:
    """Whether a task starts from checkpoints of its own where this model is asked for; None is the embedded one."""
    return task in tasks() and (model in (None, EMBEDDED) or model in other_models(task))


def model_for(method: str, task: str) -> str | None:
    """Which of the models that a task ships a method runs on where none is named; None is the usual one.

    A method that is about experts runs on the mixture of experts.
    """
    found = implementations().get(method)
    needed = found.needs.embedded if found else EMBEDDED
    return needed if needed != EMBEDDED and ships(task, needed) else None


def recipe_of(task: str, method: str, model: str = EMBEDDED) -> dict[str, Any]:
    """What the task's search chose for a method: ``{learning_rate, steps, ..., hyperparameters}``.

    A method that no search was made for gets the task's ``untried`` settings, with which most methods show something;
    a task of files has neither.
    """
    search = search_of(task, model)
    return recipes(task, model).get(method) or {**search.get("fixed", {}), **search.get("untried", {})}


def searched_with(task: str, method: str) -> dict[str, Any]:
    """The hyper-parameters that the task's search fixes for a method: what the task's data or models ask for."""
    fixed = search_of(task).get("methods", {}).get(method, {}).get("with", {})
    own = {hyperparameter.name for hyperparameter in find_method(method).hyperparameters}
    return {name: value for name, value in fixed.items() if name in own}


def recipes(task: str, model: str = EMBEDDED) -> dict[str, dict[str, Any]]:
    """The recipe of each method that a search was made for on a task, with a model that it ships."""
    return _data_of(task, model, "recipes.yaml")


def search_of(task: str, model: str = EMBEDDED) -> dict[str, Any]:
    """What a search for recipes may try on a task; empty for one that has no search."""
    return _data_of(task, model, "search.yaml")


def finetuning_of(task: str, model: str) -> dict[str, Any]:
    """How the checkpoints of a larger model are made: rank and recipe."""
    return _data_of(task, model, FINETUNING)


def _data_of(task: str, model: str, file: str) -> dict[str, Any]:
    import yaml

    path = home(task, model) / file
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content
