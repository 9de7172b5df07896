from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.ssd import SSD, dampen
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, diagonal_fisher

IMPORTANCE = st.floats(0, 100)


def test_weights_are_dampened_as_worked_out_by_hand() -> None:
    weight = torch.tensor([1.0, 1.0, 1.0, -1.0])
    dampen(weight, torch.tensor([1.0, 1.0, 0.1, 0.0]), torch.tensor([5.0, 20.0, 2.0, 0.0]), 10.0, 1.0)
    assert_allclose(weight, [1, 0.05, 0.05, -1])


@given(
    st.lists(st.tuples(st.floats(-5, 5), IMPORTANCE, IMPORTANCE), min_size=1, max_size=8),
    st.floats(0.1, 20),
    st.floats(0, 50),
)
def test_no_weight_grows_or_turns_round_and_the_formula_holds(
    rows: list[tuple[float, float, float]], threshold: float, dampening: float
) -> None:
    weight, kept, forgotten = (torch.tensor(one, dtype=torch.float64) for one in zip(*rows, strict=True))
    expected = [w * min(dampening * k / f, 1) if f > threshold * k else w for w, k, f in rows]
    before = weight.clone()
    dampen(weight, kept, forgotten, threshold, dampening)
    assert_allclose(weight, expected, rtol=1e-9)
    assert bool((weight.abs() <= before.abs()).all())
    assert bool((weight * before >= 0).all())


def test_a_share_of_all_data_selects_as_the_docstring_says() -> None:
    share, threshold = 0.2, 3.0
    for forgotten, retained in ((9.0, 1.0), (6.0, 1.0), (6.1, 1.0), (5.9, 1.0), (1.0, 1.0)):
        everything = share * forgotten + (1 - share) * retained
        by_all = forgotten > threshold / (1 - share + threshold * share) * everything
        assert by_all == (forgotten > threshold * retained)


def test_importances_are_squares_of_single_answers_gradients(tiny: LanguageModel, data: UnlearningData) -> None:
    expected = 0.0
    for pair in data.forget:
        (out,) = tiny.token_logits(tiny.encode([pair]))
        loss = -out.token_logprobs().mean()
        found = torch.autograd.grad(loss, list(tiny.model.parameters()), materialize_grads=True)
        expected += sum(float(one.square().sum()) for one in found) / len(data.forget)
    assert sum(float(one.sum()) for one in diagonal_fisher(tiny, data.forget)) == pytest.approx(expected, rel=1e-4)


def test_what_is_forgotten_falls_further_than_what_is_kept_and_more_with_a_lower_threshold(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    losses = []
    for threshold in (30.0, 10.0, 5.0):
        unlearned = SSD(threshold=threshold).unlearn(memorized.copy(), data, Run(Recipe()))
        losses.append(
            [mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)]
        )
    forgotten, harmed = np.transpose(losses)
    assert forgotten[0] < forgotten[1] < forgotten[2]
    assert forgotten[1] > harmed[1]
