from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn
from unlearning_toys import fingerprint

from reference_impls.toolkit import (
    LanguageModel,
    elected_mean,
    subtract_task_vector,
    task_vector,
    ties,
    trimmed_task_vector,
    unanimous_mean,
)


def _subtract(model: nn.Module, finetuned: nn.Module, scale: float) -> None:
    subtract_task_vector(model, task_vector(model, finetuned), scale)


def _linear(rows: list[list[float]], dtype: torch.dtype = torch.float32) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight = nn.Parameter(torch.tensor(rows, dtype=dtype))
    return layer


@pytest.mark.parametrize(
    ("scale", "expected"), [(0.0, (1.0, 2.0)), (0.5, (0.75, 2.5)), (1.0, (0.5, 3.0)), (-1.0, (1.5, 1.0))]
)
def test_subtraction_gives_the_hand_computed_weights(scale: float, expected: tuple[float, float]) -> None:
    model = _linear([[1.0, 2.0]])
    _subtract(model, _linear([[1.5, 1.0]]), scale)
    assert_allclose(model.weight.detach()[0], expected)


def test_negating_twice_restores() -> None:
    model, start = _linear([[1.0, 2.0]]), _linear([[1.0, 2.0]])
    _subtract(model, _linear([[1.5, 1.0]]), 1.0)
    _subtract(start, model, 1.0)
    assert_allclose(start.weight.detach(), [[1.5, 1.0]])


@pytest.mark.parametrize("extra", ["model", "finetuned"])
def test_weights_that_only_one_model_has_are_an_error_that_names_them(extra: str) -> None:
    plain, biased = nn.Linear(2, 2, bias=False), nn.Linear(2, 2)
    pair = (biased, plain) if extra == "model" else (plain, biased)
    with pytest.raises(ValueError, match="bias"):
        _subtract(*pair, 1.0)


def test_16_bit_weights_are_subtracted_in_32_bits_and_rounded_once() -> None:
    model = _linear([[-0.25, 0.322265625, 0.349609375]], torch.bfloat16)
    finetuned = _linear([[-0.0341796875, 0.83984375, 0.6796875]], torch.bfloat16)
    _subtract(model, finetuned, 0.7)
    assert model.weight.dtype == torch.bfloat16
    # Differences taken in 16 bits would give -0.40234375, -0.0390625 and 0.1181640625.
    assert model.weight.detach().float().tolist() == [[-0.400390625, -0.0400390625, 0.11865234375]]


def test_tied_weights_are_moved_once(tiny: LanguageModel, fresh: LanguageModel) -> None:
    finetuned = tiny.copy()
    with torch.no_grad():
        finetuned.model.model.embed_tokens.weight.add_(0.5)
    _subtract(fresh.model, finetuned.model, 1.0)
    change = fresh.model.lm_head.weight - tiny.model.lm_head.weight
    assert_allclose(change.detach(), torch.full_like(change, -0.5).detach(), atol=1e-6)


def test_the_finetuned_model_is_not_changed(tiny: LanguageModel, fresh: LanguageModel) -> None:
    before = fingerprint(tiny.model)
    _subtract(fresh.model, tiny.model, 1.0)
    assert fingerprint(tiny.model) == before


def test_the_sum_of_two_trainings_is_undone_by_both_vectors_in_turn() -> None:
    start, first, second = [[1.0, 2.0]], [[1.5, 1.0]], [[0.0, 2.25]]
    model = _linear([[0.5, 1.25]])  # start + (0.5, -1) + (-1, 0.25)
    for finetuned in (first, second):
        subtract_task_vector(model, list(task_vector(_linear(start), _linear(finetuned))), 1.0)
    assert model.weight.detach().tolist() == start


# Several of them

START = [1.0, 1.0, 1.0]


class _Weights(nn.Module):
    """Two tensors, so that trimming has to look at both together."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.tensor(values[:1]))
        self.two = nn.Parameter(torch.tensor(values[1:]))


def _ties(vectors: list[list[float]], density: float) -> list[float]:
    start = _Weights(START)
    tuned = [_Weights([one + change for one, change in zip(START, vector, strict=True)]) for vector in vectors]
    return torch.cat(list(ties(start, tuned, density))).tolist()


def _elected_by_formula(vectors: np.ndarray) -> np.ndarray:
    """The mean of the entries whose sign is that of the sum, entry by entry."""
    means = []
    for column in vectors.T:
        agreeing = [one for one in column if one * column.sum() > 0]
        means.append(np.mean(agreeing) if agreeing else 0.0)
    return np.array(means)


def test_two_vectors_merge_by_ties_into_the_hand_computed_one() -> None:
    # Trimmed to two entries of three: (1, -2, 0) and (3, 1, 0); signs (+, -, 0).
    assert_allclose(_ties([[1.0, -2.0, 0.1], [3.0, 1.0, -0.2]], 2 / 3), (2.0, -2.0, 0.0), atol=1e-6)


@pytest.mark.parametrize(
    ("density", "expected"), [(1 / 3, (4.0, 0.0, -3.0)), (2 / 3, (4.0, 2.0, -3.0)), (1.0, (2.125, 2.0, -3.0))]
)
def test_the_largest_entries_of_the_whole_vector_are_kept(density: float, expected: tuple[float, ...]) -> None:
    assert_allclose(_ties([[4.0, -1.0, 0.5], [0.25, 2.0, -3.0]], density), expected, atol=1e-6)


vectors = st.integers(1, 4).flatmap(
    lambda parts: st.lists(
        st.lists(st.integers(-8, 8).map(lambda one: one / 4), min_size=3, max_size=3), min_size=parts, max_size=parts
    )
)


@given(vectors)
def test_the_elected_mean_is_the_formula_whatever_the_order_and_sign(given_vectors: list[list[float]]) -> None:
    stacked = torch.tensor(given_vectors)
    merged = elected_mean(stacked)
    assert_allclose(merged, _elected_by_formula(np.array(given_vectors)), atol=1e-6)
    assert_allclose(elected_mean(stacked.flip(0)), merged, atol=1e-6)
    assert_allclose(elected_mean(-stacked), -merged, atol=1e-6)
    assert bool((merged.abs() <= stacked.abs().amax(dim=0) + 1e-6).all())


def _unanimous(vectors: list[list[float]]) -> list[float]:
    """Each vector as two tensors, made only when its turn comes."""
    tensors = ([torch.tensor(vector[:1]), torch.tensor(vector[1:])] for vector in vectors)
    return torch.cat(unanimous_mean(tensors)).tolist()


def test_one_dissenting_sign_or_zero_takes_an_entry_out_of_the_unanimous_mean() -> None:
    three = [[1.0, -2.0, 0.1, 0.0], [3.0, -1.0, -0.2, 2.0], [2.0, -3.0, 0.3, 1.0]]
    assert _unanimous(three) == [2.0, -2.0, 0.0, 0.0]
    assert _unanimous([*three, [-1.0, -2.0, 1.0, 1.0]]) == [0.0, -2.0, 0.0, 0.0]


@given(vectors)
def test_the_unanimous_mean_is_the_formula_whatever_the_order_and_sign(given_vectors: list[list[float]]) -> None:
    stacked = np.array(given_vectors)
    alike = (stacked > 0).all(axis=0) | (stacked < 0).all(axis=0)
    merged = _unanimous(given_vectors)
    assert_allclose(merged, stacked.mean(axis=0) * alike, atol=1e-6)
    assert_allclose(_unanimous(given_vectors[::-1]), merged, atol=1e-6)
    assert_allclose(_unanimous((-stacked).tolist()), np.negative(merged), atol=1e-6)
    # One more vector can only take entries away.
    more = _unanimous([*given_vectors, [1.0, -1.0, 0.5]])
    assert set(np.flatnonzero(more)) <= set(np.flatnonzero(merged))


def test_no_vectors_are_changed_by_merging_them() -> None:
    first, second = torch.tensor([1.0, -2.0]), torch.tensor([3.0, -1.0])
    unanimous_mean([[first], [second]])
    elected_mean(torch.stack([first, second]))
    assert (first.tolist(), second.tolist()) == ([1.0, -2.0], [3.0, -1.0])


@pytest.mark.parametrize(("density", "expected"), [(1 / 3, (0.0, -3.0, 0.0)), (2 / 3, (0.0, -3.0, 2.0))])
def test_trimming_keeps_the_largest_entries_of_all_weights_together(
    density: float, expected: tuple[float, ...]
) -> None:
    trimmed = trimmed_task_vector(_Weights(START), _Weights([2.0, -2.0, 3.0]), density)
    assert_allclose(torch.cat(list(trimmed)), expected)
