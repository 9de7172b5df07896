from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, gradient_of, mean_logprob

from reference_impls.methods.optimization.weight_distance import WeightDistance, distance
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, mean_nll


def test_the_distance_is_the_hand_computed_one() -> None:
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    found = distance([weight], [torch.zeros(2)])
    found.backward()
    assert found.item() == pytest.approx(3.535534, abs=1e-6)
    assert_allclose(gradient_of(weight), np.array([3, 4]) / (2 * 3.535534), atol=1e-6)


def test_at_the_start_it_has_no_gradient_and_no_infinity() -> None:
    weight = torch.ones(3, requires_grad=True)
    found = distance([weight], [torch.ones(3)])
    found.backward()
    assert found.item() == pytest.approx(1e-4)
    assert not gradient_of(weight).any()


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3))
def test_its_gradient_is_as_long_anywhere_but_near_the_start(values: list[float]) -> None:
    if np.linalg.norm(values) > 0.1:
        parts = values[:1], values[1:]
        first, second = (torch.tensor(part, dtype=torch.float32, requires_grad=True) for part in parts)
        distance([first, second], [torch.zeros(1), torch.zeros(2)]).backward()
        length = np.linalg.norm(np.concatenate([gradient_of(first).numpy(), gradient_of(second).numpy()]))
        assert length == pytest.approx(1 / math.sqrt(3), abs=1e-4)


def test_without_distance_and_noise_it_trains_on_what_is_kept(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=2, batch_size=3)
    found = WeightDistance(distance_weight=0.0).unlearn(memorized.copy(), data, Run(recipe))
    wanted = Run(recipe).minimize(
        lambda model, batch: mean_nll(*model.token_logits(batch.retain)), memorized.copy(), data
    )
    for one, other in zip(found.model.parameters(), wanted.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_noise_goes_with_each_tensors_spread(memorized: LanguageModel, data: UnlearningData) -> None:
    method = WeightDistance(distance_weight=0.0, distortion=0.5)
    noisy = method.unlearn(memorized.copy(), data, Run(Recipe(steps=0)))
    for one, other in zip(noisy.model.parameters(), memorized.model.parameters(), strict=True):
        wanted = 0.5 * other.detach().std(correction=0)
        assert (one - other).detach().square().mean().sqrt() == pytest.approx(float(wanted), rel=0.3, abs=1e-6)


def test_the_forget_set_goes_with_the_way_and_what_is_kept_stays(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    def far(model: LanguageModel) -> float:
        return float(distance(list(model.model.parameters()), list(memorized.model.parameters())).detach())

    recipe = Recipe(learning_rate=2e-3, steps=30, batch_size=3)
    near, gone = (WeightDistance(distance_weight=a).unlearn(memorized.copy(), data, Run(recipe)) for a in (0.0, 100.0))
    assert far(gone) > 2 * far(near)
    assert mean_logprob(gone, data.forget) < min(
        mean_logprob(near, data.forget) - 0.1, mean_logprob(memorized, data.forget) - 1
    )
    assert mean_logprob(gone, data.retain) > mean_logprob(memorized, data.retain) - 0.3
    assert fingerprint(gone.model) != fingerprint(near.model)
