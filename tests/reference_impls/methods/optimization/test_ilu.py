from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import fingerprint, losses, mean_logprob, token_logits

from reference_impls.methods.optimization.ilu import ILU, scale_slope
from reference_impls.methods.preference_optimization.npo import NPO
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

ROWS = st.lists(st.lists(st.floats(-4, 4), min_size=3, max_size=3), min_size=1, max_size=4)
RECIPE = Recipe(learning_rate=3e-4, steps=8, batch_size=4)


def _slope(rows: list[list[float]], targets: list[int]) -> float:
    return float(scale_slope(token_logits(rows, targets)).detach())


def test_the_slope_is_the_hand_computed_one() -> None:
    assert _slope([[2.0, 0.0]], [0]) == pytest.approx(-0.238406, abs=1e-6)
    assert _slope([[2.0, 0.0]], [0]) ** 2 == pytest.approx(0.056837, abs=1e-6)
    assert _slope([[1.0, 1.0]], [0]) == pytest.approx(0.0, abs=1e-7)


@given(ROWS)
def test_the_slope_is_that_of_the_loss_by_the_scale_of_its_logits(rows: list[list[float]]) -> None:
    targets, step = [row % 3 for row in range(len(rows))], 1e-4
    above, below = (losses(np.array(rows) * scale, targets).mean() for scale in (1 + step, 1 - step))
    assert _slope(rows, targets) == pytest.approx((above - below) / (2 * step), abs=1e-3)


def test_at_the_best_temperature_it_is_zero() -> None:
    # of two equal questions one is answered with 0 and one with 1: nothing is known, and the best scale is 0
    assert _slope([[0.0, 0.0], [0.0, 0.0]], [0, 1]) == pytest.approx(0.0, abs=1e-7)
    # three of four are: surer than log 3 is too sure, less is not sure enough
    for size, sign in ((np.log(3.0), 0.0), (2.0, 1.0), (0.5, -1.0)):
        slope = _slope([[size, 0.0]] * 4, [0, 0, 0, 1])
        assert np.sign(round(slope, 5)) == sign


def test_without_the_penalty_it_is_npo(memorized: LanguageModel, data: UnlearningData) -> None:
    ours = ILU(invariance=0.0).unlearn(memorized.copy(), data, Run(RECIPE))
    npo = NPO(beta=0.1, retain_weight=1.0).unlearn(memorized.copy(), data, Run(RECIPE))
    assert fingerprint(ours.model) == fingerprint(npo.model)


def test_the_penalty_falls_and_what_is_to_go_goes(memorized: LanguageModel, data: UnlearningData) -> None:
    def slope(model: LanguageModel) -> float:
        with torch.no_grad():
            return abs(float(scale_slope(*model.token_logits(model.encode(data.retain)))))

    with_it, without = (ILU(invariance=weight).unlearn(memorized.copy(), data, Run(RECIPE)) for weight in (30.0, 0.0))
    assert slope(with_it) < slope(without)
    assert mean_logprob(with_it, data.forget) < mean_logprob(memorized, data.forget) - 0.1
