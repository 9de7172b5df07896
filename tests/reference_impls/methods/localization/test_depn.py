from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities

from reference_impls.methods.localization.depn import (
    DEPN,
    attributions,
    common_tokens,
    integrated_gradient,
    private_labels,
    shared_neurons,
)
from reference_impls.toolkit import IGNORE, LanguageModel, Pair, Recipe, Run, UnlearningData, memories

NONE = torch.zeros(0, dtype=torch.long)

# Attribution


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
    (memory,), pairs = memories(memorized, [1]), data.forget
    scores = attributions(memorized, memory, pairs, 200, NONE)
    batch = memorized.encode(pairs)
    batch = replace(batch, labels=private_labels(batch, NONE))
    sequence, place = batch.supervised
    places = torch.zeros(*batch.input_ids.shape, 1, dtype=torch.bool)
    places[sequence, place] = True
    with torch.no_grad():
        (with_it,) = memorized.token_logits(batch)
        with memory.given(lambda keys: keys.masked_fill(places, 0.0), batch):
            (without,) = memorized.token_logits(batch)
    change = with_it.token_logprobs().exp() - without.token_logprobs().exp()
    assert_allclose(scores.sum(dim=1), with_it.sum_by_sequence(change), atol=0.02)


def test_tokens_of_the_question_and_tokens_that_kept_answers_share_are_not_private(tiny: LanguageModel) -> None:
    pair = Pair("Question: When was Ana Lund born?\nAnswer:", " Ana Lund was born in winter.")
    kept = [Pair("", f" Bo Reyes was born in {season}.") for season in ("spring", "summer", "autumn", "spring")]
    common = common_tokens(tiny, kept, rarity=0.5)
    labels = private_labels(tiny.encode([pair]), common)[0]
    assert tiny.tokenizer.decode(labels[labels != IGNORE]).strip() == "winter"
    assert len(common_tokens(tiny, [], 0.5)) == 0


def test_an_answer_without_private_tokens_counts_as_a_whole(tiny: LanguageModel) -> None:
    batch = tiny.encode([Pair("Who?", " Who?"), Pair("Who?", " winter.")])
    common = batch.labels[0, batch.labels[0] != IGNORE]
    labels = private_labels(batch, common)
    assert torch.equal(labels[0], batch.labels[0])
    assert (labels[1] != IGNORE).sum() < (batch.labels[1] != IGNORE).sum()


# Selection and silence


def test_a_text_chooses_the_neurons_with_a_share_of_its_largest_attribution() -> None:
    assert sorted(shared_neurons(torch.tensor([[1.0, 0.05, 0.2]]), 0.1, 9).tolist()) == [0, 2]


def test_the_most_frequent_come_first_and_the_strongest_among_them() -> None:
    scores = torch.tensor([[1.0, 0.0, 0.4, 0.2], [0.0, 9.0, 2.0, 1.0], [0.0, 0.0, 0.3, 0.5]])
    assert shared_neurons(scores, 0.1, 3).tolist() == [2, 3, 1]
    assert shared_neurons(scores, 0.1, 1).tolist() == [2]


def test_a_silenced_neuron_writes_nothing_and_silencing_again_changes_nothing(fresh: LanguageModel) -> None:
    (memory,) = memories(fresh, [0])
    before = memory.weight.detach().clone()
    memory.silence(torch.tensor([3, 5]))
    once = memory.weight.detach().clone()
    memory.silence(torch.tensor([5, 3]))
    assert torch.equal(memory.weight, once)
    assert not once[:, [3, 5]].any()
    others = [neuron for neuron in range(once.shape[1]) if neuron not in (3, 5)]
    assert torch.equal(once[:, others], before[:, others])


# The whole method


def test_the_chosen_neurons_matter_more_than_random_ones(memorized: LanguageModel, data: UnlearningData) -> None:
    method = DEPN(neurons=40, points=8, rarity=1.0)
    edited = method.unlearn(memorized.copy(), data, Run(Recipe()))
    changed = [
        int((before != after).any(dim=0).sum())
        for before, after in zip(memorized.down_projections(range(4)), edited.down_projections(range(4)), strict=True)
    ]
    assert sum(changed) == 40
    random = []
    for seed in range(3):
        control, generator = memorized.copy(), torch.Generator().manual_seed(seed)
        for memory, count in zip(memories(control, range(4)), changed, strict=True):
            memory.silence(torch.randperm(memory.weight.shape[1], generator=generator)[:count])
        random.append(answer_probabilities(control, data.forget).mean())
    assert answer_probabilities(edited, data.forget).mean() < min(random)


def test_only_down_projections_change(tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData) -> None:
    DEPN(neurons=500, points=2).unlearn(fresh, data, Run(Recipe()))
    changed = {
        name
        for (name, before), after in zip(tiny.model.named_parameters(), fresh.model.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert changed
    assert all("down_proj" in name for name in changed)
