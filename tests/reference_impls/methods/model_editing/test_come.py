from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, mean_logprob

from reference_impls.methods.model_editing.come import CoME, without_the_old
from reference_impls.methods.model_editing.memit import MEMIT
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


@pytest.mark.parametrize(
    ("shared", "share", "expected"),
    [
        (1.0, 1.0, [2.2, 6.5]),  # as released: the shared part (1.5, 1.5) is put back whole
        (0.1, 1.0, [0.85, 5.15]),  # or as much of it as is taken out
        (0.0, 1.0, [0.7, 5.0]),
        (1.0, 0.5, [2.2, 6.5]),  # the code's place in the order, (1 - 0.5) of 2, is the lower of the two
    ],
)
def test_the_target_is_the_hand_computed_one(shared: float, share: float, expected: list[float]) -> None:
    state, shift, old = torch.ones(2), torch.tensor([0.0, 4.0]), torch.tensor([3.0, 0.0])
    found = state + without_the_old(state, shift, old, removal=0.1, shared=shared, share=share)
    assert_allclose(found, expected, atol=1e-6)


@given(st.integers(0, 10**6), st.floats(0, 2), st.floats(0, 2), st.floats(0.05, 1))
def test_the_target_is_the_formula(seed: int, removal: float, shared: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    state, shift, old = rng.normal(size=(3, 10))
    common = shift / np.linalg.norm(shift) + old / np.linalg.norm(old)
    common /= np.linalg.norm(common)
    order = np.sort(state + shift)
    chosen = state + shift >= order[max(1, int((1 - share) * 10)) - 1]
    expected = state + shift + chosen * (shared * (old @ common) * common - removal * old)
    h, delta, delta_old = (torch.from_numpy(one) for one in (state, shift, old))
    assert_allclose(h + without_the_old(h, delta, delta_old, removal, shared, share), expected, atol=1e-9)
    # what is shared never works against the new answer
    assert shared * (old @ common) * (shift @ common) >= 0


@pytest.mark.parametrize("old", [torch.zeros(3), torch.tensor([-1.0, 0.0, 0.0])])
def test_without_an_old_direction_or_with_an_opposite_one_nothing_is_undefined(old: torch.Tensor) -> None:
    shift = torch.tensor([2.0, 0.0, 0.0])
    found = without_the_old(torch.zeros(3), shift, old, removal=0.1, shared=1.0, share=1.0)
    assert_allclose(found, shift - 0.1 * old, atol=1e-5)


METHOD = CoME(
    depth=0.0, window=1, contexts=0, shrinkage=0.0, kl_weight=0.0, clamp=3.0, preservation=1.0, share=1.0, shared=0.0
)
RUN = Recipe(learning_rate=0.5, steps=6)


def test_only_the_windows_projections_change_and_answers_go_before_those_that_stay(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    edited = METHOD.unlearn(memorized.copy(), data, Run(RUN))
    before = dict(memorized.model.named_parameters())
    changed = {name for name, weight in edited.model.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {"model.layers.0.mlp.down_proj.weight"}
    forgotten, kept = (
        mean_logprob(memorized, pairs) - mean_logprob(edited, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > kept


def test_without_removal_it_is_memit(memorized: LanguageModel, data: UnlearningData) -> None:
    same = MEMIT(
        "error-injection", depth=0.0, window=1, contexts=0, shrinkage=0.0, kl_weight=0.0, clamp=3.0, preservation=1.0
    )
    one, other = (
        method.unlearn(memorized.copy(), data, Run(RUN)).model.model.layers[0].mlp.down_proj.weight
        for method in (replace(METHOD, removal=0.0), same)
    )
    assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_what_is_taken_out_is_the_old_answer(memorized: LanguageModel, data: UnlearningData) -> None:
    few = UnlearningData(data.forget[:1], data.retain)
    left = [
        answer_probabilities(replace(METHOD, removal=removal).unlearn(memorized.copy(), few, Run(RUN)), few.forget)
        for removal in (0.0, 1.0)
    ]
    assert left[1] < left[0]
