"""The measured records in the repository, and what ships with the tasks: one test for each question.

What is committed must be whole and right. What is not measured yet may be missing: `catalog report` lists it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import yaml

from catalog.model.claims import read_claims
from catalog.model.results import EMBEDDED, MADE_HERE, REFERENCES, Result, read_result_files
from catalog.model.trials import Trial, winner
from reference_impls.running.make_task import AGAIN
from reference_impls.running.registry import (
    PACKAGE,
    RESULTS,
    find_method,
    home,
    implementations,
    method_class,
    other_models,
    search_of,
)
from reference_impls.running.registry import recipes as read_recipes
from reference_impls.toolkit import Recipe

TASKS = [one.id for one in implementations().values() if one.kind == "task"]
PLACES = [(task, model) for task in TASKS for model in (EMBEDDED, *other_models(task))]
"""Tasks, each with every model that it ships."""
SEEDS = (0, 1, 2)
DEFINITIONS = {one["id"]: one for one in yaml.safe_load((PACKAGE / "metrics" / "metrics.yaml").read_text("utf-8"))}


@cache
def records() -> dict[str, Result]:
    """Every record by its file."""
    results, problems = read_result_files(RESULTS, RESULTS)
    assert not problems
    assert results
    return results


@cache
def recipes(task: str, model: str) -> dict[str, dict[str, Any]]:
    return read_recipes(task, model)


def of_methods() -> Iterator[tuple[str, Result]]:
    return ((file, result) for file, result in records().items() if result.method not in REFERENCES)


def with_models() -> list[tuple[str, str]]:
    """The tasks and models of which checkpoints have been made."""
    return [place for place in PLACES if (home(*place) / "checkpoints").is_dir()]


@cache
def tried(task: str, model: str) -> dict[str, list[dict[str, Any]]]:
    path = home(task, model) / "search.json"
    found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


# Which records there are


def test_a_method_that_was_measured_on_a_task_was_measured_with_every_seed() -> None:
    seeds: dict[tuple[str, str, str, float, int], list[int]] = {}
    for _, one in of_methods():
        seeds.setdefault((one.task, one.model, one.method, one.forget_share, one.requests), []).append(one.seed)
    # A run on a larger model takes long: there, the first seeds do.
    wanted = {run: SEEDS if run[1] == EMBEDDED else SEEDS[: len(found)] for run, found in seeds.items()}
    assert {run: found for run, found in seeds.items() if sorted(found) != list(wanted[run])} == {}


def test_a_method_that_was_measured_has_a_recipe() -> None:
    assert [file for file, one in of_methods() if one.method not in recipes(one.task, one.model)] == []


def test_every_task_with_models_has_records_of_both_references() -> None:
    found = {(one.task, one.model, one.method) for one in records().values() if one.method in REFERENCES}
    assert found == {(*place, which) for place in with_models() for which in REFERENCES}


def test_a_course_has_every_share_for_each_of_its_methods() -> None:
    shares: dict[str, dict[str, set[float]]] = {}
    for _, one in of_methods():
        if one.requests == 1 and one.forget_share < 1:
            shares.setdefault(one.task, {}).setdefault(one.method, set()).add(one.forget_share)
    assert {task: found for task, found in shares.items() if len({frozenset(one) for one in found.values()}) > 1} == {}


# What is in them


def test_records_are_where_they_belong_in_the_canonical_form() -> None:
    wrong = [
        file
        for file, one in records().items()
        if one.file != file or (RESULTS / file).read_text(encoding="utf-8") != one.to_json()
    ]
    assert wrong == []


def test_metrics_are_defined_and_in_range() -> None:
    wrong = []
    for file, one in records().items():
        for measured in (one.metrics, one.attacks, *one.stages):
            for name, value in measured.items():
                low, high = DEFINITIONS[name]["range"]
                if not (math.isfinite(value) and low <= value <= high):
                    wrong.append((file, name, value))
    assert wrong == []


def test_whole_runs_are_attacked_and_several_requests_have_stages() -> None:
    wrong = [
        file
        for file, one in records().items()
        if not one.metrics
        or (bool(one.attacks) != one.plain and one.model == EMBEDDED)
        or len(one.stages) != (one.requests if one.requests > 1 else 0)
    ]
    assert wrong == []


def test_all_records_of_a_task_hold_the_same_measurements() -> None:
    for task in TASKS:
        own = [one for one in records().values() if (one.task, one.model) == (task, EMBEDDED)]
        assert len({frozenset(one.metrics) for one in own}) <= 1, task
        assert len({frozenset(stage) for one in own for stage in one.stages}) <= 1, task
        attacks = max((set(one.attacks) for one in own), key=len, default=set())
        assert all(set(one.attacks) <= attacks for one in own), task


def test_the_retrained_model_is_even_with_itself() -> None:
    for file, one in records().items():
        if one.method == "retrained" and one.seed == 0:
            assert abs(one.metrics["forget_kl"]) < 1e-9, file
            assert one.metrics["relative_distance"] == 0.0, file
            assert one.attacks.get("membership_reference", 0.5) == 0.5, file


def test_settings_are_those_that_the_method_has_and_allows() -> None:
    recipe = {field.name for field in fields(Recipe)}
    for file, one in records().items():
        assert set(one.recipe) == recipe, file
        if one.method in REFERENCES:
            assert one.hyperparameters == {}, file
            continue
        found = find_method(one.method)
        assert set(one.hyperparameters) == {hyperparameter.name for hyperparameter in found.hyperparameters}, file
        method_class(found)(**one.hyperparameters)


def test_a_record_was_made_with_the_recipe() -> None:
    wrong = []
    for file, one in of_methods():
        recipe = dict(recipes(one.task, one.model)[one.method])
        hyperparameters = recipe.pop("hyperparameters")
        if not (hyperparameters.items() <= one.hyperparameters.items() and recipe.items() <= one.recipe.items()):
            wrong.append(file)
    assert wrong == []


def test_a_record_says_how_it_was_made_and_shows_answers() -> None:
    for file, one in records().items():
        larger = "" if one.model == EMBEDDED else f" --model {one.model}"
        made = f"run {one.method} --task {one.task}{larger} --seed"
        assert (f"make-task {one.task}{larger}" if one.method in REFERENCES else made) in one.command, file
        assert one.seconds > 0 or not one.backward_passes, file  # a filter of names is ready within 5 ms
        assert one.peak_memory_bytes > 0, file
        assert {"python", "torch", "transformers"} <= set(one.versions), file
        assert {example.split for example in one.examples} >= {"forget", "retain", "facts"}, file


def test_no_record_names_a_machine() -> None:
    places = ("/home/", "/root/", "/tmp/", "/Users/", "C:\\", str(PACKAGE.parent))
    texts = {file: (RESULTS / file).read_text(encoding="utf-8") for file in records()}
    assert [file for file, text in texts.items() if any(place in text for place in places)] == []


def test_every_model_that_was_made_here_was_retrained_with_other_seeds() -> None:
    """How far two retrained models are apart is the noise of every number on a board."""
    for task, model in PLACES:
        if model in MADE_HERE:
            seeds = [
                one.seed
                for one in records().values()
                if (one.method, one.task, one.model) == ("retrained", task, model)
            ]
            assert sorted(seeds) == [0, *AGAIN], (task, model)


# Recipes


def test_a_recipe_is_the_best_of_its_trials_and_allowed() -> None:
    for place in PLACES:
        for method, chosen in recipes(*place).items():
            recipe = dict(chosen)
            hyperparameters = recipe.pop("hyperparameters")
            Recipe(**recipe)
            method_class(find_method(method))(**hyperparameters)
            rows = tried(*place)[method]
            best = winner([Trial(**row) for row in rows]).settings
            assert best.items() <= (recipe | hyperparameters).items(), (place, method)


def test_every_method_was_given_the_same_number_of_trials() -> None:
    for place in PLACES:
        counted = {method: len(rows) for method, rows in tried(*place).items()}
        # A search from before methods had a knob had a budget of its own, and measured no parts of the score.
        anew = any("closeness" in row for rows in tried(*place).values() for row in rows)
        budget = search_of(*place)["budget"] if anew else max(counted.values(), default=0)
        assert counted == dict.fromkeys(recipes(*place), budget), place


def test_no_more_trials_were_looked_at_again_than_the_search_says_and_the_best_ones_were() -> None:
    """Searches from before have no second looks; `unlearn tune --again` makes up for them."""
    for place in PLACES:
        for method, rows in tried(*place).items():
            trials = [Trial(**row) for row in rows]
            again = [trial for trial in trials if trial.again is not None]
            others = [trial.score for trial in trials if trial.again is None]
            assert len(again) <= search_of(*place)["again"], (place, method)
            assert not again or min(trial.score for trial in again) >= max(others, default=0.0), (place, method)


# Attacks


def test_no_prompt_measures_confusion() -> None:
    """A question put otherwise, begun, or behind others is still answered by the models that know the answer."""
    for task in TASKS:
        target, retrained = (records()[f"{task}/tiny/{which}-0.json"] for which in ("target", "retrained"))
        headline = implementations()[task].headline
        assert headline
        prompts = {"rephrased", "prefix", "in_context"} & target.attacks.keys()
        assert "in_context" in prompts
        for attack in prompts:
            assert target.attacks[attack] > 0.7 * target.metrics[headline], (task, attack)
            assert target.attacks[attack] > retrained.attacks[attack] + 0.3, (task, attack)


# Weights


def test_all_weights_that_ship_stay_small() -> None:
    """7 MB for each of three tasks, and on one of them 10 MB each for a mixture of experts and SmolLM2's adapters."""
    weights = list(PACKAGE.rglob("*.safetensors"))
    assert {path.parent.name for path in weights} >= {"target", "retrained"}
    assert sum(path.stat().st_size for path in weights) < 41_000_000
    assert max(path.stat().st_size for path in weights) < 5_000_000
    assert not [path for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl") for path in PACKAGE.rglob(pattern)]


def test_the_weights_are_those_that_the_command_made() -> None:
    for task, model in with_models():
        checkpoints = home(task, model) / "checkpoints"
        made = json.loads((checkpoints / "made.json").read_text(encoding="utf-8"))
        assert made["command"] == f"unlearn make-task {task}" + ("" if model == EMBEDDED else f" --model {model}")
        for which in REFERENCES:
            (weights,) = (checkpoints / which).glob("*.safetensors")
            assert hashlib.sha256(weights.read_bytes()).hexdigest() == made[f"{which}_sha256"], (task, model, which)


def test_both_checkpoints_share_one_tokenizer() -> None:
    for task in (task for task, model in with_models() if model == EMBEDDED):
        one, other = (home(task) / "checkpoints" / which / "tokenizer.json" for which in REFERENCES)
        assert one.read_bytes() == other.read_bytes(), task


# Claims


def test_claims_are_of_settings_that_the_search_has_tried() -> None:
    claims, problems = read_claims(PACKAGE, PACKAGE.parent)
    assert not problems
    for claim in claims:
        for evidence in claim.evidence:
            for method, settings in ((claim.method, evidence.at), (evidence.of, evidence.other_at)):
                if settings and method not in REFERENCES:
                    rows = tried(evidence.task, EMBEDDED)[method]
                    assert any(settings.items() <= row["settings"].items() for row in rows), claim
