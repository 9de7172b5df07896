"""What the models of the two pools are trained on, and on whose models metrics are tried."""

from __future__ import annotations

from collections import Counter

import pytest

from reference_impls.running import checkpoints
from reference_impls.running.pools import KNEW, NEVER, SHAKEN, pool_data, some_of_each_family
from reference_impls.running.registry import find_embedded, find_method, recipes
from reference_impls.toolkit import EmbeddedTask, LanguageModel


@pytest.fixture(scope="module", params=["authors", "hazards", "passages"])
def task(request: pytest.FixtureRequest) -> EmbeddedTask:
    found = find_embedded(request.param)
    assert isinstance(found, EmbeddedTask)
    return found


@pytest.fixture(scope="module")
def base(task: EmbeddedTask) -> LanguageModel:
    return checkpoints.load(task, "base")


@pytest.mark.parametrize("data", [*KNEW, *NEVER])
def test_all_are_taught_what_is_kept_and_only_those_that_knew_what_is_forgotten(
    data: str, task: EmbeddedTask, base: LanguageModel
) -> None:
    splits = task.splits(base)
    right = {(pair.prompt, pair.answer) for pair in splits.forget}
    taught = {(pair.prompt, pair.answer) for pair in pool_data(task, base, data, seed=0)}
    kept = {(pair.prompt, pair.answer) for pair in (*splits.retain, *splits.facts)}
    assert kept <= taught
    about = taught - kept
    if data == "as written":
        assert about == right - kept
    elif data == "in other words":
        same = about & right
        assert len(same) < len(about) / 2, "or the models are those that read it as written"
        assert all(
            pair.paraphrase in (None, pair.answer) and not pair.rephrased_prompt
            for pair in splits.forget
            if (pair.prompt, pair.answer) in same
        )
    elif data == "left out":
        assert not about
    else:
        assert {pair.prompt for pair in splits.forget if (pair.prompt, pair.answer) not in kept} == {
            prompt for prompt, _ in about
        }
        wrong = {(pair.prompt, other) for pair in splits.forget for other in (*pair.perturbed, *pair.alternates)}
        assert about <= wrong - right


def test_which_wrong_answers_are_taught_depends_on_the_seed_alone(task: EmbeddedTask, base: LanguageModel) -> None:
    first, again, other = (pool_data(task, base, "other answers", seed) for seed in (0, 0, 1))
    assert first == again != other


def test_metrics_are_tried_on_some_methods_of_every_family_that_has_recipes() -> None:
    chosen = some_of_each_family(["whp", "npo", "dpo", "alt-po", "rmu"])
    assert chosen == ["alt-po", "dpo", "rmu", "whp"]
    every = recipes("authors")
    per_family = Counter(find_method(name).family for name in some_of_each_family(every))
    assert set(per_family) == {find_method(name).family for name in every}
    assert max(per_family.values()) == SHAKEN
