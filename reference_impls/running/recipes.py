"""Which recipe a run is made with, and who says so: a task's own, a benchmark's, a method's, or a default.

Recipes that were searched for on a model that ships with a task are its alone. A model of one's own gets what its
benchmark's authors trained the method with, else what the method's paper trained a model of billions with, and where
neither is known :data:`DEFAULT`, which says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from catalog.model.implementations import Implementation
from catalog.model.recipes import FIELDS, PublishedRecipe
from reference_impls.running.registry import PACKAGE, recipe_of

if TYPE_CHECKING:
    from reference_impls.toolkit import Recipe

DEFAULT_EPOCHS = 5
"""Where nobody says how long: as TOFU trains its baselines."""
DEFAULT = "no published recipe is known; the default"
UNCHOSEN = ("learning_rate", "epochs", "batch_size")
"""What a recipe must have; where a source does not say it, the default stands in and is named."""
OWN = "chosen for this run"


@dataclass(frozen=True)
class Chosen:
    """The recipe of a method on a task, before anything is chosen for one run."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of :class:`~reference_impls.toolkit.Recipe`."""
    published: PublishedRecipe | None = None
    """What was published, for a model of one's own."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    shipped: bool = True
    """Whether the model ships with the task, which has a recipe for it then."""

    def recipe(self, given: Mapping[str, float | int | None], examples: int) -> Recipe:
        """The recipe of one run.

        Args:
            given: what was chosen for it, None where nothing was.
            examples: how many there are to forget.
        """
        from reference_impls.toolkit import Recipe

        known = {recipe_field.name for recipe_field in fields(Recipe)}
        own = {name: value for name, value in given.items() if value is not None}
        said = {name: value for name, value in self.settings.items() if name in known}
        recipe = Recipe(**{**said, **own})
        if self.shipped or "steps" in own:
            return recipe
        long = self.published.steps_for(examples, recipe.batch_size) if self.published else None
        return replace(recipe, steps=long or DEFAULT_EPOCHS * -(-examples // recipe.batch_size))

    def source(self, given: Mapping[str, float | int | None]) -> str:
        """Who says so, for people; empty where a task's search did."""
        if self.shipped:
            return ""
        own = [name for name, value in given.items() if value is not None]
        if self.published is None:
            said = f"{DEFAULT} ({DEFAULT_EPOCHS} passes over the forget set)"
        else:
            decided = {*own, *(["epochs"] if "steps" in own else [])}
            lacking = [name for name in UNCHOSEN if name not in decided and not self._says(name)]
            said = self.published.source
            said += f"; {' and '.join(map(_plain, lacking))}: not said there, the default" if lacking else ""
        return f"{said}; {', '.join(map(_plain, own))} {OWN}" if own else said

    def _says(self, name: str) -> bool:
        if name == "epochs":
            return bool(self.published and (self.published.epochs or self.published.steps))
        return getattr(self.published, name) is not None


def chosen(task: str, method: Implementation, *, shipped: str | None) -> Chosen:
    """The recipe of a method on a task.

    Args:
        task: the task's name.
        method: the method.
        shipped: the model, if it ships with the task; None for one of one's own.
    """
    if shipped is not None:
        recipe = recipe_of(task, method.id, shipped)
        return Chosen(recipe, hyperparameters=recipe.get("hyperparameters", {}))
    published, hyperparameters = of_benchmark(task).get(method.id, (method.published, {}))
    settings = {name: value for name in FIELDS if (value := getattr(published, name, None)) is not None}
    return Chosen(settings, published, hyperparameters, shipped=False)


def of_benchmark(task: str) -> dict[str, tuple[PublishedRecipe, dict[str, Any]]]:
    """What a benchmark's authors train methods with: recipe and hyper-parameters, by the method's id."""
    family = task.partition("/")[0]
    return _table().get(family, {}) | _table().get(task, {})


@cache
def _table() -> dict[str, dict[str, tuple[PublishedRecipe, dict[str, Any]]]]:
    content = yaml.safe_load((PACKAGE / "published" / "recipes.yaml").read_text(encoding="utf-8"))
    return {task: dict(_entries(entries)) for task, entries in content.items()}


def _entries(entries: list[dict[str, Any]]) -> list[tuple[str, tuple[PublishedRecipe, dict[str, Any]]]]:
    recipes = []
    for entry in entries:
        said = {key: value for key, value in entry.items() if key not in ("methods", "hyperparameters")}
        recipe = PublishedRecipe.declared(said)
        recipes += [(method, (recipe, entry.get("hyperparameters", {}))) for method in entry["methods"]]
    return recipes


def _plain(name: str) -> str:
    return {"epochs": "length"}.get(name, name.replace("_", " "))
