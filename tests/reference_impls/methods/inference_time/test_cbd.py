from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.errors import UsageError
from reference_impls.methods.inference_time.cbd import (
    CBD,
    RoutedModel,
    best_threshold,
    discriminative_basis,
    symmetric_kl,
    within,
)
from reference_impls.toolkit import Gradient, Kept, LanguageModel, Recipe, Run, UnlearningData, adapter_weights


def test_the_basis_is_the_hand_computed_one() -> None:
    forget, retain = torch.tensor([[1.0, 1.0], [1.0, -1.0]]), torch.tensor([[2.0, 0.0]])
    # F_f = I, F_r + mu I = diag(5, 1) for mu = 1, which is half of F_r's mean diagonal of 2.
    assert_allclose(abs(discriminative_basis(forget, retain, 1, 0.5)), [[0, 1]], atol=1e-6)
    assert discriminative_basis(forget, retain, 5, 0.5).shape == (2, 2)
    assert len(discriminative_basis(torch.zeros(2, 3), torch.ones(1, 3), 5, 0.5)) == 0


@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(0.01, 2))
def test_it_spans_what_a_solver_of_the_whole_problem_finds(seed: int, count: int, damping: float) -> None:
    rng = np.random.default_rng(seed)
    forget, retain = rng.normal(size=(4, 9)), rng.normal(size=(6, 9))
    own, other = forget.T @ forget / 4, retain.T @ retain / 6
    _, vectors = scipy.linalg.eigh(own, other + damping * np.trace(other) / 9 * np.eye(9))
    expected = np.linalg.qr(vectors[:, ::-1][:, :count])[0]
    found = discriminative_basis(torch.from_numpy(forget), torch.from_numpy(retain), count, damping).numpy()
    assert_allclose(found @ found.T, np.eye(count), atol=1e-5)
    assert_allclose(found.T @ found, expected @ expected.T, atol=1e-4)


def test_a_gradient_keeps_what_lies_in_the_basis() -> None:
    weights = (torch.zeros(1, 2), torch.zeros(2, 1))
    gradient = Gradient(weights, (torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0], [2.0]])))
    bases = [torch.tensor([[0.6, 0.8]]), torch.zeros(0, 2)]
    first, second = within(gradient, bases).parts
    assert_allclose(first, [[3.0, 4.0]], atol=1e-6)
    assert_allclose(second, [[0.0], [0.0]])
    assert_allclose(within(gradient, [torch.tensor([[0.0, 1.0]]), torch.eye(2)]).parts[0], [[0.0, 4.0]])


def test_divergence_is_the_hand_computed_one_and_the_same_both_ways() -> None:
    one, other = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log(), torch.tensor([[0.25, 0.75], [0.9, 0.1]]).log()
    # (.25 ln 2 - .25 ln(2/3)) / 2 at the first place, 0 at the second
    assert symmetric_kl(one, other) == pytest.approx(0.25 * math.log(3) / 4, abs=1e-6)
    assert symmetric_kl(other, one) == pytest.approx(symmetric_kl(one, other), abs=1e-6)


def test_the_threshold_tells_most_apart_and_stops_few_of_what_is_kept() -> None:
    inside, outside = [1.0, 3.0, 5.0], [0.0, 2.0, 0.5, 4.0]
    assert best_threshold(inside, outside, 1.0) == 1.0  # 3/3 less 2/4; 3.0 gives 2/3 less 1/4
    assert best_threshold(inside, outside, 0.25) == 3.0
    assert best_threshold(inside, outside, 0.0) == 5.0
    assert best_threshold([0.0], [1.0, 2.0], 0.0) > 2.0


@given(st.lists(st.floats(0, 9), min_size=1, max_size=9), st.lists(st.floats(0, 9), min_size=1, max_size=9))
def test_no_threshold_stops_more_than_it_may(inside: list[float], outside: list[float]) -> None:
    found = best_threshold(inside, outside, 0.2)
    assert sum(score >= found for score in outside) <= 0.2 * len(outside)


@pytest.fixture(scope="module")
def routed(memorized: LanguageModel, tiny: LanguageModel, data: UnlearningData) -> RoutedModel:
    method = CBD(rank=8, alpha=16.0, length=6, false_alarms=0.2)
    return method.unlearn(memorized, data, Run(Recipe(learning_rate=5e-3, steps=20, batch_size=3), earlier=tiny.copy))


def test_it_hands_over_what_must_go_and_nothing_else_changes(
    routed: RoutedModel, memorized: LanguageModel, tiny: LanguageModel, data: UnlearningData
) -> None:
    assert fingerprint(routed.model.model) == fingerprint(memorized.model)
    assert fingerprint(routed.assistant.model) == fingerprint(tiny.model)
    assert mean_logprob(routed, data.forget) < mean_logprob(memorized, data.forget) - 1
    stopped = [pair for pair in data.retain if routed.speaker(pair.prompt) is routed.assistant]
    assert len(stopped) <= 1
    for pair in data.retain:
        if pair not in stopped:
            assert mean_logprob(routed, [pair]) == mean_logprob(memorized, [pair])


def test_the_twin_keeps_the_adapters_first_factors_and_is_put_together_again(
    routed: RoutedModel, data: UnlearningData
) -> None:
    moved = {name for name, weight in adapter_weights(routed.twin.model) if ".lora_B." in name and bool(weight.any())}
    assert moved
    again = CBD.restore(routed.model, Kept(routed.to_json(), routed.tensors()))
    asked = [pair.prompt for pair in (*data.forget, *data.retain)]
    assert_allclose(again.scores(asked), routed.scores(asked), rtol=1e-4)
    assert again.threshold == routed.threshold


def test_it_needs_an_assistant_that_never_met_it(memorized: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="--earlier"):
        CBD().unlearn(memorized, data, Run(Recipe(steps=1)))
