from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import eigh
from unlearning_toys import answer_probabilities

from reference_impls.methods.model_editing.law import DECAY, LaW, long_enough, still_known, washed
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, least_squares_update

# The start


def test_the_start_is_memits_with_the_first_weight_of_kept_keys_that_makes_it_long() -> None:
    covariance, key, residual = torch.eye(2), torch.tensor([[1.0], [0.0]]), torch.tensor([[1.0], [0.0]])
    # |Δ| = 1 / (λ + 1), so it reaches 0.5 as λ gets to 1 or below: from 2, by 2 * 0.75 ** 3 = 0.84.
    start = long_enough(covariance, key, residual, 2.0, 0.5)
    assert_allclose(start, [[1 / (1 + 2 * DECAY**3), 0.0], [0.0, 0.0]], atol=1e-6)
    assert_allclose(start, least_squares_update(covariance, key, residual, 2 * DECAY**3), atol=1e-9)


def test_a_start_that_cannot_be_so_long_is_as_long_as_can_be() -> None:
    key = residual = torch.tensor([[1.0], [0.0]])
    assert_allclose(long_enough(torch.eye(2), key, residual, 1.0, 2.0), [[1, 0], [0, 0]], atol=1e-6)


# Washing


def _drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kept = rng.normal(size=(5, 20))
    return rng.normal(size=(3, 5)), rng.normal(size=(5, 2)), kept @ kept.T / 20


def _washed(
    start: np.ndarray, keys: np.ndarray, moment: np.ndarray, slack: float, rate: float, steps: int
) -> np.ndarray:
    one, other, third = (torch.from_numpy(matrix) for matrix in (start, keys, moment))
    return np.asarray(washed(one, other, third, slack, rate, steps))


def _disturbance(update: np.ndarray, keys: np.ndarray) -> float:
    return float(np.square(update @ keys).sum())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 2.0), st.integers(0, 60))
def test_the_budget_is_kept_and_what_is_known_disturbed_no_less_than_by_the_start(
    seed: int, slack: float, steps: int
) -> None:
    start, keys, moment = _drawn(seed)
    update = _washed(start, keys, moment, slack, 0.01, steps)
    budget = slack * np.trace(start @ moment @ start.T)
    if steps:
        assert np.trace(update @ moment @ update.T) <= max(budget, np.trace(start @ moment @ start.T)) + 1e-9
        if slack >= 1:
            assert _disturbance(update, keys) >= _disturbance(start, keys) - 1e-9
    else:
        assert_allclose(update, start)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_it_never_gets_further_than_the_largest_eigenvalue_says(seed: int) -> None:
    start, keys, moment = _drawn(seed)
    update = _washed(start, keys, moment, 1.0, 0.1, 100)
    budget = np.trace(start @ moment @ start.T)
    best = budget * eigh(keys @ keys.T, moment, eigvals_only=True)[-1]
    assert _disturbance(start, keys) <= _disturbance(update, keys) <= best * (1 + 1e-9)


def test_one_key_is_answered_as_loudly_as_the_budget_allows() -> None:
    start, key = torch.tensor([[1.0, 1.0], [0.0, 1.0]]), torch.tensor([[2.0], [0.0]])
    update = washed(start, key, torch.eye(2), 1.0, 0.5, 3000)
    # |Δk|² = |Δ|² |k|² at best, with |Δ|² = 3 and |k|² = 4.
    assert float((update @ key.double()).square().sum()) == pytest.approx(12, rel=0.01)


# The whole method

SEARCH = {"depth": 0.34, "window": 2, "contexts": 0, "shrinkage": 0.0, "kl_weight": 0.0, "clamp": 3.0}
METHOD = LaW("fact-erasure", length=0.8, iterations=20, rate=1e-4, **SEARCH)  # type: ignore[arg-type]
RUN = Recipe(learning_rate=0.2, steps=15)


def test_what_is_known_by_heart_is_asked_of_every_question(memorized: LanguageModel, data: UnlearningData) -> None:
    assert still_known(memorized, data.forget)
    assert not still_known(memorized, [replace(pair, answer=" Nobody knows.") for pair in data.forget])


def test_answers_are_washed_away_and_others_stay(memorized: LanguageModel, data: UnlearningData) -> None:
    model = METHOD.unlearn(memorized.copy(), data, Run(RUN))
    assert float(answer_probabilities(memorized, data.forget).min()) > 0.9
    assert float(answer_probabilities(model, data.forget).max()) < 0.8
    assert float(answer_probabilities(model, data.retain).min()) > 0.8
    before = dict(memorized.model.named_parameters())
    changed = [name for name, now in model.model.named_parameters() if not torch.equal(now, before[name])]
    assert changed == [f"model.layers.{layer}.mlp.down_proj.weight" for layer in (0, 1)]


def test_a_short_start_is_a_small_change(memorized: LanguageModel, data: UnlearningData) -> None:
    long, short = (
        LaW("fact-erasure", length=length, iterations=0, **SEARCH).unlearn(memorized.copy(), data, Run(RUN))  # type: ignore[arg-type]
        for length in (0.5, 0.05)
    )
    assert answer_probabilities(long, data.forget).mean() < answer_probabilities(short, data.forget).mean()
