from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.lau import LAU
from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    mean_nll,
    shifted,
    worst_shift,
)


def _sums(model: LanguageModel, batch: Encoded) -> np.ndarray:
    """(B,) log-likelihoods of whole answers."""
    with torch.no_grad():
        return model.token_logits(batch)[0].sequence_logprobs().numpy()


@pytest.mark.parametrize("objective", ["ascent", "npo"])
def test_the_loss_is_the_page_s_under_the_shift_and_the_reference_is_not_shifted(
    objective: str, memorized: LanguageModel, data: UnlearningData
) -> None:
    method = LAU(objective=objective, beta=0.5, radius=0.1, attack_steps=8, retain_weight=3.0, depth=0.34)
    forget, retain = memorized.encode(data.forget), memorized.encode(data.retain)
    with torch.no_grad():
        before = memorized.token_logits(forget)[0].token_logprobs()
    batch = Batch(replace(forget, reference=before), retain, None)
    value = method.loss(memorized, batch).item()

    reference = _sums(memorized, forget)
    shift = worst_shift(memorized, forget, memorized.layer_at(0.34), mean_nll, 0.1, 8)
    with shifted(memorized, memorized.layer_at(0.34), shift), torch.no_grad():
        attacked, nll = _sums(memorized, forget), float(mean_nll(*memorized.token_logits(forget)))
    with torch.no_grad():
        kept = float(mean_nll(*memorized.token_logits(retain)))
    assert attacked.sum() > reference.sum()  # what the attacker is for
    npo = 2 / 0.5 * np.log1p(np.exp(0.5 * (attacked - reference))).mean()
    assert value == pytest.approx((npo if objective == "npo" else -nll) + 3 * kept, rel=1e-4)


def test_without_a_radius_it_is_npo_with_its_retain_loss(memorized: LanguageModel, data: UnlearningData) -> None:
    forget, retain = memorized.encode(data.forget), memorized.encode(data.retain)
    with torch.no_grad():
        out, other = memorized.token_logits(forget, retain)
        expected = 2 / 0.1 * np.log(2) + 2 * float(mean_nll(other))  # the ratio is 1
        batch = Batch(replace(forget, reference=out.token_logprobs()), retain, None)
        value = LAU(radius=0.0, retain_weight=2.0).loss(memorized, batch).item()
    assert value == pytest.approx(expected, rel=1e-5)


def test_who_trained_against_the_attacker_leaves_him_less_to_win(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    gained = []
    for radius in (0.0, 0.2):
        method = LAU(radius=radius, attack_steps=4, retain_weight=3.0, depth=0.34)
        recipe = Recipe(learning_rate=7e-4, steps=20, batch_size=3)
        model = method.unlearn(memorized.copy(), data, Run(recipe))
        batch = model.encode(data.forget)
        with shifted(model, 1, worst_shift(model, batch, 1, mean_nll, 0.4, 8)), torch.no_grad():
            attacked = -float(mean_nll(*model.token_logits(batch)))
        gained.append(attacked - mean_logprob(model, data.forget))
        assert mean_logprob(model, data.forget) < mean_logprob(memorized, data.forget) - 2
        assert mean_logprob(model, data.retain) > mean_logprob(memorized, data.retain) - 0.6
    assert 0 < gained[1] < gained[0] - 0.3
