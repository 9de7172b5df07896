from __future__ import annotations

import pytest
import torch
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.representation.clamp_prime import ClampPrime
from reference_impls.toolkit import Clamped, Kept, LanguageModel, Recipe, Run, UnlearningData


def test_a_higher_threshold_keeps_more_and_forgets_less(memorized: LanguageModel, data: UnlearningData) -> None:
    before, told = fingerprint(memorized.model), []
    for least in (0.0, 1.5, 100.0):
        method = ClampPrime(features=20, retain_threshold=0.05, least=least)
        unlearned = method.unlearn(memorized, data, Run(Recipe()))
        told.append([mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)])
        clamp = unlearned.clamp
        if clamp.above is not None:
            torch.testing.assert_close(clamp.above * 5.0, clamp.floor * least)
    assert fingerprint(memorized.model) == before
    (forgotten, kept), (less, more), untouched = told
    assert forgotten < less < untouched[0] - 0.2
    assert kept < more - 1
    assert more == pytest.approx(untouched[1], abs=0.1)
    assert untouched == [mean_logprob(memorized, pairs) for pairs in (data.forget, data.retain)]


def test_the_threshold_comes_back_with_what_was_kept(memorized: LanguageModel, data: UnlearningData) -> None:
    unlearned = ClampPrime(least=0.8, retain_threshold=0.005).unlearn(memorized, data, Run(Recipe()))
    again = ClampPrime.restore(memorized, Kept(unlearned.to_json(), unlearned.tensors()))
    assert isinstance(again, Clamped)
    assert mean_logprob(again, data.forget) == pytest.approx(mean_logprob(unlearned, data.forget), abs=1e-6)
