from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.second_order.rapidun import RapidUn, influence, influence_weights
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, nll_gradient

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

SCORES = st.lists(st.floats(-100, 100).map(lambda x: round(x, 2)), min_size=1, max_size=9)


def test_weights_are_the_hand_computed_ones() -> None:
    # apart from the median 2.5 by -1.5, -0.5, 0.5 and 7.5, the median of which is 1; the last is cut off at log 3
    expected = np.append(np.exp(np.array([-1.5, -0.5, 0.5]) / 1.4826), 3.0)
    weights = influence_weights(torch.tensor([1.0, 2.0, 3.0, 10.0]), 0.001, 1.0, 0.2, 3.0)
    assert_allclose(weights, expected / expected.mean(), atol=1e-5)
    assert_allclose(influence_weights(torch.tensor([4.0, 4.0, 4.0]), 0.001, 1.0, 0.2, 3.0), np.ones(3))


@pytest.mark.parametrize(
    ("floor", "expected"),
    [
        (1e-3, np.exp([0.0, 0.0, 0.0, -1.0, 0.5])),
        (5e-4, np.array([1.0, 1.0, 1.0, 0.2, np.e])),  # -2 is cut off at log 0.2
        (1.0, np.exp([0.0, 0.0, 0.0, -1e-3, 5e-4])),  # next to nothing
    ],
)
def test_where_most_scores_are_the_same_the_floor_takes_the_deviations_place(
    floor: float, expected: np.ndarray
) -> None:
    weights = influence_weights(torch.tensor([0.0, 0.0, 0.0, -0.001, 0.0005]), floor, 1.0, 0.2, 3.0)
    assert_allclose(weights, expected / expected.mean(), rtol=1e-5)


@settings(max_examples=40)
@given(SCORES, st.floats(0.1, 10), st.floats(0.5, 50), st.floats(-50, 50))
def test_neither_scale_nor_place_matters_and_weights_are_bounded(
    scores: list[float], temperature: float, scale: float, place: float
) -> None:
    given_scores = torch.tensor(scores, dtype=torch.float64)
    weights = influence_weights(given_scores, 0.001, temperature, 0.2, 3.0)
    assert float(weights.mean()) == pytest.approx(1)
    assert float(weights.max() / weights.min()) <= 15 + 1e-6
    assert (weights[given_scores.argsort()].diff() >= -1e-9).all()
    moved = influence_weights(scale * given_scores + place, 0.001, temperature, 0.2, 3.0)
    if float((given_scores - given_scores.quantile(0.5)).abs().quantile(0.5)) > 0.01:
        assert_allclose(moved, weights, rtol=1e-4)


def test_only_the_largest_influences_on_each_count() -> None:
    products = torch.tensor([[4.0, 1.0, 2.0], [3.0, 5.0, 1.0], [-1.0, 4.0, 3.0]])
    assert_allclose(influence(products, 3), [2.0, 3.0, 3.0])
    assert_allclose(influence(products, 2), [2.0, 3.0, 3.0])
    assert_allclose(influence(products, 1), [0.0, 0.0, 0.0])


def test_a_retain_set_of_more_than_twice_top_gets_weights_that_differ(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    method = RapidUn(measured=99, top=1)
    assert len(data.retain) > 2 * method.top
    _, kept = method.weights(memorized.copy(), data, Run(Recipe()))
    assert float(kept.mean()) == pytest.approx(1)
    assert len(set(kept.tolist())) > 1


def test_scores_are_medians_of_inner_products_of_gradients(memorized: LanguageModel, data: UnlearningData) -> None:
    model = memorized.copy()
    forgotten, kept = RapidUn(measured=99).weights(model, data, Run(Recipe()))
    parts = [nll_gradient(model, [pair]).parts for pair in (*data.forget, *data.retain)]
    gradients = np.array([np.concatenate([part.numpy().ravel() for part in one]) for one in parts])
    count, products = len(data.forget), gradients @ gradients.T
    to_forget, to_retain = np.median(products[:, :count], axis=1), np.median(products[:, count:], axis=1)

    def weights(scores: np.ndarray, temperature: float) -> np.ndarray:
        apart = scores - np.median(scores)
        bounded: np.ndarray = np.clip(np.exp(apart / (1.4826 * np.median(abs(apart))) / temperature), 0.2, 3)
        return np.array(bounded / bounded.mean())

    assert_allclose(forgotten, weights((to_forget - to_retain)[:count], 0.7), rtol=1e-3)
    assert_allclose(kept, weights((to_retain - to_forget)[count:], 1.2), rtol=1e-3)


def test_it_forgets_more_than_it_loses(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=5e-3, steps=6, batch_size=3)
    unlearned = RapidUn(measured=2, rank=8, replacement_weight=0.0).unlearn(memorized.copy(), data, Run(recipe))
    forgotten, lost = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > 0.3
    assert forgotten > 2 * lost
