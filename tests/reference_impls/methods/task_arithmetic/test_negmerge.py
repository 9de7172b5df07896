from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.task_arithmetic.negmerge import NegMerge, spread_out
from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import LanguageModel, Method, Recipe, Run, UnlearningData, task_vector

RECIPE = Recipe(learning_rate=1e-2, steps=2)


@pytest.mark.parametrize(
    ("spread", "count", "rates"),
    [(2.0, 1, [0.1]), (2.0, 2, [0.05, 0.2]), (4.0, 3, [0.025, 0.1, 0.4]), (1.0, 3, [0.1, 0.1, 0.1])],
)
def test_the_learning_rates_are_in_equal_ratios_about_the_recipes(
    spread: float, count: int, rates: list[float]
) -> None:
    assert spread_out(0.1, spread, count) == pytest.approx(rates)


@given(st.floats(1e-6, 1), st.floats(1, 100), st.integers(2, 30))
def test_the_rates_ascend_within_the_spread_and_their_geometric_mean_is_the_recipes(
    middle: float, spread: float, count: int
) -> None:
    rates = torch.tensor(spread_out(middle, spread, count), dtype=torch.float64)
    assert (float(rates[0]), float(rates[-1])) == pytest.approx((middle / spread, middle * spread))
    assert bool((rates.diff() >= -1e-12).all())
    assert float(rates.log().mean().exp()) == pytest.approx(middle)


def test_one_training_is_the_negated_task_vector(tiny: LanguageModel, data: UnlearningData) -> None:
    whole = TaskVector(scale=0.4).unlearn(tiny.copy(), data, Run(RECIPE, seed=4))
    merged = NegMerge(scale=0.4, trainings=1).unlearn(tiny.copy(), data, Run(RECIPE, seed=4))
    for one, other in zip(whole.model.parameters(), merged.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_what_is_taken_away_is_the_mean_of_separate_trainings_where_their_signs_agree(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    run = Run(RECIPE, seed=3)
    unlearned = NegMerge(scale=0.5, trainings=2, spread=2.0).unlearn(tiny.copy(), data, run)
    trained = [
        Run(replace(RECIPE, learning_rate=rate), seed=6 + row).finetune(tiny.copy(), data.forget)
        for row, rate in enumerate((5e-3, 2e-2))
    ]
    vectors = zip(*(task_vector(tiny.model, tuned.model) for tuned in trained), strict=True)
    moved = total = 0
    for start, now, (first, second) in zip(tiny.model.parameters(), unlearned.model.parameters(), vectors, strict=True):
        alike = first * second > 0
        assert_allclose(now.detach(), (start - 0.5 * alike * (first + second) / 2).detach(), atol=1e-6)
        moved, total = moved + int(alike.sum()), total + alike.numel()
    assert 0.5 * total < moved < total  # more than by lot, and not all


def test_fewer_weights_move_the_more_trainings_have_to_agree_and_none_without_scale(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    def moved(**settings: float) -> int:
        unlearned = NegMerge(**settings).unlearn(tiny.copy(), data, Run(RECIPE))  # type: ignore[arg-type]
        pairs = zip(tiny.model.parameters(), unlearned.model.parameters(), strict=True)
        return sum(int((one != other).sum()) for one, other in pairs)

    counts = [moved(trainings=count) for count in (1, 2, 4)]
    assert counts[0] > counts[1] > counts[2] > 0
    assert moved(trainings=2, scale=0.0) == 0


def test_the_start_of_all_trainings_is_not_touched_by_them(fresh: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(fresh.model)
    NegMerge(scale=0.0, trainings=2).unlearn(fresh, data, Run(RECIPE))
    assert fingerprint(fresh.model) == before


def test_what_all_trainings_agree_on_costs_the_rest_less_than_one_training_for_as_much_forgetting(
    learned: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=8, batch_size=2)

    def lost(method: Method) -> np.ndarray:
        """By how much forget and retain answers have become less likely, per token."""
        unlearned = method.unlearn(learned.copy(), data, Run(recipe))
        return np.array(
            [mean_logprob(learned, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)]
        )

    forgotten, paid = lost(NegMerge(scale=2.0, trainings=4))
    single = np.array([(0.0, 0.0), lost(TaskVector(scale=0.5)), lost(TaskVector(scale=1.0))])
    assert 0.3 < forgotten < single[-1, 0]
    assert paid < 0.8 * np.interp(forgotten, single[:, 0], single[:, 1])
