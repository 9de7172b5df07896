from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, token_logits

from reference_impls.methods.optimization import pdu
from reference_impls.methods.optimization.pdu import PDU, dual_step, margin_flattening_loss, retain_loss_now
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_loss_and_gradient_on_the_toy_are_the_hand_computed_ones() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    value = margin_flattening_loss(out)
    value.backward()
    assert value.item() == pytest.approx(1.111111, abs=1e-6)
    by_hand = [(0.888889, -0.444444, -0.444444), (-0.222222, 0.444444, -0.222222)]
    assert_allclose(gradient_of(out.logits), by_hand, atol=1e-6)


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=6), st.floats(-5, 5))
def test_it_is_zero_for_equal_logits_alone_and_does_not_see_which_token_is_true(row: list[float], shift: float) -> None:
    values = [margin_flattening_loss(token_logits([row], [target])).item() for target in range(len(row))]
    expected = (max(row) - np.mean(row)) ** 2
    assert_allclose(values, expected, rtol=1e-4, atol=1e-6)
    shifted = margin_flattening_loss(token_logits([[x + shift for x in row]], [0])).item()
    assert shifted == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert margin_flattening_loss(token_logits([[shift] * len(row)], [0])).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("multiplier", "retain_loss", "after"), [(100.0, 0.5, 101.0), (100.0, 0.1, 99.0), (0.5, 0.1, 0.0)]
)
def test_the_multiplier_rises_while_the_bound_is_broken_and_never_falls_below_0(
    multiplier: float, retain_loss: float, after: float
) -> None:
    assert dual_step(multiplier, retain_loss - 0.3, 5.0) == pytest.approx(after)


@pytest.mark.parametrize(("steps", "margin", "probability"), [(20, 1.0065, 0.5777), (200, 0.0, 1 / 3)])
def test_plain_descent_ends_at_the_uniform_distribution(steps: int, margin: float, probability: float) -> None:
    row = [4.0, 0.0, 0.0]
    for _ in range(steps):
        out = token_logits([row], [0])
        (gradient,) = torch.autograd.grad(margin_flattening_loss(out), out.logits)
        row = [x - 0.05 * float(g) for x, g in zip(row, gradient[0], strict=True)]
    assert row[0] - row[1] == pytest.approx(margin, abs=1e-3)
    assert 1 / sum(math.exp(x - row[0]) for x in row) == pytest.approx(probability, abs=1e-3)


def _unlearn(
    model: LanguageModel, data: UnlearningData, method: PDU, monkeypatch: pytest.MonkeyPatch, steps: int = 40
) -> tuple[LanguageModel, list[tuple[float, float]]]:
    """The unlearned model, and the multiplier before each of its steps with the violation that it met."""
    seen: list[tuple[float, float]] = []

    def watched(multiplier: float, violation: float, rate: float) -> float:
        seen.append((multiplier, violation))
        return dual_step(multiplier, violation, rate)

    monkeypatch.setattr(pdu, "dual_step", watched)
    run = Run(Recipe(learning_rate=1e-3, steps=steps))
    return method.unlearn(model, data, run), seen


def test_the_multiplier_waits_and_then_follows_the_violation_of_the_bound(
    fresh: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = 1.5 * retain_loss_now(fresh, data.retain)
    method = PDU(tolerance=0.5, multiplier=3.0, dual_rate=2.0, warmup=0.25)
    unlearned, seen = _unlearn(fresh, data, method, monkeypatch, steps=20)
    assert len(seen) == 15
    assert seen[0][0] == 3.0
    for (before, violation), (after, _) in pairwise(seen):
        assert after == pytest.approx(max(0.0, before + 2 * violation))
    last = seen[-1][1] + bound  # five pairs are kept, so every batch holds all of them
    assert retain_loss_now(unlearned, data.retain) == pytest.approx(last, rel=0.3)


def test_what_is_forgotten_becomes_uniform_and_what_is_kept_stays_near_the_bound(
    fresh: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    Run(Recipe(learning_rate=3e-3, steps=60)).finetune(fresh, [*data.forget, *data.retain])
    loss_before, margin_before = retain_loss_now(fresh, data.retain), _margin(fresh, data)
    unlearned, seen = _unlearn(fresh, data, PDU(), monkeypatch, steps=60)
    assert _margin(unlearned, data) < margin_before / 4
    assert retain_loss_now(unlearned, data.retain) < 20 * loss_before < 0.2
    assert np.mean([float(one.mean()) for one in unlearned.pair_logprobs(data.forget)]) < -1
    assert seen[-1][0] != 100.0


def _margin(model: LanguageModel, data: UnlearningData) -> float:
    with torch.no_grad():
        return margin_flattening_loss(model.token_logits(model.encode(data.forget))[0]).item()
