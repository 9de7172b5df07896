from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.sago import SAGO, sign_aligned
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData

NUMBERS = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=8)


def _aligned(forgetting: list[float], retaining: list[float]) -> np.ndarray:
    one, other = (torch.tensor(values, dtype=torch.float64) for values in (forgetting, retaining))
    return sign_aligned(Gradient((one,), (one,)), Gradient((one,), (other,))).parts[0].numpy()


def test_the_step_is_the_hand_computed_one() -> None:
    assert_allclose(_aligned([1.0, -2.0, 3.0], [2.0, 1.0, 0.0]), [1.0, 1.0, 3.0])


@given(NUMBERS)
def test_no_entry_goes_against_what_keeps(both: list[tuple[float, float]]) -> None:
    forgetting, retaining = (list(values) for values in zip(*both, strict=True))
    aligned = _aligned(forgetting, retaining)
    assert (np.sign(aligned) * np.sign(retaining) >= 0).all()
    assert all(value in pair for value, pair in zip(aligned, both, strict=True))


def test_it_forgets_more_than_it_loses(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=12, batch_size=4)
    unlearned = SAGO(forget_weight=1.0).unlearn(memorized.copy(), data, Run(recipe))
    forgotten, lost = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > 0.5
    assert forgotten > 3 * lost
