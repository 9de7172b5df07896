"""What other packages bring: methods, attacks, tasks, metrics and models, which they register by entry points.

A package says in its ``pyproject.toml`` what it has::

    [project.entry-points."llm_unlearning.methods"]
    gentle-ascent = "my_package.gentle_ascent"

    [project.entry-points."llm_unlearning.metrics"]
    forget_length = "my_package.metrics:forget_length"

Methods, attacks and tasks are modules of the same shape as this project's own files, read through their syntax tree
before anything is imported. Metrics and models are functions (:data:`Measure`, :data:`Load`). What cannot be read, or
has a name that is taken, is left out with a word, and takes nothing else with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from catalog.base.terminal import say
from catalog.model.implementations import Implementation, Kind, Outside, read_outside
from catalog.parsing.problems import Problem

Measure = Callable[[Any, Any], float]
"""A metric: one number of an ``UnlearnedModel`` on a task's ``Splits``, kept in the record under its name."""
Load = Callable[[Any], Any]
"""A model: the ``LanguageModel`` that ``--model NAME`` names, made from a ``Loading``."""
MODULES: tuple[Kind, ...] = ("method", "attack", "task")


def group(kind: str) -> str:
    """The group of entry points of a kind: ``llm_unlearning.methods``."""
    return f"llm_unlearning.{kind}s"


@cache
def implementations() -> tuple[Implementation, ...]:
    """The methods, attacks and tasks that installed packages register, by kind and id."""
    return tuple(implementation for kind in MODULES for implementation in _implementations(kind))


def _implementations(kind: Kind) -> Iterator[Implementation]:
    for entry in _registered(kind):
        package = _package(entry)
        path = source_of(entry.module)
        if path is None:
            say(f"{package} registers the {kind} {entry.name!r}, but has no module {entry.module}; it is left out.")
            continue
        outcome = read_outside(kind, entry.name, path, Outside(package, entry.module))
        if isinstance(outcome, Problem):
            said = f"{outcome.file}:{outcome.line}: {outcome.message}. {outcome.hint}"
            say(f"{package} registers the {kind} {entry.name!r}, which is left out. {said}")
        else:
            yield outcome


def measure(model: Any, splits: Any, taken: Collection[str]) -> tuple[dict[str, float], list[str]]:
    """What the metrics that installed packages register say of a model, by name; and what has to be said of the rest.

    Args:
        model: an ``UnlearnedModel``.
        splits: a task's data in its format.
        taken: names of what was measured already, which nobody else may give.
    """
    metrics: dict[str, float] = {}
    failed: list[str] = []
    for entry, function in _functions("metric"):
        if entry.name in taken:
            failed.append(f"{_package(entry)} registers the metric {entry.name!r}, a name that is taken.")
            continue
        try:
            value = float(function(model, splits))
        except Exception as error:  # the code of others, after a training that must not be lost
            failed.append(f"The metric {entry.name!r} of {_package(entry)} failed: {type(error).__name__}: {error}")
            continue
        if math.isfinite(value):
            metrics[entry.name] = value
        else:
            failed.append(f"The metric {entry.name!r} of {_package(entry)} gave {value}, which is no measurement.")
    return metrics, failed


def model(name: str) -> Load | None:
    """What loads the model that an installed package registers under a name; None if none does."""
    return next((function for entry, function in _functions("model", name)), None)


def _functions(kind: str, name: str | None = None) -> Iterator[tuple[EntryPoint, Any]]:
    for entry in _registered(kind):
        if name not in (None, entry.name):
            continue
        try:
            yield entry, entry.load()
        except (ImportError, AttributeError) as error:
            said = f"{_package(entry)} registers the {kind} {entry.name!r}, which cannot be imported: {error}."
            say(f"{said} It is left out.")


def _registered(kind: str) -> list[EntryPoint]:
    """All that is registered as a kind, sorted; of one that is registered twice, the first."""
    first: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group(kind)), key=lambda point: (point.name, point.value)):
        first.setdefault(entry.name, entry)
    return list(first.values())


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.module


def source_of(module: str) -> Path | None:
    """The file of a module, found without importing it or the packages around it; None if there is none."""
    first, *rest = module.split(".")
    try:
        spec: ModuleSpec | None = find_spec(first)
    except (ImportError, ValueError):
        return None
    name = first
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return Path(spec.origin) if spec and spec.origin and Path(spec.origin).is_file() else None
