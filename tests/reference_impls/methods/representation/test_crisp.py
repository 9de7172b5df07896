from __future__ import annotations

import pytest
import torch
from unlearning_toys import fingerprint, hooks, mean_logprob

from reference_impls.methods.representation.crisp import CRISP, Salient, places, salient_features
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Recipe,
    Run,
    SparseAutoencoder,
    UnlearningData,
    UsageError,
    token_states,
)

PLANE = SparseAutoencoder(torch.eye(2), torch.zeros(2), torch.eye(2), torch.zeros(2), 2)
"""Features that are the coordinates, where they are above 0."""


def test_what_was_active_is_raised_by_the_gap() -> None:
    # before activation (.2, -.4), mean -.1, times 5: .2 + .5
    one = Salient(0, PLANE, torch.tensor([0]))
    now = torch.tensor([[0.2, -0.4]])
    assert float(one.loss(now, torch.tensor([[1.0, 0.0]]), 5.0)) == pytest.approx(0.7)
    # it was not active, so that it counts as it is
    assert float(one.loss(now, torch.tensor([[-1.0, 0.0]]), 5.0)) == pytest.approx(0.2)


def test_the_loss_is_a_mean_of_what_is_above_zero() -> None:
    both = Salient(0, PLANE, torch.tensor([0, 1]))
    states = torch.tensor([[2.0, -1.0], [-3.0, 4.0], [-1.0, -1.0]])
    assert float(both.loss(states, -states.abs(), 5.0)) == pytest.approx(3.0)
    assert float(both.loss(-states.abs(), -states.abs(), 5.0)) == 0


def test_below_zero_there_is_a_gradient_down_to_the_gap() -> None:
    one, then = Salient(0, PLANE, torch.tensor([0])), torch.tensor([[1.0, 0.0]])
    pushed = []
    for value in (-0.1, -3.0):
        # the mean of all is (value - 1) / 2: the gap is .55 with a factor of 1, and 2
        states = torch.tensor([[value, -1.0]], requires_grad=True)
        loss = one.loss(states, then, 1.0)
        pushed += [bool(torch.autograd.grad(loss, states)[0].any()) if loss > 0 else False]
    assert pushed == [True, False]


def test_before_the_first_step_only_the_features_count(memorized: LanguageModel, data: UnlearningData) -> None:
    salient = salient_features(memorized, data, [0, 2], 4, 1.5, Run(Recipe()))
    forget, retain = memorized.encode(data.forget), memorized.encode(data.retain)
    batch = Batch(forget, retain, memorized.frozen())
    method = CRISP(retain_weight=0.9)
    expected = []
    for one in salient:
        (states,) = memorized.outputs(forget, [memorized.blocks[one.layer]])
        there = states[places(forget)].detach()
        expected.append(one.loss(there, there, 5.0))
    assert int(places(forget).sum()) == int(forget.attention_mask.sum()) - len(forget)
    found = method.loss(memorized, batch, salient)
    assert found.item() == pytest.approx(0.1 * float(torch.stack(expected).mean()), rel=1e-4)


def test_features_fall_silent_without_a_hook(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=5e-3, steps=12, batch_size=4))
    (before,) = salient_features(memorized, data, [0], 5, 1.5, run)
    unlearned = CRISP(retain_weight=0.9, last=0.0, first=0.0, ratio=1.5).unlearn(memorized.copy(), data, run)

    def active(model: LanguageModel) -> float:
        states = torch.cat(list(token_states(model, model.blocks[0], data.forget)))
        return float(before.autoencoder.encode(states)[:, before.features].mean())

    assert fingerprint(unlearned.model) != fingerprint(memorized.model)
    assert active(unlearned) < 0.6 * active(memorized)
    forget, retain = (mean_logprob(memorized, one) - mean_logprob(unlearned, one) for one in (data.forget, data.retain))
    assert forget > retain
    assert hooks(unlearned.model) == hooks(memorized.model)


def test_without_such_a_feature_it_says_what_to_do(memorized: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="smaller ratio"):
        salient_features(memorized, UnlearningData(data.retain, data.retain), [0], 5, 1.5, Run(Recipe()))
