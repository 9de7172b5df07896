from __future__ import annotations

import torch
from unlearning_toys import answer_probabilities

from reference_impls.methods.localization.depn import DEPN, shared_neurons
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, memories

# Selection


def test_a_text_chooses_the_neurons_with_a_share_of_its_largest_attribution() -> None:
    assert sorted(shared_neurons(torch.tensor([[1.0, 0.05, 0.2]]), 0.1, 9).tolist()) == [0, 2]


def test_the_most_frequent_come_first_and_the_strongest_among_them() -> None:
    scores = torch.tensor([[1.0, 0.0, 0.4, 0.2], [0.0, 9.0, 2.0, 1.0], [0.0, 0.0, 0.3, 0.5]])
    assert shared_neurons(scores, 0.1, 3).tolist() == [2, 3, 1]
    assert shared_neurons(scores, 0.1, 1).tolist() == [2]


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
