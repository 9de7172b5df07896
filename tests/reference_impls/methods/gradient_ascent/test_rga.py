from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.gradient_ascent.grad_diff import GradDiff
from reference_impls.methods.gradient_ascent.rga import RGA, fading, lengths
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData

ROWS = st.lists(st.floats(-4, 4), min_size=3, max_size=3)


@given(ROWS, ROWS, st.floats(0, 4))
def test_the_weight_is_the_formula_and_no_gradient_flows_through_it(
    before: list[float], now: list[float], decay: float
) -> None:
    out = token_logits([now], [0])
    weight = fading(token_logits([before], [0]), out, decay)
    p, q = softmax(before), softmax(now)
    assert weight.item() == pytest.approx(math.exp(-decay * float((p * np.log(p / q)).sum())), rel=1e-3)
    assert not weight.requires_grad


def test_of_what_was_certain_it_is_a_power_of_the_probability() -> None:
    before, now = token_logits([[40.0, 0.0, 0.0]], [0]), token_logits([[0.0, 0.0, math.log(2)]], [0])
    assert fading(before, now, 2.0).item() == pytest.approx(1 / 16, rel=1e-5)
    assert fading(before, before, 2.0).item() == 1


def test_the_tie_is_the_sum_of_the_lengths_and_pulls_alike_near_and_far() -> None:
    weights = [torch.tensor([3.0, 4.0], requires_grad=True), torch.tensor([1e-3], requires_grad=True)]
    value = lengths(weights, [torch.zeros(2), torch.zeros(1)])
    value.backward()
    assert value.item() == pytest.approx(5.001)
    assert_allclose(gradient_of(weights[0]), [0.6, 0.8], rtol=1e-6)
    assert_allclose(gradient_of(weights[1]), [1.0], rtol=1e-6)
    still = torch.ones(2, requires_grad=True)
    lengths([still], [torch.ones(2)]).backward()
    assert_allclose(gradient_of(still), 0)


def test_without_decay_it_is_the_loss_of_grad_diff(memorized: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(memorized.encode(data.forget), memorized.encode(data.retain), memorized.frozen())
    with torch.no_grad():
        values = [method.loss(memorized, batch).item() for method in (RGA(decay=0.0), GradDiff())]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_it_fades_where_ascent_runs_away_and_the_base_draws(
    memorized: LanguageModel, tiny: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=20, batch_size=4)
    fading, running = (
        RGA(decay=decay).unlearn(memorized.copy(), data, Run(recipe)) for decay in (2.0, 0.0)
    )  # there is no base here
    tied = RGA(anchor=1.0).unlearn(memorized.copy(), data, Run(recipe, earlier=tiny.copy))
    known = mean_logprob(memorized, data.forget)
    assert mean_logprob(running, data.forget) < mean_logprob(fading, data.forget) - 3 < known - 3.5
    assert answer_probabilities(fading, data.retain).mean() > answer_probabilities(running, data.retain).mean()

    @torch.no_grad()
    def away(model: LanguageModel) -> float:
        return float(lengths(list(model.model.parameters()), list(tiny.model.parameters())))

    assert away(tied) < away(fading)
