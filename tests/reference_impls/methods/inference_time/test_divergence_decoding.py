from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.inference_time.divergence_decoding import DivergenceDecoding, without_worst
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData, offset_logits

BASE, RETAIN, FORGET = (torch.tensor(one) for one in ([3.0, 1.0, 0.0], [1.0, 1.0, 0.0], [4.0, 1.0, 0.0]))


def test_both_forms_are_the_hand_computed_ones() -> None:
    assert_allclose(torch.softmax(BASE, dim=0), [0.843795, 0.114195, 0.042010], atol=1e-6)
    linear = torch.softmax(offset_logits(BASE, RETAIN, FORGET, 0.8), dim=0)
    assert_allclose(linear, [0.328879, 0.490629, 0.180492], atol=1e-6)
    assert_allclose(torch.softmax(without_worst(BASE, RETAIN, FORGET, 1), dim=0), [0, 0.731059, 0.268941], atol=1e-6)


@given(st.lists(st.floats(-9, 9), min_size=12, max_size=12, unique=True), st.integers(1, 9))
def test_as_many_as_told_are_ruled_out_one_is_left_and_the_others_keep_their_odds(
    values: list[float], banned: int
) -> None:
    base, retain, forget = torch.tensor(values, dtype=torch.float64).reshape(3, 4)
    found = without_worst(base, retain, forget, banned)
    left = torch.softmax(found, dim=0) > 1e-9
    assert int(left.sum()) == max(1, 4 - banned)
    assert torch.equal(found[left], base[left])
    assert bool(torch.log_softmax(found, dim=0).isfinite().all())
    assert (retain - forget)[left].min() >= (retain - forget)[~left].max()


def test_what_the_forget_data_adds_is_taken_away(memorized: LanguageModel, data: UnlearningData) -> None:
    model = memorized.copy()
    decoded = DivergenceDecoding().unlearn(model, data, Run(Recipe(learning_rate=2e-3, steps=15, batch_size=4)))
    assert fingerprint(model.model) == fingerprint(memorized.model)
    forget, retain = mean_logprob(memorized, data.forget), mean_logprob(memorized, data.retain)
    known = [mean_logprob(replace(decoded, strength=one), data.forget) for one in (0.0, 1.0, 2.0)]
    assert known[0] == pytest.approx(forget, abs=1e-5)
    assert known == sorted(known, reverse=True)
    lost, cost = forget - known[-1], retain - mean_logprob(replace(decoded, strength=2.0), data.retain)
    assert lost > 0.5
    assert cost < lost / 4
    ranked = replace(decoded, banned=3)
    assert mean_logprob(ranked, data.forget) < forget - 0.5
    again = DivergenceDecoding.restore(model, Kept(ranked.to_json(), ranked.tensors()))
    assert mean_logprob(again, data.forget) == mean_logprob(ranked, data.forget)
