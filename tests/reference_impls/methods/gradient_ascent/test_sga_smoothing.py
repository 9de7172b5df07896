from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import mean_logprob, token_logits

from reference_impls.methods.gradient_ascent.sga_smoothing import SGASmoothing, smoothed_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def _losses(values: list[float]) -> torch.Tensor:
    """Rows of two words, the first of which has each of these losses."""
    return torch.tensor([[0.0, float(np.log(np.expm1(one)))] for one in values])


@pytest.mark.parametrize(("rate", "value"), [(0.0, -0.5), (-0.4, -0.05), (-3.0, 2.875)])
def test_the_loss_is_the_hand_computed_one(rate: float, value: float) -> None:
    """Of .5 (forget) and 1, 2, 3 with K = 4: weights 1, 1.3 and 3.25 up, 0, .1 and .75 down."""
    forget = token_logits(_losses([0.5]).tolist(), [0])
    normal = token_logits(_losses([1.0, 2.0, 3.0]).tolist(), [0, 0, 0], [0, 1, 2])
    assert smoothed_loss(forget, normal, rate, 4).item() == pytest.approx(value, abs=1e-5)


@given(st.floats(-20, 0), st.integers(2, 6), st.floats(0.1, 3))
def test_the_weights_add_up_to_one_whatever_the_rate(rate: float, labels: int, loss: float) -> None:
    forget = token_logits(_losses([loss]).tolist(), [0])
    normal = token_logits(_losses([loss] * (labels - 1)).tolist(), [0] * (labels - 1), list(range(labels - 1)))
    assert smoothed_loss(forget, normal, rate, labels).item() == pytest.approx(-loss, rel=1e-3)


def test_the_shortest_step_is_at_the_rate_of_the_closed_form() -> None:
    """The gradients (1, 0) and, of three neighbours together, (0, 2)."""
    forget, normal, labels = np.array([1.0, 0.0]), np.array([0.0, 2.0]), 4
    along = normal / labels - (labels - 1) / labels * forget
    best = -forget @ along / (along @ along)
    assert best == pytest.approx(0.923077, abs=1e-6)
    lengths = [float(np.linalg.norm(forget + rate * along)) for rate in (best - 0.01, best, best + 0.01)]
    assert lengths[1] < min(lengths[0], lengths[2])


def test_smoothing_keeps_more_than_plain_ascent_where_it_forgets_as_much(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=12, batch_size=3)
    lost = []
    for rate in (0.0, -8.0):
        after = SGASmoothing(rate=rate, labels=3).unlearn(memorized.copy(), data, Run(recipe))
        lost.append(
            [mean_logprob(memorized, pairs) - mean_logprob(after, pairs) for pairs in (data.forget, data.retain)]
        )
    plain, smoothed = lost
    assert smoothed[0] > 0.5
    assert smoothed[1] / smoothed[0] < 0.6 * plain[1] / plain[0]
