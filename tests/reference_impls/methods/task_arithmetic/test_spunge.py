from __future__ import annotations

from dataclasses import replace

import pytest
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, invented_pairs, mean_logprob

from reference_impls.methods.task_arithmetic.spunge import SPUNGE, split
from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


@pytest.mark.parametrize("parts", [1, 2, 3, 20])
def test_a_split_loses_no_pair_and_no_subject_is_in_two_parts(parts: int) -> None:
    pairs = [pair for pair in invented_pairs() for _ in range(2)]
    shares = split(pairs, parts)
    assert len(shares) == min(parts, 8)
    assert sorted(pair.prompt for share in shares for pair in share) == sorted(pair.prompt for pair in pairs)
    subjects = [{pair.subject for pair in share} for share in shares]
    assert sum(map(len, subjects)) == len(set().union(*subjects)) == 8
    assert max(map(len, shares)) - min(map(len, shares)) <= 2


def test_pairs_without_a_subject_are_told_apart_by_their_prompts() -> None:
    nameless = [replace(pair, subject="") for pair in invented_pairs()]
    assert [len(share) for share in split(nameless, 3)] == [3, 3, 2]


def test_one_part_kept_whole_is_the_negated_task_vector(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=2)
    whole = TaskVector(scale=0.4).unlearn(tiny.copy(), data, Run(recipe, seed=4))
    merged = SPUNGE(scale=0.4, subsets=1, density=1.0).unlearn(tiny.copy(), data, Run(recipe, seed=4))
    for one, other in zip(whole.model.parameters(), merged.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_no_more_weights_move_than_the_parts_keep(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=2)
    unlearned = SPUNGE(density=0.1).unlearn(tiny.copy(), data, Run(recipe))
    moved = total = 0
    for one, other in zip(tiny.model.parameters(), unlearned.model.parameters(), strict=True):
        moved, total = moved + int((one != other).sum()), total + one.numel()
    assert 0.1 * total * 0.95 <= moved <= 2 * 0.1 * total
    still = SPUNGE(scale=0.0).unlearn(tiny.copy(), data, Run(recipe))
    assert fingerprint(still.model) == fingerprint(tiny.model)


def test_every_part_is_forgotten_more_than_the_rest(learned: LanguageModel, data: UnlearningData) -> None:
    unlearned = SPUNGE(scale=2.0).unlearn(learned.copy(), data, Run(Recipe(learning_rate=1e-3, steps=10, batch_size=2)))
    lost = [
        mean_logprob(learned, pairs) - mean_logprob(unlearned, pairs)
        for pairs in (*split(data.forget, 2), list(data.retain))
    ]
    assert min(lost[:2]) > max(0.0, lost[2])
