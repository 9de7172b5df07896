from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.seuf import SEUF, affinities, anchor_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, mixtures, routed

RECIPE = Recipe(learning_rate=3e-3, steps=12, batch_size=3)


def test_the_anchor_of_a_softmax_by_hand() -> None:
    scores = torch.tensor([[2.0, 1.0, 0.0]]).softmax(dim=-1)
    assert_allclose(anchor_loss(scores, [0]), 0.180061, atol=1e-6)
    assert_allclose(anchor_loss(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), [0]), 0)
    assert_allclose(anchor_loss(torch.tensor([[0.5, 0.5, 0.0]]), [0, 1]), 0)
    assert_allclose(anchor_loss(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), [0]), 1)  # the mean of 0 and 2


def test_the_affinity_is_the_mean_over_texts_of_the_mean_over_their_tokens(
    tiny_experts: LanguageModel, data: UnlearningData
) -> None:
    """Against one text at a time, by numpy from the router's weights."""
    found = mixtures(tiny_experts.model)
    expected = np.zeros((len(found), len(found[0].experts)))
    for pair in data.forget:
        batch = tiny_experts.encode([pair])
        with routed(found) as kept:
            tiny_experts.token_logits(batch)
        for row, (scores,) in enumerate(kept):
            gates = scores.detach().numpy().copy()
            lowest = np.argsort(gates, axis=1)[:, : gates.shape[1] - found[row].active]
            np.put_along_axis(gates, lowest, 0, axis=1)
            expected[row] += gates.mean(axis=0) / len(data.forget)
    assert_allclose(affinities(tiny_experts, data.forget, found), expected, atol=1e-5)


def _moved(before: LanguageModel, after: LanguageModel) -> dict[str, list[int]]:
    """By name of a weight that moved, the rows in which it did."""
    found = {}
    for (name, one), other in zip(before.model.named_parameters(), after.model.parameters(), strict=True):
        rows = (one != other).reshape(len(one), -1).any(dim=1).nonzero()[:, 0].tolist()
        if rows:
            found[name] = rows
    return found


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_only_the_expert_with_most_affinity_and_its_router_move(
    weight_decay: float, learned_experts: LanguageModel, data: UnlearningData
) -> None:
    recipe = replace(RECIPE, steps=3, weight_decay=weight_decay)
    affinity = affinities(learned_experts, data.forget, mixtures(learned_experts.model))
    layer, expert = divmod(int(affinity.argmax()), affinity.shape[1])
    moved = _moved(learned_experts, SEUF().unlearn(learned_experts.copy(), data, Run(recipe)))
    place = f"model.layers.{layer}.mlp"
    assert {name: rows for name, rows in moved.items() if "experts" in name} == {
        f"{place}.experts.gate_up_proj": [expert],
        f"{place}.experts.down_proj": [expert],
    }
    assert set(moved) == {f"{place}.experts.gate_up_proj", f"{place}.experts.down_proj", f"{place}.gate.weight"}


def test_several_experts_may_be_chosen_also_of_one_block(learned_experts: LanguageModel, data: UnlearningData) -> None:
    moved = _moved(learned_experts, SEUF(experts=16).unlearn(learned_experts.copy(), data, Run(RECIPE)))
    assert all(rows == [0, 1, 2, 3] for name, rows in moved.items() if "experts" in name)
    assert sum("experts.down_proj" in name for name in moved) == 4


def _sent_there(model: LanguageModel, data: UnlearningData, layer: int, expert: int) -> float:
    """The mean score of an expert over the tokens of the forget texts."""
    found = [mixtures(model.model)[layer]]
    batch = model.encode(data.forget)
    with torch.no_grad(), routed(found) as kept:
        model.token_logits(batch)
    return float(kept[0][0][batch.attention_mask.flatten().bool(), expert].mean())


def test_the_anchor_holds_the_router_to_the_expert(learned_experts: LanguageModel, data: UnlearningData) -> None:
    affinity = affinities(learned_experts, data.forget, mixtures(learned_experts.model))
    place = divmod(int(affinity.argmax()), affinity.shape[1])
    before = _sent_there(learned_experts, data, *place)
    held, free = (
        SEUF(anchor_weight=weight, retain_weight=0.0).unlearn(learned_experts.copy(), data, Run(RECIPE))
        for weight in (1.0, 0.0)
    )
    assert _sent_there(held, data, *place) > before
    assert _sent_there(held, data, *place) > _sent_there(free, data, *place)


@pytest.mark.parametrize("objective", ["ascent", "npo"])
def test_it_forgets(objective: str, learned_experts: LanguageModel, data: UnlearningData) -> None:
    unlearned = SEUF(objective=objective).unlearn(learned_experts.copy(), data, Run(replace(RECIPE, steps=25)))
    before, after = (mean_logprob(model, data.forget) for model in (learned_experts, unlearned))
    kept = mean_logprob(learned_experts, data.retain) - mean_logprob(unlearned, data.retain)
    assert after < before - 0.5
    assert kept < before - after
