from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.errors import UsageError
from reference_impls.toolkit import (
    Activity,
    Clamp,
    Clamped,
    Kept,
    LanguageModel,
    Pair,
    SparseAutoencoder,
    UnlearningData,
    contrasted,
    token_states,
)
from reference_impls.toolkit.sparse_autoencoder import autoencoder_of


def _drawn(seed: int, features: int = 6, width: int = 3, active: int = 2) -> SparseAutoencoder:
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(features, width))
    weights = [
        rng.normal(size=(features, width)),
        rng.normal(size=features),
        drawn / np.linalg.norm(drawn, axis=1, keepdims=True),
        rng.normal(size=width),
    ]
    encoder, encoder_bias, decoder, decoder_bias = (torch.tensor(one, dtype=torch.float32) for one in weights)
    return SparseAutoencoder(encoder, encoder_bias, decoder, decoder_bias, active)


PLANE = SparseAutoencoder(torch.eye(2), torch.zeros(2), torch.eye(2), torch.zeros(2), 2)
"""Features that are the coordinates, where they are above 0."""


def test_features_are_those_worked_out_by_hand() -> None:
    one = SparseAutoencoder(
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        torch.tensor([0.5, 0.0, -1.0]),
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]),
        torch.tensor([1.0, 0.0]),
        2,
    )
    # x - b_d = (2, -1): before ReLU 2.5, -1 and 0; then one is above 0
    features = one.encode(torch.tensor([[3.0, -1.0], [3.0, 3.0]]))
    # x - b_d = (2, 3): 2.5, 3 and 4, of which the two largest count
    assert_allclose(features, [[2.5, 0.0, 0.0], [0.0, 3.0, 4.0]])
    assert_allclose(one.decode(features), [[3.5, 0.0], [3.4, 6.2]], rtol=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_no_more_features_are_active_than_may_be_and_those_are_the_largest(seed: int, active: int) -> None:
    one = _drawn(seed, active=active)
    states = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, 3))).float()
    features, before = one.encode(states), one.before(states)
    assert int((features > 0).sum(dim=1).max()) <= active
    assert bool((features >= 0).all())
    for row, found in zip(before, features, strict=True):
        least = row.sort(descending=True).values[active - 1]
        assert_allclose(found, np.where(row >= max(float(least), 0), row.clamp(min=0), 0), atol=1e-6)


def _sums_of_few(count: int) -> torch.Tensor:
    """States that are sums of two out of twenty directions of length 1, far from 0."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(20, 8))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = np.stack([rng.choice(20, 2, replace=False) for _ in range(count)])
    strength = rng.uniform(1, 3, size=(count, 2, 1))
    return torch.from_numpy((strength * directions[chosen]).sum(axis=1) + 5).float()


def test_it_learns_to_write_states_again_the_same_for_a_seed() -> None:
    states = _sums_of_few(300)
    one, again, other = (SparseAutoencoder.trained(states, seed, expansion=8, active=3) for seed in (1, 1, 2))
    assert_allclose(one.decoder.norm(dim=1), 1, rtol=1e-5)
    assert one.explained(states) > 0.85
    assert SparseAutoencoder.trained(states, 1, expansion=8, active=3, steps=5).explained(states) < one.explained(
        states
    )
    for name, tensor in one.tensors().items():
        assert not tensor.requires_grad
        assert torch.equal(tensor, again.tensors()[name])
    assert not torch.equal(one.encoder, other.encoder)
    restored = SparseAutoencoder.restore(one.tensors(), one.active, torch.device("cpu"))
    assert torch.equal(restored.encode(states), one.encode(states))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_how_long_states_are_does_not_matter(scale: float) -> None:
    states = _sums_of_few(300)
    plain, scaled = (SparseAutoencoder.trained(one, 1, expansion=4, steps=20) for one in (states, scale * states))
    assert_allclose(scaled.encode(scale * states), scale * plain.encode(states), rtol=0.05, atol=0.02 * scale)


def test_no_more_features_than_states_and_no_training_without_any(tiny: LanguageModel, data: UnlearningData) -> None:
    few = SparseAutoencoder.trained(_sums_of_few(7), 0)
    assert len(few.encoder) == 7
    assert few.active == 2
    alone = SparseAutoencoder.trained(torch.ones(5, 4), 0)
    assert bool(torch.stack([one.isfinite().all() for one in alone.tensors().values()]).all())
    with pytest.raises(UsageError, match="longer texts"):
        autoencoder_of(tiny, tiny.blocks[0], [], 0)


def test_states_are_those_of_each_text_alone(tiny: LanguageModel, pairs: list[Pair]) -> None:
    found = list(token_states(tiny, tiny.blocks[1], pairs))
    assert len(found) == len(pairs)
    for pair, states in zip(pairs, found, strict=True):
        batch = tiny.encode([pair])
        (alone,) = tiny.outputs(batch, [tiny.blocks[1]])
        assert states.shape[0] == int(batch.attention_mask.sum())
        assert_allclose(states, alone[0].detach(), atol=1e-5)


def test_activity_is_counted_over_all_tokens() -> None:
    texts = [torch.tensor([[2.0, -1.0], [4.0, 0.0]]), torch.tensor([[-1.0, -1.0], [-1.0, 3.0]])]
    found = Activity.of(PLANE, texts)
    assert_allclose(found.share, [0.5, 0.25])
    assert_allclose(found.mean, [1.5, 0.75])
    assert_allclose(found.when_active, [3, 3])
    assert_allclose(Activity.of(PLANE, []).when_active, [0, 0])


def test_features_are_contrasted_by_how_often_and_how_much() -> None:
    forget = Activity(torch.tensor([0.5, 0.4, 0.3, 0.2, 0.0]), torch.tensor([1.0, 3.0, 0.2, 2.0, 0.0]))
    retain = Activity(torch.tensor([0.0, 0.2, 0.2, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.1, 0.5, 0.0]))
    # more often by .5, .2, .1, .2 and 0; more by any factor, 3, 2, 4 and none
    assert contrasted(forget, retain, 9, 3.0).tolist() == [0, 1, 3]
    assert contrasted(forget, retain, 2, 3.5).tolist() == [0, 3]
    assert contrasted(forget, retain, 9, 1.0).tolist() == [0, 1, 3, 2]


def test_a_clamp_is_the_hand_computed_one() -> None:
    clamp = Clamp(PLANE, torch.tensor([0]), torch.tensor([10.0]))
    assert_allclose(clamp(torch.tensor([[2.0, 1.0], [-2.0, 1.0]])), [[-10, 1], [-2, 1]])
    assert clamp.active(torch.tensor([[2.0, 1.0], [-2.0, 1.0]])).tolist() == [True, False]


@given(st.integers(0, 10**6))
def test_clamping_keeps_what_features_do_not_tell(seed: int) -> None:
    one = _drawn(seed)
    states = torch.from_numpy(np.random.default_rng(seed + 1).normal(size=(4, 3))).float()
    chosen, floor = torch.tensor([1, 4]), torch.tensor([2.0, 3.0])
    features = one.encode(states)
    clamped = features.clone()
    clamped[:, chosen] = torch.where(features[:, chosen] > 0, -floor, features[:, chosen])
    expected = one.decode(clamped) + (states - one.decode(features))
    clamp = Clamp(one, chosen, floor)
    assert_allclose(clamp(states), expected, atol=1e-4)
    quiet = ~clamp.active(states)
    assert torch.equal(clamp(states)[quiet], states[quiet])
    # Linear in how far down they are set.
    half = Clamp(one, chosen, floor / 2)(states)
    none = Clamp(one, chosen, 0 * floor)(states)
    assert_allclose(half, (clamp(states) + none) / 2, atol=1e-4)
    again = Clamp.restore(clamp.tensors(), one.active, torch.device("cpu"))
    assert torch.equal(again(states), clamp(states))


def test_inside_a_model_it_acts_token_by_token_and_opens_again(
    learned: LanguageModel, data: UnlearningData, pairs: list[Pair]
) -> None:
    block = learned.blocks[1]
    one = autoencoder_of(learned, block, pairs, 0)
    chosen = Activity.of(one, token_states(learned, block, data.forget)).share.topk(3).indices
    clamped = Clamped(learned, 1, Clamp(one, chosen, torch.full((3,), 5.0)))
    prompts = [pair.prompt for pair in pairs[:3]]
    assert clamped.generate(prompts, 4) == [clamped.generate([prompt], 4)[0] for prompt in prompts]
    assert mean_logprob(clamped, data.forget) < mean_logprob(learned, data.forget)
    again = Clamped(*Clamped.kept_parts(learned, Kept(clamped.to_json(), clamped.tensors())))
    assert mean_logprob(again, data.forget) == mean_logprob(clamped, data.forget)
