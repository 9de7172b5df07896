from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, fingerprint

from reference_impls.methods.optimization.npo_sam import (
    NPOSAM,
    SMOOTHINGS,
    Slope,
    mean_nearby,
    with_norm_penalty,
    worst_nearby,
)
from reference_impls.methods.preference_optimization.npo import NPO
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData, mean_nll


def _bowl(curvatures: list[float]) -> tuple[torch.Tensor, Slope]:
    """The gradient of f(w) = 1/2 Σ c w² at the weights (1, 1, ...), which are returned as well."""
    weight = torch.ones(len(curvatures), dtype=torch.float64, requires_grad=True)

    def slope() -> Gradient:
        return Gradient((weight,), (torch.tensor(curvatures, dtype=torch.float64) * weight.detach(),))

    return weight, slope


def test_the_step_of_sam_is_the_hand_computed_one() -> None:
    weight, slope = _bowl([4.0, 1.0])
    # δ = 0.1 (4, 1) / √17 = (0.0970, 0.0243)
    assert_allclose(worst_nearby(slope, 0.1).parts[0], [4.388057, 1.024254], atol=1e-6)
    assert weight.tolist() == [1.0, 1.0]


def test_the_penalty_is_the_gradient_of_the_length() -> None:
    _, slope = _bowl([4.0, 1.0])
    # ∇‖g‖ = H g / ‖g‖ = (16, 1) / √17
    expected = np.array([4, 1]) + 0.1 * np.array([16, 1]) / math.sqrt(17)
    assert_allclose(with_norm_penalty(slope, 0.1).parts[0], expected, atol=1e-9)


def test_randomized_smoothing_averages_over_noise_of_its_radius() -> None:
    torch.manual_seed(0)
    _, slope = _bowl([1.0] * 20_000)
    found = mean_nearby(slope, 0.3).parts[0].numpy()
    assert found.mean() == pytest.approx(1.0, abs=0.01)
    assert found.std() == pytest.approx(0.3 / math.sqrt(3), rel=0.05)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_without_a_radius_it_is_npo(smoothing: str, tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-4, steps=2, batch_size=2)
    plain = NPO().unlearn(tiny.copy(), data, Run(recipe))
    smoothed = NPOSAM(radius=0.0, smoothing=smoothing).unlearn(tiny.copy(), data, Run(recipe))
    for one, other in zip(plain.model.parameters(), smoothed.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=3e-5)
    assert fingerprint(plain.model) != fingerprint(tiny.model)


def test_the_worst_small_change_brings_less_back_than_after_npo(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=20, batch_size=3)
    found = []
    for method in (NPO(), NPOSAM(radius=0.1)):
        model = method.unlearn(memorized.copy(), data, Run(recipe))
        now = answer_probabilities(model, data.forget)
        relearned = Gradient.of(mean_nll(*model.token_logits(model.encode(data.forget))), model).unit()
        with relearned.ahead(-0.3):
            found.append((float(now.mean()), float(answer_probabilities(model, data.forget).mean())))
    (npo, npo_relearned), (sam, sam_relearned) = found
    assert max(npo, sam) < float(answer_probabilities(memorized, data.forget).mean()) - 0.5
    assert sam_relearned < npo_relearned
    assert sam_relearned / sam < npo_relearned / npo
