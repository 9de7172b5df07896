from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.unilogit import Unilogit, uniform_target
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, mean_kl

ROWS = st.lists(st.floats(-8, 8), min_size=5, max_size=5)


def _coin(p: float, vocabulary: int) -> float:
    """KL of a coin that shows the true token with p from one that does so with 1/V."""
    other = (1 - p) * math.log((1 - p) * vocabulary / (vocabulary - 1)) if p < 1 else 0.0
    return p * math.log(p * vocabulary) + other


def test_the_target_on_the_toy_is_the_hand_computed_one() -> None:
    target = uniform_target(token_logits([[4.0, 1.0, 0.0]], [0])).logits[0]
    assert float(target[0]) == pytest.approx(0.620114, abs=1e-6)
    assert_allclose(torch.softmax(target, 0), (0.3333, 0.4874, 0.1793), atol=5e-5)
    assert not target.requires_grad


@given(ROWS, st.integers(0, 4))
def test_the_target_guesses_the_true_token_and_keeps_the_odds_of_others(row: list[float], true: int) -> None:
    q = torch.softmax(uniform_target(token_logits([row], [true])).logits[0], 0).double().numpy()
    assert q[true] == pytest.approx(1 / 5, abs=1e-6)
    others = [place for place in range(5) if place != true]
    kept = softmax(np.asarray(row)[others])
    assert_allclose(q[others], kept * 4 / 5, atol=1e-6)


@given(ROWS, st.integers(0, 4))
def test_the_loss_is_that_of_a_coin_and_its_gradient_a_weighted_ascent(row: list[float], true: int) -> None:
    out = token_logits([row], [true])
    value = mean_kl(out, uniform_target(out))
    value.backward()
    p = softmax(row)
    assert value.item() == pytest.approx(_coin(float(p[true]), 5), abs=1e-4)
    assert -1e-5 <= value.item() <= math.log(5) + 1e-5
    weight = p[true] * (math.log(p[true] / (1 - p[true])) + math.log(4))
    assert_allclose(gradient_of(out.logits)[0], weight * (np.eye(5)[true] - p), atol=1e-4)


def test_a_token_that_is_guessed_is_left_alone_and_one_below_comes_back() -> None:
    for row, sign in (([0.0, 0.0, 0.0], 0), ([-3.0, 0.0, 0.0], -1), ([3.0, 0.0, 0.0], 1)):
        out = token_logits([row], [0])
        mean_kl(out, uniform_target(out)).backward()
        pull = float(gradient_of(out.logits)[0, 0])
        assert (abs(pull) > 1e-3) == bool(sign)
        assert not sign or math.copysign(1, pull) == sign


def test_descent_on_free_logits_arrives_at_guessing_and_stays() -> None:
    row = [4.0, 1.0, 0.0]
    for _ in range(400):
        out = token_logits([row], [0])
        mean_kl(out, uniform_target(out)).backward()
        row = [x - 0.5 * float(g) for x, g in zip(row, gradient_of(out.logits)[0], strict=True)]
    assert softmax(row)[0] == pytest.approx(1 / 3, abs=1e-3)
    assert row[1] > row[2]


def test_the_forget_answers_fall_and_the_others_stay(learned: LanguageModel, data: UnlearningData) -> None:
    unlearned = Unilogit().unlearn(learned.copy(), data, Run(Recipe(learning_rate=1e-3, steps=20, batch_size=3)))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 1
