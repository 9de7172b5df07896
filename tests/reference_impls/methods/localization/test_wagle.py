from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.wagle import WAGLE, attribution
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, most_salient

NUMBERS = st.lists(st.floats(-10, 10), min_size=3, max_size=3)


def test_scores_are_the_hand_computed_ones() -> None:
    scores = attribution(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.2]), torch.tensor([0.1, -0.3]), 2.0)
    assert_allclose(scores, [0.475, 0.37], atol=1e-6)
    assert most_salient([scores], 0.5)[0].tolist() == [True, False]


@given(NUMBERS, NUMBERS, NUMBERS, st.floats(0.1, 10))
def test_the_score_is_the_papers_and_does_not_see_signs(
    weights: list[float], forgetting: list[float], retaining: list[float], curvature: float
) -> None:
    w, f, r = (torch.tensor(one, dtype=torch.float64) for one in (weights, forgetting, retaining))
    found = attribution(w, f, r, curvature)
    paper = np.multiply(weights, forgetting) - np.multiply(forgetting, retaining) / curvature
    assert_allclose(found, np.abs(paper), atol=1e-9)
    assert torch.equal(found, attribution(w, -f, r, curvature))
    assert_allclose(attribution(w, f, 0 * r, curvature), np.abs(np.multiply(weights, forgetting)))


@pytest.mark.parametrize(("share", "weight_decay"), [(0.3, 0.5), (0.95, 0.0)])
def test_weights_outside_the_mask_stay_to_the_bit(
    share: float, weight_decay: float, memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=3, batch_size=2, weight_decay=weight_decay)
    unlearned = WAGLE(share=share).unlearn(memorized.copy(), data, Run(recipe))
    pairs = list(zip(memorized.model.parameters(), unlearned.model.parameters(), strict=True))
    moved = sum(int((one != other).sum()) for one, other in pairs)
    count = sum(one.numel() for one, _ in pairs)
    assert 0.5 * share * count < moved <= round(share * count)


def test_it_forgets_in_half_of_the_weights_and_keeps_the_rest(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=15, batch_size=3)
    unlearned = WAGLE(share=0.5).unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.3
