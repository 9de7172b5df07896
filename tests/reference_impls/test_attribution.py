"""Which neurons answers come from, and which of them are shared."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from reference_impls.toolkit import (
    IGNORE,
    LanguageModel,
    UnlearningData,
    above_share,
    integrated_gradient,
    memories,
    most_shared,
    neuron_attributions,
    silence,
)


def _sigmoid_gradient(at: torch.Tensor) -> torch.Tensor:
    """Of sigmoid(2 a - b / 2)."""
    weights = torch.tensor([2.0, -0.5])
    p = torch.sigmoid(weights @ at)
    return weights * p * (1 - p)


@pytest.mark.parametrize(
    ("points", "expected"), [(4, (0.474516, -0.237258)), (20, (0.464749, -0.232374)), (5000, (0.462117, -0.231059))]
)
def test_the_sum_is_the_hand_computed_one_and_tends_to_the_integral(points: int, expected: tuple[float, float]) -> None:
    found = integrated_gradient(_sigmoid_gradient, torch.tensor([1.0, 2.0]), points)
    assert_allclose(found, expected, atol=1e-5 if points < 5000 else 1e-4)


def test_the_attributions_of_a_layer_sum_to_what_its_activations_do_for_the_answer(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    (memory,) = memories(memorized, [1])
    batch = memorized.encode(data.forget)
    scores = neuron_attributions(memorized, [memory], batch, 100)
    sequence, place = batch.supervised
    places = torch.zeros(*batch.input_ids.shape, 1, dtype=torch.bool)
    places[sequence, place] = True
    with torch.no_grad():
        (with_it,) = memorized.token_logits(batch)
        with memory.given(lambda keys: keys.masked_fill(places, 0.0), batch):
            (without,) = memorized.token_logits(batch)
    change = with_it.token_logprobs().exp() - without.token_logprobs().exp()
    assert_allclose(scores.sum(dim=1), with_it.sum_by_sequence(change), atol=0.02)


@pytest.mark.parametrize("token", [0, 1, 2])
def test_only_tokens_with_a_label_are_attributed(token: int, memorized: LanguageModel, data: UnlearningData) -> None:
    """What one token's probability is attributed sums to what the layer does for it, where it is due, alone."""
    (memory,) = memories(memorized, [2])
    whole = memorized.encode(data.forget[:1])
    place = int((whole.labels[0] != IGNORE).nonzero()[token, 0])
    only = torch.arange(whole.labels.shape[1])[:, None] == place
    batch = replace(whole, labels=torch.where(only[:, 0], whole.labels, IGNORE))
    with torch.no_grad():
        (with_it,) = memorized.token_logits(batch)
        with memory.given(lambda keys: keys.masked_fill(only.roll(-1, 0), 0.0), batch):
            (without,) = memorized.token_logits(batch)
    change = with_it.token_logprobs().exp() - without.token_logprobs().exp()
    assert_allclose(neuron_attributions(memorized, [memory], batch, 60).sum(), change.item(), atol=0.02)


@given(st.lists(st.lists(st.floats(-5, 5), min_size=4, max_size=4), min_size=1, max_size=5), st.floats(0.05, 1))
def test_a_texts_largest_score_is_always_above_a_share_of_it(rows: list[list[float]], share: float) -> None:
    scores = torch.tensor(rows).abs() + 0.1
    chosen = above_share(scores, share)
    assert bool(chosen.gather(1, scores.argmax(dim=1, keepdim=True)).all())
    assert bool((above_share(scores, 1.0) <= chosen).all())


def test_the_most_frequent_come_first_then_the_strongest_and_what_nobody_has_never() -> None:
    sets = torch.tensor([[1, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 0]], dtype=torch.bool)
    scores = torch.tensor([0.3, 3.0, 0.1, 0.5, 9.0])
    assert most_shared(sets, scores, 9).tolist() == [2, 3, 1, 0]
    assert most_shared(sets, scores, 2).tolist() == [2, 3]


def test_a_silenced_neuron_writes_nothing_and_silencing_again_changes_nothing(fresh: LanguageModel) -> None:
    (memory,) = memories(fresh, [0])
    before = memory.weight.detach().clone()
    silence([memory], torch.tensor([3, 5]))
    once = memory.weight.detach().clone()
    silence([memory], torch.tensor([5, 3]))
    assert torch.equal(memory.weight, once)
    assert not once[:, [3, 5]].any()
    others = [neuron for neuron in range(once.shape[1]) if neuron not in (3, 5)]
    assert torch.equal(once[:, others], before[:, others])


def test_neurons_are_numbered_through_all_layers(fresh: LanguageModel) -> None:
    layers = memories(fresh, [0, 1])
    width = layers[0].weight.shape[1]
    silence(layers, torch.tensor([2, width + 4]))
    gone = [(~memory.weight.any(dim=0)).nonzero()[:, 0].tolist() for memory in layers]
    assert gone == [[2], [4]]
