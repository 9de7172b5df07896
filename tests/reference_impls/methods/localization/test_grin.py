from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.grin import GRIN, gradient_ratio
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_the_ratio_is_the_hand_computed_one() -> None:
    ratio = gradient_ratio(torch.tensor([1.0, 2.0, -3.0, 0.0]), torch.tensor([1.0, -4.0, 1.0, 0.0]))
    assert_allclose(ratio, [1.0, 0.5, 3.0, 0.0], rtol=1e-6)


@given(st.floats(0.1, 100), st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)), min_size=2, max_size=6))
def test_scale_does_not_change_the_order(scale: float, both: list[tuple[float, float]]) -> None:
    forgetting, retaining = (torch.tensor(values, dtype=torch.float64) for values in zip(*both, strict=True))
    assert_allclose(
        gradient_ratio(scale * forgetting, retaining), scale * gradient_ratio(forgetting, retaining), rtol=1e-9
    )


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_only_the_chosen_share_moves(memorized: LanguageModel, data: UnlearningData, noise: float) -> None:
    moved = GRIN(share=0.05, noise=noise).unlearn(
        memorized.copy(), data, Run(Recipe(learning_rate=1e-3, steps=1, batch_size=4))
    )
    before, after = (
        torch.cat([weight.detach().flatten() for weight in model.model.parameters()]) for model in (memorized, moved)
    )
    assert 0 < float((before != after).double().mean()) <= 0.0501


def test_it_forgets_more_than_it_loses(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=2e-3, steps=10, batch_size=4)
    unlearned = GRIN(retain_weight=5.0).unlearn(memorized.copy(), data, Run(recipe))
    forgotten, lost = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > 0.5
    assert forgotten > 3 * lost
