from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.optimization.targeted_lat import TargetedLAT, away_loss
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    mean_nll,
    shifted,
    worst_shift,
)

LOGITS = st.lists(st.floats(-8, 8), min_size=3, max_size=3)


@pytest.mark.parametrize(("logit", "value"), [(0.0, math.log(2)), (math.log(3), math.log(4)), (-5.1, 0.0)])
def test_the_loss_of_one_token_is_the_hand_computed_one(logit: float, value: float) -> None:
    assert away_loss(token_logits([[logit, 0.0]], [0])).item() == pytest.approx(value, abs=1e-6)


@given(LOGITS)
def test_it_has_a_floor_and_the_gradient_of_the_page(logits: list[float]) -> None:
    out = token_logits([logits], [0])
    value = away_loss(out)
    value.backward()
    p = softmax(logits)
    if np.log(p[0]) < -5:
        assert not gradient_of(out.logits).any()
    else:
        assert value.item() == pytest.approx(-np.log(p[1:].sum()), abs=1e-4)
        assert_allclose(gradient_of(out.logits)[0], [p[0], *(-p[0] * p[1:] / p[1:].sum())], atol=1e-4)
    assert value.item() >= 0


def test_a_certain_answer_pulls_with_full_strength_and_no_infinity() -> None:
    out = token_logits([[100.0, 0.0, 0.0]], [0])
    away_loss(out).backward()
    assert_allclose(gradient_of(out.logits)[0], [1.0, -0.5, -0.5], atol=1e-6)


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
