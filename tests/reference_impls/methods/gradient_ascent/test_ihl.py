from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.gradient_ascent.ihl import InvertedHinge
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, inverted_hinge_loss

ROWS = st.lists(st.integers(-32, 32).map(lambda x: x / 4), min_size=5, max_size=5, unique=True)


def _hinge(row: list[float], true: int) -> float:
    """The hinge with the class turned round, in numpy."""
    p = softmax(row)
    return max(0.0, float(1 + p[true] - np.delete(p, true).max()))


def test_loss_and_gradient_are_the_hand_computed_ones() -> None:
    out = token_logits([[math.log(0.5), math.log(0.3), math.log(0.2)]], [0])
    value = inverted_hinge_loss(out)
    value.backward()
    assert value.item() == pytest.approx(1.2, abs=1e-6)
    assert_allclose(gradient_of(out.logits)[0], (0.40, -0.36, -0.04), atol=1e-6)


def test_an_answer_is_the_mean_of_its_tokens_and_a_batch_that_of_its_answers() -> None:
    rows = [*FORGET_LOGITS, [0.0, 0.0, 3.0]]
    out = token_logits(rows, [*FORGET_TARGETS, 2], [0, 0, 1])
    first = np.mean([_hinge(row, true) for row, true in zip(FORGET_LOGITS, FORGET_TARGETS, strict=True)])
    assert inverted_hinge_loss(out).item() == pytest.approx((first + _hinge(rows[2], 2)) / 2, abs=1e-6)


@given(ROWS, st.integers(0, 4))
def test_the_loss_is_the_hinge_which_never_cuts_and_its_gradient_that_of_the_page(row: list[float], true: int) -> None:
    out = token_logits([row], [true])
    value = inverted_hinge_loss(out)
    value.backward()
    assert value.item() == pytest.approx(_hinge(row, true), abs=1e-5)
    assert 0 <= value.item() <= 2 + 1e-6
    p = softmax(row)
    rival = max((place for place in range(5) if place != true), key=lambda place: row[place])
    expected = p * (p[rival] - p[true])
    expected[true] = p[true] * (1 - p[true] + p[rival])
    expected[rival] = -p[rival] * (1 + p[true] - p[rival])
    assert_allclose(gradient_of(out.logits)[0], expected, atol=1e-5)


def test_of_two_rivals_alike_one_is_taken() -> None:
    out = token_logits([[1.0, 0.0, 0.0]], [0])
    inverted_hinge_loss(out).backward()
    one, other = sorted(gradient_of(out.logits)[0, 1:].tolist())
    assert one < other - 0.01


def test_descent_gives_the_place_to_the_second_choice() -> None:
    row = [4.0, 2.0, 1.0, 1.0]
    for _ in range(300):
        out = token_logits([row], [0])
        inverted_hinge_loss(out).backward()
        row = [x - float(g) for x, g in zip(row, gradient_of(out.logits)[0], strict=True)]
    p = softmax(row)
    assert p[1] > 0.95
    assert p[0] < 0.02


@pytest.mark.parametrize("row", [[-40.0, 40.0, 0.0], [40.0, 0.0, 0.0]])
def test_what_is_gone_and_what_is_certain_is_left_alone(row: list[float]) -> None:
    out = token_logits([row], [0])
    inverted_hinge_loss(out).backward()
    assert_allclose(gradient_of(out.logits), 0.0, atol=1e-9)


def test_the_forget_answers_fall_and_the_others_stay(learned: LanguageModel, data: UnlearningData) -> None:
    unlearned = InvertedHinge().unlearn(learned.copy(), data, Run(Recipe(learning_rate=1e-3, steps=20, batch_size=3)))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 1
