"""The measured records in the repository, and what ships with the tasks."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.results import REFERENCES, Result, read_result_files
from reference_impls.registry import PACKAGE, RESULTS, find_method, method_class, methods
from reference_impls.runner import result_path
from reference_impls.training import Recipe

RECORDS = sorted(RESULTS.rglob("*.json"))
AUTHORS = PACKAGE / "tasks" / "authors"
SEEDS = (0, 1, 2)
DEFINITIONS = {one["id"]: one for one in yaml.safe_load((PACKAGE / "metrics" / "metrics.yaml").read_text("utf-8"))}


def _read(path: Path) -> Result:
    return Result.model_validate_json(path.read_bytes())


def test_all_records_can_be_read() -> None:
    results, problems = read_result_files(RESULTS, RESULTS)
    assert not problems
    assert len(results) == len(RECORDS) > 0


def test_every_method_has_a_record_for_every_seed_and_so_have_the_references() -> None:
    found = {(one.method, one.seed) for one in map(_read, RECORDS) if (one.task, one.model) == ("authors", "tiny")}
    assert found == {(one.id, seed) for one in methods() for seed in SEEDS} | {(one, 0) for one in REFERENCES}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_where_it_belongs_in_the_canonical_form(path: Path) -> None:
    result = _read(path)
    assert result_path(result) == path
    assert path.read_text(encoding="utf-8") == result.to_json()


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_holds_metrics_that_are_defined_and_in_range(path: Path) -> None:
    result = _read(path)
    assert result.metrics
    for name, value in result.metrics.items():
        low, high = DEFINITIONS[name]["range"]
        assert math.isfinite(value)
        assert low <= value <= high, name
    assert {one["id"] for one in DEFINITIONS.values()} == set(result.metrics)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_settings_that_its_method_allows(path: Path) -> None:
    result = _read(path)
    assert set(result.recipe) == {field.name for field in fields(Recipe)}
    if result.method in REFERENCES:
        assert result.hyperparameters == {}
        return
    found = find_method(result.method)
    assert set(result.hyperparameters) == {one.name for one in found.hyperparameters}
    method_class(found)(**result.hyperparameters)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_says_how_it_was_made_and_shows_answers(path: Path) -> None:
    result = _read(path)
    wanted = "make-task authors" if result.method in REFERENCES else f"run {result.method} --task authors --seed"
    assert wanted in result.command
    assert result.seconds >= 0
    assert result.peak_memory_bytes > 0
    assert {"python", "torch", "transformers"} <= set(result.versions)
    assert {one.split for one in result.examples} == {"forget", "retain", "holdout", "facts"}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for place in ("/home/", "/work/", "/root/", "/tmp/", "C:\\"):
        assert place not in text


# Recipes


def _recipes() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((AUTHORS / "recipes.yaml").read_text(encoding="utf-8"))
    return found


def test_every_method_has_a_recipe_and_nothing_else_has() -> None:
    assert set(_recipes()) == {one.id for one in methods()}


@pytest.mark.parametrize("method", [one.id for one in methods()])
def test_a_recipe_is_one_of_its_trials_and_allowed(method: str) -> None:
    recipe = dict(_recipes()[method])
    hyperparameters = recipe.pop("hyperparameters")
    Recipe(**recipe)
    method_class(find_method(method))(**hyperparameters)
    tried = json.loads((AUTHORS / "search.json").read_text(encoding="utf-8"))[method]
    best = max(tried, key=lambda row: row["score"])["settings"]
    assert best.items() <= (recipe | hyperparameters).items()
    assert all(0 <= row["score"] <= 1 for row in tried)


def test_every_method_was_given_the_same_number_of_trials() -> None:
    tried = json.loads((AUTHORS / "search.json").read_text(encoding="utf-8"))
    search = yaml.safe_load((AUTHORS / "search.yaml").read_text(encoding="utf-8"))
    assert {method: len(rows) for method, rows in tried.items()} == {one.id: search["budget"] for one in methods()}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_was_made_with_the_recipe(path: Path) -> None:
    result = _read(path)
    if result.method in REFERENCES:
        return
    recipe = dict(_recipes()[result.method])
    assert recipe.pop("hyperparameters").items() <= result.hyperparameters.items()
    assert recipe.items() <= result.recipe.items()


# Weights


def test_all_weights_that_ship_stay_under_10_mb_together() -> None:
    weights = list(PACKAGE.rglob("*.safetensors"))
    assert {path.parent.name for path in weights} >= {"target", "retrained"}
    assert sum(path.stat().st_size for path in weights) < 10_000_000
    assert not [path for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl") for path in PACKAGE.rglob(pattern)]


@pytest.mark.parametrize("which", ["target", "retrained"])
def test_the_weights_are_those_that_the_command_made(which: str) -> None:
    checkpoints = AUTHORS / "checkpoints"
    made = json.loads((checkpoints / "made.json").read_text(encoding="utf-8"))
    content = (checkpoints / which / "model.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == made[f"{which}_sha256"]
    assert made["command"] == "unlearn make-task authors"


def test_both_checkpoints_share_one_tokenizer() -> None:
    one, other = (AUTHORS / "checkpoints" / which / "tokenizer.json" for which in REFERENCES)
    assert one.read_bytes() == other.read_bytes()
