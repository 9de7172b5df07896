from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.model_editing.kfac_edit import KFACEdit, most_curved
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

WEIGHT = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("mass", "kept"),
    [
        # the products are 6 and 2 in the first row, 3 and 1 in the second, 12 in all
        (0.5, [[1.0, 0.0], [0.0, 0.0]]),
        (0.75, [[1.0, 0.0], [3.0, 0.0]]),
        (0.8, [[1.0, 2.0], [3.0, 0.0]]),
        (1.0, [[1.0, 2.0], [3.0, 4.0]]),
    ],
)
def test_what_stays_is_what_was_worked_out_by_hand(mass: float, kept: list[list[float]]) -> None:
    part = most_curved(WEIGHT, torch.diag(torch.tensor([3.0, 1.0])), torch.diag(torch.tensor([2.0, 1.0])), mass)
    assert_allclose(part, kept, atol=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.05, 0.999), st.floats(0.01, 100))
def test_the_edit_is_a_projection_that_keeps_the_mass_with_the_fewest_pairs(
    seed: int, mass: float, scale: float
) -> None:
    """Against the whole Kronecker product in numpy, whose eigenvectors are taken in order."""
    rng = np.random.default_rng(seed)
    weight, read, slopes = rng.normal(size=(3, 4)), rng.normal(size=(4, 9)), rng.normal(size=(3, 9))
    inputs, outputs = read @ read.T, slopes @ slopes.T
    values, vectors = np.linalg.eigh(np.kron(outputs, inputs))  # rows of W one after the other
    values, vectors = values[::-1], vectors[:, ::-1]
    count = int((np.cumsum(values) < mass * values.sum()).sum()) + 1
    by_formula = (vectors[:, :count] @ vectors[:, :count].T @ weight.flatten()).reshape(3, 4)
    before, reads, gives = (torch.from_numpy(one) for one in (weight, inputs, outputs))
    part = most_curved(before, reads, gives, mass)
    assert_allclose(part, by_formula, atol=1e-6)
    assert part.norm() <= before.norm() + 1e-9
    assert_allclose(most_curved(part, reads, scale * gives, mass), part, atol=1e-6)


def test_with_all_of_the_curvature_kept_text_is_read_as_before(memorized: LanguageModel, data: UnlearningData) -> None:
    edited = KFACEdit(mass=1.0).unlearn(memorized.copy(), data, Run(Recipe()))
    assert mean_logprob(edited, data.retain) == pytest.approx(mean_logprob(memorized, data.retain), abs=1e-3)
    (changed,), (before,) = (model.mlp_outputs([3]) for model in (edited, memorized))
    assert changed.weight.norm() < before.weight.norm()  # type: ignore[operator]


def test_only_the_chosen_blocks_change_and_what_is_recited_goes_before_what_is_kept(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    edited = KFACEdit(mass=0.5, window=2).unlearn(memorized.copy(), data, Run(Recipe()))
    before = dict(memorized.model.named_parameters())
    changed = {name for name, weight in edited.model.named_parameters() if not torch.equal(weight, before[name])}
    assert changed
    assert all(".mlp." in name and (".2." in name or ".3." in name) for name in changed)
    forgotten, kept = (
        mean_logprob(memorized, pairs) - mean_logprob(edited, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > kept
