from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.second_order.kfade import KFADE, longest
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, nll_gradient, solved


def test_a_step_has_the_length_that_was_worked_out_by_hand() -> None:
    # curvature 4 and gradient 2: the direction is 1/2, and (1/2)·4·Δ² = 0.5 gives Δ = 1/2
    direction = solved(torch.tensor([[2.0]]), torch.tensor([[2.0]]), torch.tensor([[2.0]]), 1e-12)
    assert longest([torch.tensor([[2.0]])], [direction], 0.5) * float(direction) == pytest.approx(0.5)
    assert longest([torch.zeros(1, 1)], [torch.zeros(1, 1)], 0.5) == 0.0


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.001, 1), st.floats(0.1, 10))
def test_no_other_step_within_the_limit_climbs_higher(seed: int, budget: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    gradient, read, slopes = rng.normal(size=(3, 4)), rng.normal(size=(4, 9)), rng.normal(size=(3, 9))
    inputs, outputs = read @ read.T, slopes @ slopes.T
    whole = np.kron(outputs, inputs) + 0.1 * np.eye(12)

    def step(slope: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(slope)
        direction = solved(given, torch.from_numpy(inputs), torch.from_numpy(outputs), 0.1)
        return np.asarray(longest([given], [direction], budget) * direction).flatten()

    best = step(gradient)
    assert best @ whole @ best / 2 == pytest.approx(budget)
    other = rng.normal(size=12)
    other *= np.sqrt(2 * budget / (other @ whole @ other))
    assert gradient.flatten() @ best >= gradient.flatten() @ other
    assert step(scale * gradient) == pytest.approx(best)  # the forget loss has no scale


def test_only_the_mlps_move_and_without_a_budget_nothing_does(memorized: LanguageModel, data: UnlearningData) -> None:
    still = KFADE(budget=0.0, rounds=1).unlearn(memorized.copy(), data, Run(Recipe()))
    assert fingerprint(still.model) == fingerprint(memorized.model)
    moved = KFADE(rounds=1).unlearn(memorized.copy(), data, Run(Recipe()))
    before = dict(memorized.model.named_parameters())
    changed = {name for name, weight in moved.model.named_parameters() if not torch.equal(weight, before[name])}
    assert changed
    assert all(".mlp." in name for name in changed)


def test_curvature_spares_the_rest_more_than_ascent_that_forgets_as_much(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    def losses(damping: float, budget: float) -> tuple[float, float]:
        torch.manual_seed(0)
        unlearned = KFADE(budget=budget, damping=damping, rounds=2).unlearn(memorized.copy(), data, Run(Recipe()))
        forgotten, harmed = (
            mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
        )
        return forgotten, harmed

    forgotten, harmed = losses(0.1, 1e-7)
    plainly, harmed_plainly = losses(1e6, 1.0)
    assert forgotten > plainly > 0.1
    assert harmed < harmed_plainly


def test_the_gradient_is_climbed(memorized: LanguageModel, data: UnlearningData) -> None:
    step = nll_gradient(memorized, data.forget)
    unlearned = KFADE(budget=1e-5, rounds=1).unlearn(memorized.copy(), data, Run(Recipe()))
    with torch.no_grad():
        moved = tuple(now - was for now, was in zip(unlearned.model.parameters(), step.weights, strict=True))
    assert step.dot(replace(step, parts=moved)) > 0
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget)
