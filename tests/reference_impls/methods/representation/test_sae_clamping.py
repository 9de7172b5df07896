from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.representation.sae_clamping import SAEClamping, clamp_of
from reference_impls.toolkit import (
    Activity,
    Kept,
    LanguageModel,
    Recipe,
    Run,
    SparseAutoencoder,
    UnlearningData,
    UsageError,
)

FOUR = SparseAutoencoder(torch.eye(4), torch.zeros(4), torch.eye(4), torch.zeros(4), 4)
"""Features that are the coordinates, where they are above 0."""
FORGET = Activity(torch.tensor([0.2, 0.4, 0.1, 0.0]), torch.tensor([0.4, 2.0, 0.5, 0.0]))
RETAIN = Activity(torch.tensor([0.0, 0.3, 0.009, 0.0]), torch.tensor([0.0, 1.0, 0.1, 0.0]))


def test_the_most_active_features_are_chosen_that_the_rest_hardly_has() -> None:
    clamp = clamp_of(FOUR, FORGET, RETAIN, 10, 0.01, 3.0)
    assert clamp.features.tolist() == [0, 2]  # not 1, which the rest has, nor 3, which is never active
    assert_allclose(clamp.floor, [3 * 0.4 / 0.2, 3 * 0.5 / 0.1])
    assert clamp_of(FOUR, FORGET, RETAIN, 1, 0.01, 3.0).features.tolist() == [0]
    assert clamp_of(FOUR, FORGET, RETAIN, 2, 0.31, 3.0).features.tolist() == [1, 0]
    # (1, 1, 1, 1): what is chosen goes to -6 and -15
    assert_allclose(clamp(torch.ones(4)), [-6, 1, -15, 1])


def test_without_such_a_feature_it_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="larger retain_threshold"):
        clamp_of(FOUR, FORGET, Activity(torch.ones(4), torch.ones(4)), 10, 0.01, 3.0)


def test_zero_does_little_and_further_down_forgets_more(memorized: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(memorized.model)
    falls, kept = [], []
    for strength in (0.0, 3.0, 9.0):
        method = SAEClamping(strength=strength, features=10, retain_threshold=0.005)
        unlearned = method.unlearn(memorized, data, Run(Recipe()))
        forget, retain = (
            mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
        )
        falls.append(forget)
        kept.append(retain)
    assert fingerprint(memorized.model) == before
    assert falls[0] < 0.3 * falls[1]
    assert falls[2] > falls[1] > kept[1]
    again = SAEClamping.restore(memorized, Kept(unlearned.to_json(), unlearned.tensors()))
    assert mean_logprob(again, data.forget) == pytest.approx(mean_logprob(unlearned, data.forget), abs=1e-6)
