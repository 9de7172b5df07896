from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.inference_time.neuron_adjust import NeuronAdjust, adjusted, inputs_of, statistics
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData, watched

NEVER = math.inf


def _one(value: float, forgotten: tuple[float, float], kept: tuple[float, float], coin: float) -> float:
    f, r = (torch.tensor(one)[:, None] for one in (forgotten, kept))
    return float(adjusted(torch.tensor([[value]]), f, r, torch.tensor([coin])))


@pytest.mark.parametrize(("coin", "expected"), [(0.95, -0.4), (0.955, 2.2), (NEVER, 2.2)])
def test_a_value_is_mirrored_as_often_as_worked_out_by_hand(coin: float, expected: float) -> None:
    # densities 0.035475 and 0.736540, so that it is kept with probability 0.045951
    assert _one(2.2, (2, 0.5), (0, 1), coin) == pytest.approx(expected, abs=1e-6)


def test_what_looks_kept_is_left_alone_whatever_the_coin_says() -> None:
    assert _one(0.1, (2, 0.5), (0, 1), 0.0) == pytest.approx(0.1)


MEANS, SPREADS = st.floats(-3, 3), st.floats(0.3, 3)


@given(st.floats(-4, 4), MEANS, SPREADS, MEANS, SPREADS, st.floats(0, 0.99))
def test_the_rule_is_the_papers(value: float, mf: float, sf: float, mr: float, sr: float, coin: float) -> None:
    def density(mean: float, spread: float) -> float:
        return math.exp(-(((value - mean) / spread) ** 2) / 2) / spread

    nf, nr = density(mf, sf), density(mr, sr)
    probability = nf / (nf + nr) if nf + nr > 1e-200 else math.nan
    if not (abs(probability - 0.5) > 1e-4 and abs(probability - coin) > 1e-4):
        return  # at a border, or where 64 bits hold no density
    mirrored = 2 * mr - ((value - mf) / sf * sr + mr)
    expected = mirrored if nf >= nr and coin < probability else value
    assert _one(value, (mf, sf), (mr, sr), coin) == pytest.approx(expected, abs=1e-3)


def test_statistics_are_those_of_all_tokens_and_no_padding(tiny: LanguageModel, data: UnlearningData) -> None:
    module, neurons = inputs_of(tiny, 1)
    assert module is tiny.blocks[1].mlp.gate_proj  # type: ignore[union-attr]
    rows = []
    with torch.no_grad():
        for pair in data.forget:
            with watched([module]) as seen:
                tiny.token_logits(tiny.encode([pair]))
            rows.append(seen[module][1][0].numpy())
        found = statistics(tiny, data.forget)[1]
    values = np.concatenate(rows)
    assert values.shape[1] == neurons
    assert_allclose(found, [values.mean(axis=0), values.std(axis=0)], rtol=1e-3, atol=1e-5)


def test_weights_stay_and_what_is_forgotten_falls_further(memorized: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(memorized.model)
    falls = []
    for share in (0.05, 0.5):
        unlearned = NeuronAdjust(share=share).unlearn(memorized, data, Run(Recipe()))
        forgotten, kept = (
            mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
        )
        falls.append(forgotten)
    assert fingerprint(memorized.model) == before
    assert forgotten > kept
    assert falls[1] > falls[0]
    again = NeuronAdjust.restore(memorized, Kept(unlearned.to_json(), unlearned.tensors()))
    assert mean_logprob(again, data.forget) == pytest.approx(mean_logprob(unlearned, data.forget), abs=1e-6)
