from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, gradient_of, mean_logprob

from reference_impls.errors import UsageError
from reference_impls.methods.localization.gradient_routing import GradientRouting, routed
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, memories


@pytest.mark.parametrize(("factor", "gradient"), [(0.0, [5.0, 0.0]), (-0.75, [5.0, -5.25]), (1.0, [5.0, 7.0])])
def test_gradients_are_the_hand_computed_ones(factor: float, gradient: list[float]) -> None:
    activations = torch.tensor([2.0, 3.0], requires_grad=True)
    routed(activations, torch.tensor([True, False]), factor).backward(torch.tensor([5.0, 7.0]))
    assert_allclose(gradient_of(activations), gradient, atol=1e-6)


@given(st.lists(st.floats(-10, 10), min_size=4, max_size=4), st.floats(-2, 1))
def test_what_is_read_stays_the_same(values: list[float], factor: float) -> None:
    activations = torch.tensor(values, dtype=torch.float64)
    assert_allclose(routed(activations, torch.tensor([True, False, True, False]), factor), activations, atol=1e-9)


def test_the_neurons_set_aside_are_cut_off_and_stay_so(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=4, batch_size=3), earlier=tiny.copy)
    method = GradientRouting(share=0.25, repair=0.5)
    unlearned = method.unlearn(tiny.copy(), data, run)
    for layer, memory in enumerate(memories(unlearned, range(unlearned.layers))):
        neurons = memory.weight.shape[1]
        silent = ~memory.weight.detach().any(dim=0)
        assert int(silent.sum()) == (round(0.25 * neurons) if layer < round(0.625 * unlearned.layers) else 0)
    assert fingerprint(unlearned.model) != fingerprint(tiny.model)


def test_it_needs_what_the_model_started_from(tiny: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="--earlier"):
        GradientRouting().unlearn(tiny.copy(), data, Run(Recipe(steps=1)))


def test_what_was_routed_goes_and_the_rest_is_learned(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=3e-3, steps=80, batch_size=3), earlier=tiny.copy)
    unlearned = GradientRouting(share=0.25, depth=1.0).unlearn(tiny.copy(), data, run)
    assert mean_logprob(unlearned, data.retain) > -0.5
    assert mean_logprob(unlearned, data.forget) < mean_logprob(unlearned, data.retain) - 1
