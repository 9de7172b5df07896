from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.representation.sae_clamping import SAEClamping
from reference_impls.toolkit import (
    Activity,
    Clamp,
    Features,
    Kept,
    LanguageModel,
    Recipe,
    Run,
    SparseAutoencoder,
    UnlearningData,
    UsageError,
    clamp_of,
)

FOUR = SparseAutoencoder(torch.eye(4), torch.zeros(4), torch.eye(4), torch.zeros(4), 4)
"""Features that are the coordinates, where they are above 0."""
FORGET = Activity(torch.tensor([0.2, 0.4, 0.1, 0.0]), torch.tensor([0.4, 2.0, 0.5, 0.0]))
RETAIN = Activity(torch.tensor([0.0, 0.3, 0.009, 0.0]), torch.tensor([0.0, 1.0, 0.1, 0.0]))
OF = Features(0, torch.nn.Identity(), FOUR, FORGET, RETAIN)


def test_the_most_active_features_are_chosen_that_the_rest_hardly_has() -> None:
    clamp = clamp_of(OF, 10, 0.01, 3.0)
    assert clamp.features.tolist() == [0, 2]  # not 1, which the rest has, nor 3, which is never active
    assert_allclose(clamp.floor, [3 * 0.4 / 0.2, 3 * 0.5 / 0.1])
    assert clamp_of(OF, 1, 0.01, 3.0).features.tolist() == [0]
    assert clamp_of(OF, 2, 0.31, 3.0).features.tolist() == [1, 0]
    # (1, 1, 1, 1): what is chosen goes to -6 and -15
    assert_allclose(clamp(torch.ones(4)), [-6, 1, -15, 1])


def test_what_is_hardly_active_may_be_left_alone() -> None:
    clamp = clamp_of(OF, 10, 0.01, 3.0, least=0.5)  # of what they are when active, 2 and 5
    states = torch.tensor([[1.5, 1, 2, 1], [1, 1, 2.5, 1], [1.5, 1, 3, 1]])
    assert_allclose(clamp(states), [[-6.0, 1.0, 2.0, 1.0], [1.0, 1.0, 2.5, 1.0], [-6.0, 1.0, -15.0, 1.0]])
    assert clamp.active(states).tolist() == [True, False, True]
    again = Clamp.restore(clamp.tensors(), 4, torch.device("cpu"))
    assert_allclose(again(states), clamp(states))


def test_without_such_a_feature_it_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="larger retain_threshold"):
        clamp_of(replace(OF, retain=Activity(torch.ones(4), torch.ones(4))), 10, 0.01, 3.0)


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
