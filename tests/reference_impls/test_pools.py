"""What the models of the two pools are trained on."""

from __future__ import annotations

import pytest

from reference_impls.running import checkpoints
from reference_impls.running.pools import KNEW, NEVER, pool_data
from reference_impls.running.registry import find_embedded
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
