from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob, token_logits

from reference_impls.methods.representation.repnoise import RepNoise, ascent_loss, discrepancy
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, mean_nll

VALUES = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=4, max_size=4)


def _by_formula(one: np.ndarray, other: np.ndarray) -> float:
    both = np.concatenate([one, other])
    squares = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    width = squares.sum() / (len(both) * (len(both) - 1)) / 4
    kernel = sum(np.exp(-squares / (width * 2.0**place)) for place in range(5))
    n = len(one)
    return float(kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean())


def test_the_discrepancy_is_the_hand_computed_one() -> None:
    one, other = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]])
    assert discrepancy(one, other).item() == pytest.approx(1.200789, abs=1e-5)
    assert _by_formula(one.numpy(), other.numpy()) == pytest.approx(1.200789, abs=1e-5)


@given(VALUES, VALUES)
def test_it_is_symmetric_not_below_0_and_0_of_the_same(first: list[float], second: list[float]) -> None:
    one, other = (torch.tensor(values, dtype=torch.float64).reshape(2, 2) for values in (first, second))
    value = discrepancy(one, other).item()
    assert value >= -1e-9
    assert value == pytest.approx(discrepancy(other, one).item(), abs=1e-9)
    assert discrepancy(one, one).item() == pytest.approx(0, abs=1e-9)
    if len(torch.cat([one, other]).unique(dim=0)) > 1:
        assert value == pytest.approx(_by_formula(one.numpy(), other.numpy()), abs=1e-6)


def test_the_ascent_is_a_mean_over_all_readers_and_its_pull_shrinks() -> None:
    sure, unsure = token_logits([[9.0, 0.0]], [0]), token_logits([[0.0, 0.0]], [0])
    assert ascent_loss(unsure, [unsure, unsure]).item() == pytest.approx(1 + math.log(2), abs=1e-6)
    assert ascent_loss(sure, [unsure]).item() == pytest.approx(1 + math.log(2) / 2, abs=1e-3)


def test_the_last_layer_reads_what_the_model_says(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = tiny.encode(data.forget)
    with torch.no_grad():
        (out,) = tiny.token_logits(batch)
        _, read = RepNoise().inside(tiny, batch, out)
    assert len(read) == tiny.layers
    assert_allclose(read[-1].logits, out.logits, atol=1e-4)
    assert float(mean_nll(read[0])) != pytest.approx(float(mean_nll(out)), abs=1e-4)


def test_every_reader_loses_the_answers_and_those_to_keep_stay(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=9, batch_size=3)
    unlearned = RepNoise().unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.3
