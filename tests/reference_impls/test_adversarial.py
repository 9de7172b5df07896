from __future__ import annotations

import pytest
import torch
from unlearning_toys import fingerprint, hooks

from reference_impls.toolkit import LanguageModel, UnlearningData, mean_nll, shifted, worst_shift


@pytest.mark.parametrize("radius", [0.1, 0.5])
def test_shifts_stay_in_their_balls_and_serve_the_attacker(
    radius: float, fresh: LanguageModel, data: UnlearningData
) -> None:
    batch, before = fresh.encode(data.forget), fingerprint(fresh.model)
    hooked = hooks(fresh.model)
    read = batch.attention_mask.bool()
    shift = worst_shift(fresh, batch, 1, mean_nll, radius, 5)
    (states,) = fresh.outputs(batch, [fresh.blocks[1]])
    assert shift.norm(dim=2).max() <= radius * states[read].norm(dim=1).median() * (1 + 1e-5)
    assert not shift[~read].any()
    assert not shift.requires_grad
    with torch.no_grad():
        (plain,) = fresh.token_logits(batch)
        with shifted(fresh, 1, shift):
            (attacked,) = fresh.token_logits(batch)
    assert mean_nll(attacked) < mean_nll(plain) - 0.1
    assert fingerprint(fresh.model) == before
    assert hooks(fresh.model) == hooked
    assert all(weight.grad is None for weight in fresh.model.parameters())


def test_a_larger_ball_holds_worse_shifts_and_one_without_radius_none(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    batch = tiny.encode(data.forget)
    losses = []
    for radius in (0.0, 0.1, 0.5):
        shift = worst_shift(tiny, batch, 1, mean_nll, radius, 5)
        with torch.no_grad(), shifted(tiny, 1, shift):
            losses.append(float(mean_nll(*tiny.token_logits(batch))))
        assert radius or not shift.any()
    assert losses == sorted(losses, reverse=True)
