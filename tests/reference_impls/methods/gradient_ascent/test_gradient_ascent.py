from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, losses, softmax, token_logits

from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent, gradient_ascent_loss
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


def test_loss_is_minus_the_mean_loss_of_the_answer() -> None:
    value = gradient_ascent_loss(token_logits(FORGET_LOGITS, FORGET_TARGETS)).item()
    assert value == pytest.approx(-0.395495, abs=1e-6)
    assert value == pytest.approx(-losses(FORGET_LOGITS, FORGET_TARGETS).mean(), abs=1e-6)


def test_gradient_is_the_hand_computed_one() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    gradient_ascent_loss(out).backward()
    by_formula = (np.eye(3)[FORGET_TARGETS] - softmax(FORGET_LOGITS)) / 2
    by_hand = [[0.106507, -0.053253, -0.053253], [-0.105971, 0.211942, -0.105971]]
    assert_allclose(gradient_of(out.logits), by_hand, atol=1e-6)
    assert_allclose(gradient_of(out.logits), by_formula, atol=1e-6)


def test_pull_grows_to_full_size_as_the_answer_is_forgotten() -> None:
    norms = []
    for logit in (10.0, 2.0, 0.0, -5.0, -50.0):
        out = token_logits([[logit, 0.0, 0.0]], [0])
        gradient_ascent_loss(out).backward()
        norms.append(float(gradient_of(out.logits)[0, 0].abs()))
    assert norms == sorted(norms)
    assert norms[0] < 1e-3
    assert norms[-1] == pytest.approx(1.0)


def test_loss_has_no_floor() -> None:
    values = [gradient_ascent_loss(token_logits([[-z, 0.0, 0.0]], [0])).item() for z in (1e1, 1e3, 1e5)]
    assert_allclose(values, [-1e1, -1e3, -1e5], rtol=0.1)


@pytest.mark.parametrize(("steps", "margin"), [(20, 3.2789), (200, -117.4663)])
def test_descent_on_free_logits_falls_without_end(steps: int, margin: float) -> None:
    logits = torch.tensor([[4.0, 0.0, 0.0]], dtype=torch.float64)
    for _ in range(steps):
        out = token_logits(logits.tolist(), [0])
        gradient_ascent_loss(out).backward()
        logits = logits - 0.5 * gradient_of(out.logits).double()
    assert float(logits[0, 0] - logits[0, 1]) == pytest.approx(margin, abs=2e-3)


def test_the_retain_set_is_not_looked_at(tiny: LanguageModel, data: UnlearningData) -> None:
    forget, retain = tiny.encode(data.forget), tiny.encode(data.retain)
    other = tiny.encode(data.retain[:1])
    method = GradientAscent()
    with torch.no_grad():
        value = method.loss(tiny, Batch(forget, retain, None))
        assert torch.equal(value, method.loss(tiny, Batch(forget, other, None)))
        assert value.item() == pytest.approx(-np.mean([-x.mean() for x in tiny.pair_logprobs(data.forget)]), abs=1e-5)


def test_unlearning_raises_the_loss_of_the_forget_set(fresh: LanguageModel, data: UnlearningData) -> None:
    before = np.mean([float(-x.mean()) for x in fresh.pair_logprobs(data.forget)])
    GradientAscent().unlearn(fresh, data, Run(Recipe(learning_rate=1e-3, steps=5, batch_size=3)))
    after = np.mean([float(-x.mean()) for x in fresh.pair_logprobs(data.forget)])
    assert after > before + 1
