from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.e2urec import E2URec
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, TokenLogits, UnlearningData

ROW = st.lists(st.floats(-4, 4), min_size=3, max_size=3)
SHARES = st.floats(0, 0.95)


class _Saying:
    """A model that says the same of every batch, in the order asked."""

    def __init__(self, *outs: TokenLogits) -> None:
        self.outs = outs

    def token_logits(self, *batches: Any) -> tuple[TokenLogits, ...]:
        return self.outs[: len(batches)]


def _loss(
    forget: TokenLogits, retain: TokenLogits, before: list[float], kept: list[float], after: list[float], method: E2URec
) -> torch.Tensor:
    reference: Any = _Saying(token_logits([before], [0]), token_logits([kept], [1]))
    student: Any = _Saying(forget, retain)
    copy: Any = _Saying(token_logits([after], [0]))
    nothing: Any = None
    return method.loss(student, Batch(nothing, nothing, reference), copy)


def test_on_the_toy_it_is_the_hand_computed_one() -> None:
    # The teacher: 2 - 2 * (3 - 2) = 0 in the place that rose, and 0 elsewhere: one third each.
    forget, retain = token_logits([[0.0, 0.0, 0.0]], [0]), token_logits([[0.0, 0.0, 0.0]], [1])
    value = _loss(forget, retain, [2.0, 0.0, 0.0], [0.0, 0.0, 0.0], [3.0, 0.0, -1.0], E2URec(forget_weight=0.25))
    assert value.item() == pytest.approx(0.75 * np.log(3), abs=1e-6)  # labels alone are left


@given(ROW, ROW, ROW, ROW, ROW, SHARES, st.floats(0, 4))
@settings(deadline=None)
def test_loss_and_gradient_are_those_of_the_page(
    student: list[float],
    kept_now: list[float],
    before: list[float],
    kept: list[float],
    after: list[float],
    share: float,
    strength: float,
) -> None:
    forget, retain = token_logits([student], [0]), token_logits([kept_now], [1])
    value = _loss(forget, retain, before, kept, after, E2URec(forget_weight=share, strength=strength))
    value.backward()
    teacher = softmax(np.array(before) - strength * np.maximum(0, np.array(after) - np.array(before)))
    p, q, r = softmax(student), softmax(kept_now), softmax(kept)
    forgetting = (teacher * np.log(teacher / p)).sum()
    remembering = (r * np.log(r / q)).sum() - np.log(q[1])
    assert value.item() == pytest.approx(share * forgetting + (1 - share) * remembering, abs=1e-4)
    assert_allclose(gradient_of(forget.logits)[0], share * (p - teacher), atol=1e-5)
    assert_allclose(gradient_of(retain.logits)[0], (1 - share) * (2 * q - r - np.array([0.0, 1.0, 0.0])), atol=1e-5)


def test_it_forgets_through_a_change_of_low_rank_and_keeps_the_rest(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    run = Run(Recipe(learning_rate=5e-3, steps=15, batch_size=3))
    unlearned = E2URec(forget_weight=0.6, strength=100.0, rank=2, alpha=4.0).unlearn(memorized.copy(), data, run)
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.3
    fallen = mean_logprob(memorized, data.forget) - mean_logprob(unlearned, data.forget)
    assert mean_logprob(memorized, data.retain) - mean_logprob(unlearned, data.retain) < 0.3 * fallen
    before = dict(memorized.model.named_parameters())
    for name, weight in unlearned.model.named_parameters():
        change = (weight - before[name]).detach()
        assert ".layers." in name or not change.any()
        assert not change.any() or torch.linalg.matrix_rank(change, rtol=1e-3) <= 2


def test_without_the_forgetting_teacher_nothing_is_forgotten(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=3, batch_size=3))
    kept = replace(E2URec(rank=2, alpha=4.0), forget_weight=0.0).unlearn(memorized.copy(), data, run)
    assert mean_logprob(kept, data.forget) > mean_logprob(memorized, data.forget) - 0.05
