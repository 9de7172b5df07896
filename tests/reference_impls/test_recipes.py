"""Whose recipe a run is made with: the embedded model's own, a benchmark's, the method's paper's, or the default."""

from __future__ import annotations

import json
from typing import Any

import pytest
from command_runs import Run
from hypothesis import given
from hypothesis import strategies as st

from catalog.model.recipes import FIELDS, PublishedRecipe, RecipeError
from catalog.model.results import EMBEDDED
from reference_impls.running.recipes import Chosen, chosen
from reference_impls.running.registry import configure, find_method, methods, recipes, tasks
from reference_impls.toolkit import Recipe


def test_the_embedded_model_uses_the_tasks_recipe_and_what_is_given_over_it() -> None:
    found = Chosen({"learning_rate": 3e-3, "steps": 7, "hyperparameters": {"beta": 0.5}})
    assert found.recipe({}, 80) == Recipe(learning_rate=3e-3, steps=7)
    assert found.recipe({"steps": 2, "batch_size": None}, 80).steps == 2
    assert found.source({"steps": 2}) == ""


@pytest.mark.parametrize("task", tasks())
def test_what_was_searched_for_is_the_embedded_models_alone(task: str) -> None:
    searched = recipes(task)["npo"]
    embedded, own = (chosen(task, find_method("npo"), shipped=one) for one in (EMBEDDED, None))
    assert embedded.recipe({}, 80).learning_rate == searched["learning_rate"]
    assert embedded.hyperparameters == searched["hyperparameters"]
    assert own.recipe({}, 80) == chosen("files", find_method("npo"), shipped=None).recipe({}, 80)
    assert own.recipe({}, 80).learning_rate == 1e-5
    assert own.hyperparameters == {}


@pytest.mark.parametrize(("forget", "batch", "steps"), [(80, None, 25), (81, None, 30), (3, None, 5), (80, 4, 100)])
def test_without_a_published_recipe_there_are_five_passes(forget: int, batch: int | None, steps: int) -> None:
    found = Chosen(shipped=False)
    recipe = found.recipe({"batch_size": batch}, forget)
    assert recipe.steps == steps
    assert recipe.learning_rate == Recipe().learning_rate
    assert found.recipe({"steps": 9, "batch_size": batch}, forget).steps == 9
    assert "no published recipe is known" in found.source({})


@pytest.mark.parametrize(
    ("task", "method", "learning_rate", "steps", "batch", "said"),
    [
        ("files", "npo", 1e-5, 130, 32, "Llama-2-7B-chat"),
        ("tofu/forget10", "npo", 1e-5, 130, 32, "Llama-2-7B-chat"),
        ("tofu/forget10", "grad-diff", 1e-5, 65, 32, "TOFU (arXiv 2401.06121)"),
        ("muse/books", "npo", 1e-5, 130, 32, "MUSE"),
        ("rwku/Ada_Quill", "npo", 2e-6, 75, 16, "RWKU"),
        ("wmdp/bio", "rmu", 5e-5, 150, 4, "WMDP"),
        ("files", "rmu", 5e-5, 150, 4, "Zephyr-7B"),
        ("files", "gru", 1e-5, 125, 16, "batch size: not said there, the default"),
        ("files", "kga", 1e-5, 125, 16, "no published recipe is known"),
    ],
)
def test_a_benchmarks_recipe_goes_before_the_methods(
    task: str, method: str, learning_rate: float, steps: int, batch: int, said: str
) -> None:
    found = chosen(task, find_method(method), shipped=None)
    recipe = found.recipe({}, 400)
    assert (recipe.learning_rate, recipe.steps, recipe.batch_size) == (learning_rate, steps, batch)
    assert said in found.source({})


def test_what_was_chosen_for_the_run_is_said_and_not_called_missing() -> None:
    found = chosen("files", find_method("gru"), shipped=None)
    said = found.source({"batch_size": 8, "learning_rate": None, "steps": None})
    assert said.endswith("batch size chosen for this run")
    assert "default" not in said
    assert found.recipe({"batch_size": 8}, 400).steps == 5 * 50


def test_a_benchmarks_variant_has_its_own_hyper_parameters() -> None:
    method = find_method("sim-npo")
    found = {name: chosen(name, method, shipped=None).hyperparameters for name in ("tofu/forget05", "tofu/forget10")}
    assert found["tofu/forget05"]["beta"] == 2.5
    assert found["tofu/forget10"] == {}
    configure(method, {}, found["tofu/forget05"])


@pytest.mark.parametrize("method", [one.id for one in methods()])
def test_what_a_method_declares_can_be_run_and_is_shown(method: str, unlearn: Run) -> None:
    published = find_method(method).published
    shown = json.loads(unlearn("show", method, "--json").out)["published"]
    if published is None:
        assert shown is None
        assert "none is known" in " ".join(unlearn("show", method).out.split())
        return
    assert shown["source"] == published.source
    recipe = chosen("files", find_method(method), shipped=None).recipe({}, 40)
    for name in ("learning_rate", "batch_size", "weight_decay", "warmup"):
        if getattr(published, name) is not None:
            assert getattr(recipe, name) == getattr(published, name)
    assert published.words.split(",")[0] in " ".join(unlearn("show", method).out.split())


@given(st.integers(1, 10_000), st.integers(1, 300), st.sampled_from([0.1, 0.5, 1, 3, 10, 2.3]))
def test_passes_are_whole_batches_of_the_forget_set(examples: int, batch: int, epochs: float) -> None:
    steps = PublishedRecipe("s", epochs=epochs).steps_for(examples, batch)
    a_pass = -(-examples // batch)
    assert isinstance(steps, int)
    assert steps >= 1
    assert epochs * a_pass - 1e-6 <= steps < max(1, epochs * a_pass + 1)


GOOD: dict[str, Any] = {"learning_rate": 1e-5, "epochs": 10, "batch_size": 32, "source": "paper"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": ""}, "no source"),
        ({"source": None}, "no source"),
        ({"steps": 5}, "both epochs and steps"),
        ({"rate": 1}, "has 'rate'"),
        *(({name: bad}, f"{name} = {bad!r}") for name in FIELDS for bad in (-1, "1", True, None) if name != "steps"),
        ({"batch_size": 1.5}, "batch_size = 1.5"),
        ({"warmup": 2}, "warmup = 2"),
        ({"learning_rate": float("inf")}, "learning_rate = inf"),
    ],
)
def test_a_recipe_that_nothing_can_run_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says.replace("(", r"\(")) as caught:
        PublishedRecipe.declared(GOOD | changes)
    assert caught.value.hint


@pytest.mark.parametrize("value", [None, "1e-5", [1e-5], {"source": "paper"}, {1: 2}])
def test_a_recipe_is_a_dictionary_that_says_something(value: Any) -> None:
    with pytest.raises(RecipeError):
        PublishedRecipe.declared(value)
