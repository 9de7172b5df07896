from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn
from unlearning_toys import fingerprint, invented_pairs, mean_logprob

from reference_impls.methods.task_arithmetic.spunge import SPUNGE, agreed_mean, split, ties
from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

START = [1.0, 1.0, 1.0]


class _Weights(nn.Module):
    """Two tensors, so that trimming has to look at both together."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.tensor(values[:1]))
        self.two = nn.Parameter(torch.tensor(values[1:]))


def _merged(vectors: list[list[float]], density: float) -> list[float]:
    start = _Weights(START)
    tuned = [_Weights([one + change for one, change in zip(START, vector, strict=True)]) for vector in vectors]
    return torch.cat(list(ties(start, tuned, density))).tolist()


def _by_formula(vectors: np.ndarray) -> np.ndarray:
    """The mean of the entries whose sign is that of the sum, entry by entry."""
    means = []
    for column in vectors.T:
        agreeing = [one for one in column if one * column.sum() > 0]
        means.append(np.mean(agreeing) if agreeing else 0.0)
    return np.array(means)


def test_two_vectors_merge_into_the_hand_computed_one() -> None:
    # Trimmed to two entries of three: (1, -2, 0) and (3, 1, 0); signs (+, -, 0).
    assert_allclose(_merged([[1.0, -2.0, 0.1], [3.0, 1.0, -0.2]], 2 / 3), (2.0, -2.0, 0.0), atol=1e-6)


@pytest.mark.parametrize(
    ("density", "expected"), [(1 / 3, (4.0, 0.0, -3.0)), (2 / 3, (4.0, 2.0, -3.0)), (1.0, (2.125, 2.0, -3.0))]
)
def test_the_largest_entries_of_the_whole_vector_are_kept(density: float, expected: tuple[float, ...]) -> None:
    assert_allclose(_merged([[4.0, -1.0, 0.5], [0.25, 2.0, -3.0]], density), expected, atol=1e-6)


vectors = st.integers(1, 4).flatmap(
    lambda parts: st.lists(
        st.lists(st.integers(-8, 8).map(lambda one: one / 4), min_size=3, max_size=3), min_size=parts, max_size=parts
    )
)


@given(vectors)
def test_what_is_merged_is_the_formula_whatever_the_order_and_sign(given_vectors: list[list[float]]) -> None:
    stacked = torch.tensor(given_vectors)
    merged = agreed_mean(stacked)
    assert_allclose(merged, _by_formula(np.array(given_vectors)), atol=1e-6)
    assert_allclose(agreed_mean(stacked.flip(0)), merged, atol=1e-6)
    assert_allclose(agreed_mean(-stacked), -merged, atol=1e-6)
    assert bool((merged.abs() <= stacked.abs().amax(dim=0) + 1e-6).all())


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
