from __future__ import annotations

import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.targeted_lat import TargetedLAT
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    away_loss,
    mean_nll,
    shifted,
    worst_shift,
)


def test_without_a_radius_nobody_attacks(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        forget, retain = tiny.token_logits(batch.forget, batch.retain)
        plain = float(away_loss(forget) + 2 * mean_nll(retain))
        value = TargetedLAT(radius=0.0, retain_weight=2.0).loss(tiny, batch).item()
    assert value == pytest.approx(plain, rel=1e-5)


def test_who_trained_against_the_attacker_tells_it_less(memorized: LanguageModel, data: UnlearningData) -> None:
    found = []
    for radius in (0.0, 0.5):
        method = TargetedLAT(radius=radius, attack_steps=3, retain_weight=2.0)
        recipe = Recipe(learning_rate=7e-4, steps=10, batch_size=3)
        model = method.unlearn(memorized.copy(), data, Run(recipe))
        batch = model.encode(data.forget)
        with shifted(model, 1, worst_shift(model, batch, 1, mean_nll, 0.5, 8)), torch.no_grad():
            found.append(float(mean_nll(*model.token_logits(batch))))
        assert mean_logprob(model, data.forget) < mean_logprob(memorized, data.forget) - 1
        assert mean_logprob(model, data.retain) > mean_logprob(memorized, data.retain) - 0.6
    assert found[1] > found[0] + 0.3
