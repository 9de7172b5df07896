from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.mean_teacher import (
    TOLERANCE,
    MeanTeacher,
    quadratic_divergence,
    unlikelihood_loss,
)
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, mean_kl

ROWS = st.lists(st.floats(-4, 4), min_size=3, max_size=3)


@given(ROWS, st.integers(0, 2))
def test_the_unlikelihoods_gradient_is_the_closed_form_and_bounded(row: list[float], true: int) -> None:
    out = token_logits([row], [true])
    unlikelihood_loss(out).backward()
    p = softmax(row)
    onehot = np.eye(3)[true]
    expected = p[true] / (1 + TOLERANCE - p[true]) * (onehot - p)
    assert_allclose(gradient_of(out.logits)[0], expected, atol=1e-5)
    assert float(gradient_of(out.logits).abs().max()) < 1


def test_without_the_tolerance_it_is_the_gradient_of_the_log_of_all_others() -> None:
    row = [0.5, 0.0, -1.0]
    out, other = token_logits([row], [0]), token_logits([row], [0])
    unlikelihood_loss(out).backward()
    (-torch.log(1 - torch.softmax(other.logits, dim=1)[0, 0])).backward()
    p = float(softmax(row)[0])
    assert_allclose(gradient_of(out.logits), gradient_of(other.logits) * (1 - p) / (1 + TOLERANCE - p), atol=1e-6)


def test_the_penalty_is_the_hand_computed_one() -> None:
    """Half of d'(diag p - pp')d, for p = 1/2, 1/4, 1/4 and d = 1, 0, -2: (1/2 + 1 - 0) / 2."""
    before = [float(np.log(one)) for one in (0.5, 0.25, 0.25)]
    out = token_logits([[before[0] + 1, before[1], before[2] - 2]], [0])
    value = quadratic_divergence(token_logits([before], [0]), out)
    assert value.item() == pytest.approx(0.75, abs=1e-6)
    value.backward()
    p, d = np.array([0.5, 0.25, 0.25]), np.array([1.0, 0.0, -2.0])
    assert_allclose(gradient_of(out.logits)[0], (np.diag(p) - np.outer(p, p)) @ d, atol=1e-6)


@given(ROWS, ROWS)
def test_close_by_it_is_the_divergence(row: list[float], apart: list[float]) -> None:
    teacher = token_logits([row], [0])
    out = token_logits([[one + 0.01 * other for one, other in zip(row, apart, strict=True)]], [0])
    value = quadratic_divergence(teacher, out).item()
    assert value == pytest.approx(mean_kl(teacher, out).item(), rel=0.1, abs=1e-6)
    shifted = token_logits([[one + 3 for one in row]], [0])
    assert quadratic_divergence(teacher, shifted).item() == pytest.approx(0, abs=1e-5)


def test_a_teacher_that_follows_lets_the_model_go_further_at_the_same_price(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=0.1, steps=20, batch_size=3)
    found = [
        MeanTeacher(forget_weight=1.0, retain_weight=3.0, pace=pace).unlearn(memorized.copy(), data, Run(recipe))
        for pace in (0.0, 0.2)
    ]
    held, followed = ([mean_logprob(one, pairs) for pairs in (data.forget, data.retain)] for one in found)
    before = [mean_logprob(memorized, pairs) for pairs in (data.forget, data.retain)]
    assert followed[0] < held[0] < before[0] - 0.02
    assert followed[0] < before[0] - 0.3
    assert before[1] - followed[1] < before[0] - followed[0]
