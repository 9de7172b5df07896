from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.model_editing.pisces import PISCES, erased
from reference_impls.toolkit import LanguageModel, Recipe, Run, SparseAutoencoder, UnlearningData, memories

PLANE = SparseAutoencoder(torch.eye(2), torch.zeros(2), torch.eye(2), torch.zeros(2), 2)
"""Features that are the coordinates, where they are above 0."""


def test_an_edit_is_the_hand_computed_one() -> None:
    vectors = torch.tensor([[2.0, 1.0], [0.5, 7.0], [-1.8, 3.0]])
    found = erased(vectors, PLANE, torch.tensor([0]), torch.tensor([1.0, 1.0, -1.0]), 0.5, 2.0)
    # the most is 2: the first goes from 2 to -4, the third, mostly below 0, from 0 as it reads to 4
    assert_allclose(found, [[-4.0, 1.0], [0.5, 7.0], [2.2, 3.0]])


@given(st.integers(0, 10**6), st.floats(0, 0.95), st.floats(0, 20))
def test_it_is_decoding_what_was_exchanged_with_what_is_not_told(seed: int, threshold: float, strength: float) -> None:
    rng = np.random.default_rng(seed)
    decoder = rng.normal(size=(6, 4))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    weights = [rng.normal(size=(6, 4)), rng.normal(size=6), decoder, rng.normal(size=4)]
    encoder, encoder_bias, rows, bias = (torch.tensor(part, dtype=torch.float32) for part in weights)
    one = SparseAutoencoder(encoder, encoder_bias, rows, bias, 3)
    vectors = torch.from_numpy(rng.normal(size=(5, 4))).float()
    features, signs = [1, 4], np.sign(rng.normal(size=5))
    found = erased(vectors, one, torch.tensor(features), torch.from_numpy(signs).float(), threshold, strength)
    written = vectors.numpy() @ weights[0][features].T
    expected = vectors.numpy().copy()
    for neuron in range(5):
        told = one.encode(vectors[neuron])
        left = vectors[neuron] - one.decode(told)
        new = told.clone()
        for place, feature in enumerate(features):
            if abs(written[neuron, place]) > threshold * np.abs(written[:, place]).max():
                new[feature] = -strength * np.abs(written).max() * signs[neuron]
        expected[neuron] = (one.decode(new) + left).numpy()
    assert_allclose(found, expected, atol=1e-3)


def test_nothing_changes_where_no_neuron_writes_enough() -> None:
    vectors = torch.tensor([[2.0, 1.0], [0.5, 7.0]])
    assert torch.equal(erased(vectors, PLANE, torch.tensor([0, 1]), torch.ones(2), 1.0, 9.0), vectors)


def test_few_neurons_change_and_what_is_forgotten_falls_further(memorized: LanguageModel, data: UnlearningData) -> None:
    method = PISCES(strength=12.0, features=5, ratio=1.5, first=0.33, last=0.33)
    unlearned = method.unlearn(memorized.copy(), data, Run(Recipe()))
    for layer in range(memorized.layers):
        (before,), (after,) = (memories(model, [layer]) for model in (memorized, unlearned))
        moved = (before.weight != after.weight).any(dim=0)
        assert bool(moved.any()) == (layer == 1)
        assert float(moved.float().mean()) < 0.5
    forget, retain = (mean_logprob(memorized, one) - mean_logprob(unlearned, one) for one in (data.forget, data.retain))
    assert forget > max(0.05, retain)
