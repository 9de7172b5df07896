from __future__ import annotations

import math

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.agt_ao import AGTAO, conflict
from reference_impls.methods.preference_optimization.npo import NPO
from reference_impls.toolkit import Batch, Gradient, LanguageModel, Recipe, Run, UnlearningData, cosine, mean_nll


@pytest.mark.parametrize(("focus", "value"), [(1.0, 0.853553), (2.0, 0.728553)])
def test_the_penalty_is_the_hand_computed_one(focus: float, value: float) -> None:
    between = float(cosine(torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])))
    found, slope = conflict(between, focus)
    assert found == pytest.approx(value, abs=1e-6)
    ahead, _ = conflict(between + 1e-6, focus)
    assert slope == pytest.approx((ahead - found) / 1e-6, abs=1e-4)
    assert conflict(0.3, focus) == (0.0, 0.0)


def _batch(model: LanguageModel, data: UnlearningData) -> Batch:
    return Batch(model.encode(data.forget), model.encode(data.retain[:3]), model.frozen())


def test_before_training_the_loss_is_that_of_npo_under_any_shift(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = _batch(tiny, data)
    shift = torch.randn(*batch.forget.input_ids.shape, tiny.width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert AGTAO().forgetting(tiny, batch, shift).item() == pytest.approx(20 * math.log(2), abs=1e-4)


def test_the_attacker_raises_the_loss_within_his_bound(memorized: LanguageModel, data: UnlearningData) -> None:
    model, batch = memorized.copy(), _batch(memorized, data)
    Gradient.of(mean_nll(*model.token_logits(batch.forget)), model).step(-0.2)
    method = AGTAO(radius=0.2)
    shift = method.attack(model, batch)
    with torch.no_grad():
        (states,) = model.outputs(batch.forget, [model.blocks[model.layer_at(method.depth)]])
    bound = 0.2 * float(states[batch.forget.attention_mask.bool()].square().mean().sqrt())
    assert float(shift.abs().max()) <= bound * (1 + 1e-6)
    assert not shift[~batch.forget.attention_mask.bool()].any()
    with torch.no_grad():
        plain, attacked = (method.forgetting(model, batch, one) for one in (torch.zeros_like(shift), shift))
    assert attacked > plain + 0.005


def test_without_attack_and_penalty_it_is_npo(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=3, batch_size=3)
    found = AGTAO(radius=0.0, orthogonality=0.0).unlearn(memorized.copy(), data, Run(recipe))
    wanted = NPO().unlearn(memorized.copy(), data, Run(recipe))
    assert_allclose(mean_logprob(found, data.forget), mean_logprob(wanted, data.forget), atol=2e-3)
    assert_allclose(mean_logprob(found, data.retain), mean_logprob(wanted, data.retain), atol=2e-3)


def test_the_penalty_makes_gradients_conflict_less(memorized: LanguageModel, data: UnlearningData) -> None:
    def between(model: LanguageModel) -> float:
        batch = _batch(memorized, data)
        forgets = AGTAO().forgetting(model, batch, torch.zeros(*batch.forget.input_ids.shape, model.width))
        keeps = mean_nll(*model.token_logits(batch.retain))
        return Gradient.of(forgets, model).unit().dot(Gradient.of(keeps, model).unit())

    recipe = Recipe(learning_rate=3e-4, steps=3, batch_size=3)
    without, under = (
        AGTAO(radius=0.0, orthogonality=weight).unlearn(memorized.copy(), data, Run(recipe)) for weight in (0.0, 100.0)
    )
    assert between(memorized) < 0
    assert between(under) > between(without)


def test_it_forgets_and_keeps(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=10, batch_size=3)
    unlearned = AGTAO(warmup=3, retain_weight=5.0).unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.6
