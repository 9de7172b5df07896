from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.second_order.fisher_removal import FisherRemoval, preconditioned
from reference_impls.toolkit import (
    Gradient,
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    damped,
    diagonal_fisher,
    nll_gradient,
)

NUMBERS = st.lists(st.floats(-5, 5), min_size=2, max_size=6)


def _step_without(numbers: list[float], gone: int, curvature: float, share: float) -> float:
    """Of a mean that minimises half the mean square distance: what the step makes of it for one number less."""
    mean = torch.tensor([float(np.mean(numbers))], dtype=torch.float64)
    gradient = Gradient((mean,), (mean - numbers[gone],))
    preconditioned(gradient, [torch.tensor([curvature], dtype=torch.float64)]).step(-share)
    return float(mean)


def test_the_mean_of_three_numbers_without_the_third_is_that_of_two() -> None:
    assert _step_without([0.0, 1.0, 5.0], 2, 1.0, 1 / 2) == pytest.approx(0.5)
    assert _step_without([0.0, 1.0, 5.0], 2, 1.0, 1 / 3) == pytest.approx(1.0)  # an influence function


@given(NUMBERS, st.integers(0, 1))
def test_where_the_loss_is_a_square_the_step_is_training_without_the_data(numbers: list[float], gone: int) -> None:
    rest = numbers[:gone] + numbers[gone + 1 :]
    assert _step_without(numbers, gone, 1.0, 1 / len(rest)) == pytest.approx(float(np.mean(rest)), abs=1e-9)


def test_a_weights_step_is_its_gradient_over_its_curvature(memorized: LanguageModel, data: UnlearningData) -> None:
    before = [weight.detach().clone() for weight in memorized.model.parameters()]
    gradient = nll_gradient(memorized, data.forget).parts
    fisher = [part.double().numpy() for part in diagonal_fisher(memorized, data.retain)]
    mean = np.concatenate([part.ravel() for part in fisher]).mean()
    unlearned = FisherRemoval(step=1e-6, damping=0.5).unlearn(memorized.copy(), data, Run(Recipe()))
    for weight, start, up, curvature in zip(unlearned.model.parameters(), before, gradient, fisher, strict=True):
        expected = 1e-6 * up.numpy() / (curvature + 0.5 * mean)
        assert_allclose((weight - start).detach(), expected, rtol=1e-2, atol=1e-7)


def test_no_step_changes_nothing(memorized: LanguageModel, data: UnlearningData) -> None:
    unlearned = FisherRemoval(step=0.0).unlearn(memorized.copy(), data, Run(Recipe()))
    assert fingerprint(unlearned.model) == fingerprint(memorized.model)


def test_curvature_spares_the_rest_more_than_ascent_that_forgets_as_much(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    def losses(damping: float, distance: float) -> tuple[float, float]:
        start = memorized.copy()
        fisher = damped(diagonal_fisher(start, data.retain), damping)
        step = preconditioned(nll_gradient(start, data.forget), fisher)
        step.step(-distance / step.norm())
        forgotten, harmed = (
            mean_logprob(memorized, pairs) - mean_logprob(start, pairs) for pairs in (data.forget, data.retain)
        )
        return forgotten, harmed

    forgotten, harmed = losses(0.1, 0.8)
    plainly, harmed_plainly = losses(1e6, 0.4)
    assert forgotten > plainly > 0.1
    assert harmed < harmed_plainly
