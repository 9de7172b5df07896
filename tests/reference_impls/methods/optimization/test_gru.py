from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.gru import GRU, rectified
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData, mean_nll
from reference_impls.toolkit.gradients import SHORTEST

VECTORS = st.lists(st.floats(-10, 10), min_size=4, max_size=4)


def _vector(values: list[float]) -> Gradient:
    """A vector over two weights of two entries each."""
    parts = tuple(torch.tensor(values, dtype=torch.float64).split(2))
    return Gradient(parts, parts)


def _flat(vector: Gradient) -> np.ndarray:
    return np.concatenate([part.numpy() for part in vector.parts])


def test_the_conflict_is_taken_away_as_worked_out_by_hand() -> None:
    assert_allclose(_flat(rectified(_vector([3, 1, 0, 0]), _vector([-1, 1, 0, 0]))), [2, 2, 0, 0])


def test_the_projection_is_over_all_weights_and_not_over_each_by_itself() -> None:
    # In the first weight there is a conflict, over both there is none.
    unlearning, retaining = _vector([1, 0, 0, 2]), _vector([-1, 0, 0, 1])
    assert_allclose(_flat(rectified(unlearning, retaining)), [1, 0, 0, 2])


@given(VECTORS, VECTORS, st.floats(0.01, 100))
@example([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, -3.357351275868854e-31], 3.0)
def test_nothing_to_keep_is_harmed_and_the_rest_stays(one: list[float], two: list[float], size: float) -> None:
    unlearning, retaining = np.array(one), np.array(two)
    found = _flat(rectified(_vector(one), _vector(two)))
    assert found @ retaining >= -1e-9 * (1 + np.abs(unlearning).max()) * (1 + np.abs(retaining).max())
    if unlearning @ retaining >= 0:
        assert_allclose(found, unlearning)
    assert found @ found <= unlearning @ unlearning + 1e-9
    assert found @ unlearning == pytest.approx(found @ found, abs=1e-6)
    # What is too short has no direction (`Gradient.projected`), and another length may give it one.
    shorter, longer = sorted(length * _vector(two).norm() for length in (1.0, size))
    if not shorter <= SHORTEST < longer:
        assert_allclose(_flat(rectified(_vector(one), size * _vector(two))), found, atol=1e-8)


def test_a_small_step_of_plain_descent_forgets_without_raising_the_retain_loss(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    def losses(model: LanguageModel) -> tuple[float, float]:
        with torch.no_grad():
            forget, retain = model.token_logits(model.encode(data.forget), model.encode(data.retain))
        return mean_nll(forget).item(), mean_nll(retain).item()

    def changes(exact: bool) -> tuple[float, float]:
        model = memorized.copy()
        forgetting = -1.0 * Gradient.of(mean_nll(*model.token_logits(model.encode(data.forget))), model)
        retaining = Gradient.of(mean_nll(*model.token_logits(model.encode(data.retain))), model)
        direction = rectified(forgetting, retaining) if exact else forgetting
        before = losses(model)
        with direction.unit().ahead(-0.003):
            after = losses(model)
        return after[0] - before[0], after[1] - before[1]

    (forgotten, harmed), (_, harmed_without) = changes(True), changes(False)
    assert forgotten > 0
    assert harmed < 0.1 * harmed_without


def test_it_keeps_more_than_ascent_alone(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-4, steps=15, batch_size=3)
    kept = GRU(exponent=0.0).unlearn(memorized.copy(), data, Run(recipe))
    alone = Run(recipe).minimize(
        lambda model, batch: -mean_nll(*model.token_logits(batch.forget)), memorized.copy(), data, retain=False
    )
    assert mean_logprob(kept, data.forget) < mean_logprob(memorized, data.forget) - 0.1
    assert mean_logprob(kept, data.retain) > mean_logprob(alone, data.retain)
