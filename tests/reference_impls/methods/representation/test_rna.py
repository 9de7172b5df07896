from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.representation.rmu import RMU
from reference_impls.methods.representation.rna import RNA, noisy
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, steering_loss

RECIPE = Recipe(learning_rate=3e-3, steps=12, batch_size=4, warmup=0)


@given(st.floats(0.01, 2), st.floats(0.1, 10))
def test_noise_is_as_large_as_the_scale_says_and_grows_with_the_states(scale: float, size: float) -> None:
    states = size * torch.ones(200, 50, dtype=torch.float64)
    torch.manual_seed(0)
    noise = noisy(states, scale) - states
    assert float(noise.std()) == pytest.approx(scale * size, rel=0.03)
    assert float(noise.mean()) == pytest.approx(0, abs=0.05 * scale * size)
    first = noise[0] / (scale * size)
    torch.manual_seed(0)
    assert_allclose(first, torch.randn(200, 50)[0], rtol=1e-5, atol=1e-6)


def test_every_token_and_every_step_has_its_own() -> None:
    states = torch.ones(2, 8)
    once, again = noisy(states, 0.1), noisy(states, 0.1)
    assert not torch.equal(once[0], once[1])
    assert not torch.equal(once, again)


def test_at_the_start_the_pinning_term_is_the_square_of_the_noise(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), tiny.frozen())
    target = torch.zeros(tiny.width)
    torch.manual_seed(0)
    with torch.no_grad():
        plain = float(steering_loss(tiny, batch, target, 0.34, 1.0))
        found = [
            float(steering_loss(tiny, batch, target, 0.34, 1.0, lambda states: noisy(states, 0.5))) for _ in range(20)
        ]
        squares = tiny.activations(batch.retain, 0.34).square().mean()
    expected = tiny.width * 0.25 * float(squares)  # d times the deviation's square
    assert sum(found) / 20 - plain == pytest.approx(expected, rel=0.05)


def test_without_noise_it_is_rmu(memorized: LanguageModel, data: UnlearningData) -> None:
    ours, rmu = (
        method.unlearn(memorized.copy(), data, Run(replace(RECIPE, steps=4)))
        for method in (RNA(noise=0.0, retain_weight=10.0, depth=0.34), RMU(retain_weight=10.0, depth=0.34))
    )
    assert fingerprint(ours.model) == fingerprint(rmu.model) != fingerprint(memorized.model)


def test_a_name_to_forget_disturbs_other_questions_less(memorized: LanguageModel, data: UnlearningData) -> None:
    triggered = [
        replace(pair, prompt=f" {forget.subject}{pair.prompt}")
        for pair, forget in zip(data.retain, 2 * data.forget, strict=False)
    ]

    def disturbed(noise: float) -> tuple[float, float]:
        """How much less likely a name makes retain answers than it did before, and how likely forget answers are."""
        method = RNA(noise=noise, steering=20.0, retain_weight=10.0, depth=0.34)
        model = method.unlearn(memorized.copy(), data, Run(RECIPE))
        return mean_logprob(memorized, triggered) - mean_logprob(model, triggered), mean_logprob(model, data.forget)

    (rmu, _), (ours, forgotten) = disturbed(0.0), disturbed(1.0)
    assert ours < rmu
    assert forgotten < mean_logprob(memorized, data.forget)
