from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.manu import BUSY, MANU, SMALLEST, scores, statistics, totals
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

VALUES = st.lists(st.floats(-10, 10), min_size=1, max_size=6)


def _statistics(values: list[float]) -> torch.Tensor:
    """(4, 1) of one neuron."""
    return statistics(totals(torch.tensor(values, dtype=torch.float64)[:, None]) / len(values))


def test_the_score_is_the_hand_computed_one() -> None:
    """z is 1 and 3 on what is forgotten, 0 and 2 on what is kept: means 2 and 1, half of the latter busy, deviations 1
    and 1, squares 5 and 2. So the score is (2 - 1) + w (2 - 1) + (1 - 1) + (√2.5 - 1)."""
    forgotten, kept = _statistics([1.0, 3.0]), _statistics([0.0, 2.0])
    assert_allclose(forgotten[:, 0], [2, 1, 1, 5**0.5], rtol=1e-9)
    assert_allclose(kept[:, 0], [1, 0.5, 1, 2**0.5], rtol=1e-9)
    for frequency in (0.0, 1.0, 3.0):
        assert float(scores(forgotten, kept, frequency)) == pytest.approx(0.581139 + 1 + frequency, abs=1e-3)


@given(VALUES)
def test_the_statistics_are_those_of_numpy(values: list[float]) -> None:
    seen = np.array(values)
    expected = [np.abs(seen).mean(), (np.abs(seen) > BUSY).mean(), seen.std(), np.sqrt((seen**2).mean())]
    assert_allclose(_statistics(values)[:, 0], expected, atol=1e-6)


@given(VALUES, VALUES, st.floats(1, 100))
def test_only_ratios_count_but_for_the_frequency(forget: list[float], retain: list[float], scale: float) -> None:
    def score(by: float, frequency: float) -> float:
        forgotten, kept = (_statistics([one * by for one in values]) for values in (forget, retain))
        return float(scores(forgotten, kept, frequency))

    if np.std(retain) > 0.1 and np.mean(np.abs(retain)) > 0.1:  # far above what keeps ratios finite
        assert score(scale, 0.0) == pytest.approx(score(1.0, 0.0), rel=50 * SMALLEST, abs=100 * SMALLEST)


@pytest.mark.parametrize("depth", [0.0, 1.0])
def test_as_many_neurons_as_asked_are_taken_out_of_the_blocks_that_count(
    memorized: LanguageModel, data: UnlearningData, depth: float
) -> None:
    first = memorized.layer_at(depth)
    before = memorized.down_projections(range(4))
    after = MANU(share=0.1, depth=depth).unlearn(memorized.copy(), data, Run(Recipe())).down_projections(range(4))
    changed = [(one != other).any(dim=0) for one, other in zip(before, after, strict=True)]
    assert sum(int(one.sum()) for one in changed) == round(0.1 * sum(len(one) for one in changed[first:]))
    assert not any(bool(one.any()) for one in changed[:first])
    assert not any(weight[:, one].any() for weight, one in zip(after, changed, strict=True))


def test_what_is_forgotten_falls_further_than_what_is_kept(memorized: LanguageModel, data: UnlearningData) -> None:
    after = MANU(share=0.2).unlearn(memorized.copy(), data, Run(Recipe()))
    forgotten, harmed = (mean_logprob(memorized, one) - mean_logprob(after, one) for one in (data.forget, data.retain))
    assert forgotten > 0.03
    assert forgotten > 3 * harmed
