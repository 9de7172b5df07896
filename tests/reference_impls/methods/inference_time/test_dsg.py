from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.inference_time.dsg import DSG, Guarded, chosen_features
from reference_impls.toolkit import Kept, LanguageModel, Pair, Recipe, Run, UnlearningData


def test_features_are_chosen_by_their_ratio_and_ranked_by_their_square() -> None:
    forget, retain = torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([3.0, 0.2, 0.1, 0.0])
    # squares 9, 4, 1, 0 over 9, .04, .01, 0: ratios 1, 100, 100, 0
    assert chosen_features(forget, retain, 10, 50).tolist() == [1, 2]
    assert chosen_features(forget, retain, 1, 50).tolist() == [1]
    assert chosen_features(forget, retain, 10, 0).tolist() == [0, 1, 2]


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(0, 100))
def test_the_choice_is_the_released_codes(seed: int, count: int, percentile: int) -> None:
    rng = np.random.default_rng(seed)
    forget, retain = rng.uniform(0.1, 1, 12), rng.uniform(0.1, 1, 12)
    scores, ratio = forget**2, forget**2 / (retain**2 + 1e-21)
    likely = np.where(ratio >= np.percentile(ratio, percentile) - 1e-12)[0]
    expected = likely[np.argsort(-scores[likely])][:count]
    found = chosen_features(torch.from_numpy(forget), torch.from_numpy(retain), count, percentile)
    assert found.tolist() == expected.tolist()


@pytest.fixture(scope="module")
def guarded(memorized: LanguageModel, data: UnlearningData) -> Guarded:
    return DSG(depth=0.33, percentile=80).unlearn(memorized, data, Run(Recipe()))


def test_the_gate_is_a_percentile_of_what_is_kept(guarded: Guarded, data: UnlearningData) -> None:
    kept = [float(guarded.share(pair.prompt)) for pair in data.retain]
    assert guarded.threshold == pytest.approx(np.percentile(kept, 80))
    assert np.percentile([0, 0.1, 0.2, 0.4], 95) == pytest.approx(0.37)
    opened = [guarded.speaker(pair.prompt) is guarded.changed for pair in data.retain]
    assert opened == [one > guarded.threshold for one in kept]
    (asked,) = guarded.model.outputs(
        guarded.model.encode([Pair(data.forget[0].prompt, "", closed=False)]), [guarded.model.blocks[guarded.layer]]
    )
    active = guarded.clamp.active(asked[0])
    assert float(guarded.share(data.forget[0].prompt)) == pytest.approx(float(active.float().mean()))


def test_what_is_let_through_is_untouched_and_the_rest_is_clamped(guarded: Guarded, data: UnlearningData) -> None:
    before = fingerprint(guarded.model.model)
    everything, nothing = (Guarded(guarded.model, guarded.layer, guarded.clamp, threshold) for threshold in (-1.0, 1.0))
    assert mean_logprob(nothing, data.forget) == mean_logprob(guarded.model, data.forget)
    assert mean_logprob(everything, data.forget) == mean_logprob(guarded.changed, data.forget)
    assert mean_logprob(everything, data.forget) < mean_logprob(nothing, data.forget)
    assert fingerprint(guarded.model.model) == before


def test_it_spares_more_than_clamping_without_a_gate(guarded: Guarded, data: UnlearningData) -> None:
    static = Guarded(guarded.model, guarded.layer, guarded.clamp, -1.0)
    assert mean_logprob(guarded, data.retain) >= mean_logprob(static, data.retain)
    assert mean_logprob(guarded, data.forget) < mean_logprob(guarded.model, data.forget)
    again = DSG.restore(guarded.model, Kept(guarded.to_json(), guarded.tensors()))
    assert mean_logprob(again, data.forget) == pytest.approx(mean_logprob(guarded, data.forget), abs=1e-6)
