from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob, token_logits

from reference_impls.methods.inference_time.uld import ULD, difference, from_uniform, uld_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, adapter_weights


def test_the_divergence_from_uniform_is_the_hand_computed_one() -> None:
    assert from_uniform(torch.tensor([[2.0, 0.0, 0.0]])).item() == pytest.approx(0.474266, abs=1e-6)
    assert from_uniform(torch.full((1, 5), 3.0)).item() == pytest.approx(0.0, abs=1e-6)


def test_the_loss_remembers_one_part_and_evens_out_the_others_together() -> None:
    forget = token_logits([[0.0, 0.0, 0.0]], [0])
    # One sequence of two tokens, even, and one of a single one: each sequence counts alike, whichever part it is in.
    even, uneven = token_logits([[1.0, 1.0, 1.0]] * 2, [0, 1]), token_logits([[2.0, 0.0, 0.0]], [2])
    value = uld_loss(forget, [even, uneven], 5.0)
    assert value.item() == pytest.approx(math.log(3) + 5 * 0.474266 / 2, abs=1e-5)


def test_subtraction_is_the_hand_computed_one_and_leaves_out_what_is_implausible() -> None:
    base, assistant = torch.tensor([3.0, 2.0, 0.0, -4.0]), torch.tensor([4.0, 0.0, 0.0, -9.0])
    found = difference(base, assistant, 0.8, 0.01)
    assert_allclose(found, [-0.2, 2.0, 0.0, -4.0], atol=1e-6)  # the last keeps its logit: 0.0006 < 0.01 * 0.7
    assert_allclose(torch.softmax(found, dim=0), [0.0887, 0.8009, 0.1084, 0.0020], atol=1e-4)
    assert_allclose(difference(base, assistant, 0.8, 1.0), found + torch.tensor([0.0, 0.0, 0.0, 7.2]), atol=1e-5)


@given(st.lists(st.floats(-9, 9), min_size=5, max_size=5), st.floats(0, 3), st.floats(0.01, 1), st.floats(-9, 9))
def test_a_uniform_assistant_or_no_strength_changes_nothing_that_is_plausible(
    values: list[float], strength: float, plausible: float, level: float
) -> None:
    base = torch.tensor(values, dtype=torch.float64)
    assert torch.equal(difference(base, base, 0.0, plausible), base)
    shifted = difference(base, torch.full_like(base, level), strength, plausible) - base
    assert_allclose(shifted[base.argmax()], -strength * level, atol=1e-9)
    assert all(abs(one) < 1e-9 or abs(one + strength * level) < 1e-9 for one in shifted.tolist())


def test_the_assistant_takes_the_forget_answers_away_and_little_else(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    model = memorized.copy()
    forget, retain = mean_logprob(model, data.forget), mean_logprob(model, data.retain)
    unlearned = ULD().unlearn(model, data, Run(Recipe(learning_rate=5e-3, steps=25, batch_size=3)))
    assert fingerprint(model.model) == fingerprint(memorized.model)
    lost, cost = forget - mean_logprob(unlearned, data.forget), retain - mean_logprob(unlearned, data.retain)
    assert lost > 1
    assert cost < lost / 10
    own = sum(weight.numel() for _, weight in adapter_weights(unlearned.assistant.model))
    assert own < 0.3 * sum(weight.numel() for weight in model.model.parameters())
