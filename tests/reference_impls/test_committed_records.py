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

from catalog.model.claims import Evidence, read_claims
from catalog.model.results import REFERENCES, Result, read_result_files
from reference_impls.running.records import result_path
from reference_impls.running.registry import (
    DEFAULT_TASK,
    PACKAGE,
    RESULTS,
    find_method,
    implementations,
    method_class,
    methods,
)
from reference_impls.running.tuning import trials
from reference_impls.toolkit import Recipe

RECORDS = sorted(RESULTS.rglob("*.json"))
TASKS = [one.id for one in implementations().values() if one.kind == "task"]
SEEDS = (0, 1, 2)
DEFINITIONS = {one["id"]: one for one in yaml.safe_load((PACKAGE / "metrics" / "metrics.yaml").read_text("utf-8"))}


def _read(path: Path) -> Result:
    return Result.model_validate_json(path.read_bytes())


def test_all_records_can_be_read() -> None:
    results, problems = read_result_files(RESULTS, RESULTS)
    assert not problems
    assert len(results) == len(RECORDS) > 0


def _of_task(task: str) -> list[Result]:
    return [one for one in map(_read, RECORDS) if (one.task, one.model) == (task, "tiny")]


@pytest.mark.parametrize("task", TASKS)
def test_every_method_with_a_recipe_has_a_record_for_every_seed_and_so_have_the_references(task: str) -> None:
    found = {(one.method, one.seed) for one in _of_task(task) if one.plain}
    assert found == {(one, seed) for one in _recipes(task) for seed in SEEDS} | {(one, 0) for one in REFERENCES}


@pytest.mark.parametrize("task", TASKS)
def test_a_course_has_every_seed_and_every_share_for_each_of_its_methods(task: str) -> None:
    other = [one for one in _of_task(task) if not one.plain]
    seeds: dict[tuple[str, float, int], list[int]] = {}
    shares: dict[str, set[float]] = {}
    for one in other:
        assert one.method in _recipes(task)
        seeds.setdefault((one.method, one.forget_share, one.requests), []).append(one.seed)
        if one.requests == 1:
            shares.setdefault(one.method, set()).add(one.forget_share)
    assert all(sorted(found) == list(SEEDS) for found in seeds.values())
    assert len({frozenset(found) for found in shares.values()}) <= 1


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_where_it_belongs_in_the_canonical_form(path: Path) -> None:
    result = _read(path)
    assert result_path(result) == path
    assert path.read_text(encoding="utf-8") == result.to_json()


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_holds_metrics_that_are_defined_and_in_range(path: Path) -> None:
    result = _read(path)
    assert result.metrics
    assert bool(result.attacks) == result.plain
    assert len(result.stages) == (result.requests if result.requests > 1 else 0)
    for measured in (result.metrics, result.attacks, *result.stages):
        for name, value in measured.items():
            low, high = DEFINITIONS[name]["range"]
            assert math.isfinite(value)
            assert low <= value <= high, name


@pytest.mark.parametrize("task", TASKS)
def test_all_records_of_a_task_hold_the_same_measurements(task: str) -> None:
    records = _of_task(task)
    assert len({frozenset(one.metrics) for one in records}) == 1
    assert len({frozenset(stage) for one in records for stage in one.stages}) <= 1
    attacks = max((set(one.attacks) for one in records), key=len)
    assert all(set(one.attacks) <= attacks for one in records)


def test_the_retrained_model_is_even_with_itself() -> None:
    for one in map(_read, RECORDS):
        if one.method == "retrained":
            assert one.metrics["forget_kl"] == pytest.approx(0.0, abs=1e-9)
            assert one.metrics["relative_distance"] == 0.0
            assert one.attacks.get("membership_reference", 0.5) == 0.5


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
    wanted = (
        f"make-task {result.task}"
        if result.method in REFERENCES
        else f"run {result.method} --task {result.task} --seed"
    )
    assert wanted in result.command
    assert result.seconds >= 0
    assert result.peak_memory_bytes > 0
    assert {"python", "torch", "transformers"} <= set(result.versions)
    assert {one.split for one in result.examples} >= {"forget", "retain", "facts"}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for place in ("/home/", "/root/", "/tmp/", "/Users/", "C:\\", str(PACKAGE.parent)):
        assert place not in text


# Recipes


def _folder(task: str) -> Path:
    return PACKAGE / "tasks" / task


def _recipes(task: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((_folder(task) / "recipes.yaml").read_text(encoding="utf-8"))
    return found


def _tried(task: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads((_folder(task) / "search.json").read_text(encoding="utf-8"))
    return found


def test_every_method_has_a_recipe_on_the_default_task_and_nothing_else_has() -> None:
    assert set(_recipes(DEFAULT_TASK)) == {one.id for one in methods()}


@pytest.mark.parametrize(("task", "method"), [(task, method) for task in TASKS for method in _recipes(task)])
def test_a_recipe_is_the_best_of_its_trials_and_allowed(task: str, method: str) -> None:
    recipe = dict(_recipes(task)[method])
    hyperparameters = recipe.pop("hyperparameters")
    Recipe(**recipe)
    method_class(find_method(method))(**hyperparameters)
    tried = _tried(task)[method]
    best = max(tried, key=lambda row: row["score"])["settings"]
    assert best.items() <= (recipe | hyperparameters).items()
    assert all(0 <= row["score"] <= 1 for row in tried)


@pytest.mark.parametrize("task", TASKS)
def test_every_method_was_given_the_same_number_of_trials(task: str) -> None:
    search = yaml.safe_load((_folder(task) / "search.yaml").read_text(encoding="utf-8"))
    assert {one: len(rows) for one, rows in _tried(task).items()} == dict.fromkeys(_recipes(task), search["budget"])


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_was_made_with_the_recipe(path: Path) -> None:
    result = _read(path)
    if result.method in REFERENCES:
        return
    recipe = dict(_recipes(result.task)[result.method])
    assert recipe.pop("hyperparameters").items() <= result.hyperparameters.items()
    assert recipe.items() <= result.recipe.items()


# Weights


def test_all_weights_that_ship_stay_under_30_mb_together() -> None:
    weights = list(PACKAGE.rglob("*.safetensors"))
    assert {path.parent.name for path in weights} >= {"target", "retrained"}
    assert sum(path.stat().st_size for path in weights) < 30_000_000
    assert not [path for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl") for path in PACKAGE.rglob(pattern)]


@pytest.mark.parametrize("which", ["target", "retrained"])
@pytest.mark.parametrize("task", TASKS)
def test_the_weights_are_those_that_the_command_made(task: str, which: str) -> None:
    checkpoints = _folder(task) / "checkpoints"
    made = json.loads((checkpoints / "made.json").read_text(encoding="utf-8"))
    content = (checkpoints / which / "model.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == made[f"{which}_sha256"]
    assert made["command"] == f"unlearn make-task {task}"


@pytest.mark.parametrize("task", TASKS)
def test_both_checkpoints_share_one_tokenizer(task: str) -> None:
    one, other = (_folder(task) / "checkpoints" / which / "tokenizer.json" for which in REFERENCES)
    assert one.read_bytes() == other.read_bytes()


# Claims

CLAIMS, CLAIM_PROBLEMS = read_claims(PACKAGE, PACKAGE.parent)


def test_something_is_claimed_of_every_method() -> None:
    assert not CLAIM_PROBLEMS
    assert {one.method for one in CLAIMS} == {one.id for one in methods()}


@pytest.mark.parametrize(
    ("method", "evidence"), [(claim.method, one) for claim in CLAIMS for one in claim.evidence if one.at or one.of_at]
)
def test_a_claim_is_of_settings_that_the_search_tries(method: str, evidence: Evidence) -> None:
    search = yaml.safe_load((_folder(evidence.task) / "search.yaml").read_text(encoding="utf-8"))
    for one, settings in ((method, evidence.at), (evidence.of, evidence.of_at or evidence.at)):
        if one not in REFERENCES:
            assert any(settings.items() <= trial.items() for trial in trials(search, one))
