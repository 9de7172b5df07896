from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob, token_logits

from reference_impls.methods.optimization.tar import TAR, drift, mapping_loss, negative_entropy
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


def test_the_attacked_loss_is_minus_the_entropy() -> None:
    logits = np.log([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]]).tolist()
    found = negative_entropy(token_logits(logits, [0, 1], [0, 1])).item()
    assert found == pytest.approx(-(1.0397 + math.log(3)) / 2, abs=1e-4)


def test_the_safeguard_leads_states_along_a_line_to_random_vectors() -> None:
    targets, read = torch.tensor([[[1.0, 0.0]] * 4]), torch.tensor([[True, True, True, False]])
    states = torch.tensor([[[2.0, 0.0], [-3.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])
    assert mapping_loss([states], targets, read).item() == pytest.approx((1 - 1 / math.sqrt(2)) / 3, abs=1e-6)
    assert mapping_loss([states, -2 * states], targets, read).item() == pytest.approx(0.097631, abs=1e-5)


def _batch(model: LanguageModel, data: UnlearningData) -> Batch:
    return Batch(model.encode(data.forget[:2], [0, 1]), model.encode(data.retain[:2]), None)


def test_late_steps_of_an_attack_count_more(memorized: LanguageModel, data: UnlearningData) -> None:
    method = TAR(attack_steps=4, every=1, schedule=0.5, adversary_rate=0.0)
    found = method.attack(memorized.copy(), _batch(memorized, data), data, 3, random.Random(0))
    lengths = np.array([one.norm() for one in found])
    # An attacker who does not move shows the same gradient at each step.
    assert_allclose(lengths / lengths[-1], [0.2231, 0.3679, 0.6065, 1], atol=1e-4)
    assert (
        len(TAR(attack_steps=4, every=2).attack(memorized.copy(), _batch(memorized, data), data, 3, random.Random(0)))
        == 2
    )


def test_an_attacker_learns_from_the_pairs_that_are_not_in_the_batch(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    before = [mean_logprob(fresh, [pair]) for pair in data.forget]
    method = TAR(attack_steps=8, adversary_rate=1e-3)
    for seed in range(2):
        method.attack(fresh, _batch(fresh, data), data, 3, random.Random(seed))
    gained = [mean_logprob(fresh, [pair]) - then for pair, then in zip(data.forget, before, strict=True)]
    assert gained[2] > 1
    assert gained[2] > max(gained[:2])


def test_nothing_of_an_attack_stays_in_the_model(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-4, steps=2, batch_size=2)
    found = [
        TAR(resistance=0.0, mapping=0.0, adversary_rate=rate, attack_steps=4).unlearn(
            memorized.copy(), data, Run(recipe)
        )
        for rate in (0.0, 0.1)
    ]
    for one, other in zip(found[0].model.parameters(), found[1].model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_states_of_the_model_itself_have_not_drifted(memorized: LanguageModel, data: UnlearningData) -> None:
    assert drift(memorized, memorized.frozen(), _batch(memorized, data)).item() == pytest.approx(0, abs=1e-6)


def test_who_was_attacked_tells_an_attacker_less(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe, lost, cost, told = Recipe(learning_rate=1e-3, steps=16, batch_size=3), [], [], []
    for resistance in (0.0, 4.0):
        method = TAR(resistance=resistance, adversary_rate=1e-3, attack_steps=4, every=2)
        model = method.unlearn(memorized.copy(), data, Run(recipe))
        lost.append(mean_logprob(memorized, data.forget) - mean_logprob(model, data.forget))
        cost.append(mean_logprob(memorized, data.retain) - mean_logprob(model, data.retain))
        relearned = Run(Recipe(learning_rate=1e-3, steps=4, batch_size=3)).finetune(model, data.forget[:2])
        told.append(mean_logprob(relearned, data.forget))
    assert lost[1] > 3
    assert cost[1] < lost[1] / 3
    assert told[1] < told[0] - 1
