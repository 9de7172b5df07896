from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from reference_impls.methods.representation.adaptive_rmu import AdaptiveRMU, adaptive_target
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    misdirection_loss,
    random_direction,
    steering_loss,
)


def test_the_target_is_the_hand_computed_one() -> None:
    before, direction = torch.tensor([[3.0, 4.0]]), torch.tensor([0.6, 0.8])
    target = adaptive_target(before, direction, 5.0)
    assert_allclose(target, [[15.0, 20.0]], rtol=1e-6)
    assert (before - target).square().sum().item() == pytest.approx(400)


STATES = st.floats(-10, 10).map(lambda value: round(value, 9))  # the squares of much smaller ones lose digits


@given(st.lists(STATES, min_size=6, max_size=6), st.floats(0.1, 10), st.floats(0.1, 10))
def test_every_target_points_alike_and_grows_with_its_state(states: list[float], scale: float, size: float) -> None:
    before = torch.tensor(states, dtype=torch.float64).reshape(2, 3)
    direction = random_direction(3, 0).double()
    target = adaptive_target(before, direction, scale)
    assert_allclose(target.norm(dim=1), scale * before.norm(dim=1), rtol=1e-6)
    assert_allclose(target @ direction, target.norm(dim=1), rtol=1e-6, atol=1e-12)
    assert_allclose(adaptive_target(size * before, direction, scale), size * target, rtol=1e-9, atol=1e-12)


def test_states_of_one_length_make_it_rmu() -> None:
    before, direction = torch.tensor([[3.0, 4.0], [5.0, 0.0]]), torch.tensor([0.6, 0.8])
    assert_allclose(adaptive_target(before, direction, 1.3), (6.5 * direction).expand(2, 2), rtol=1e-6)


def test_at_the_start_the_loss_is_that_of_the_page(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), tiny.frozen())
    direction = random_direction(128, 0)
    with torch.no_grad():
        states = tiny.activations(batch.forget, 0.34)
        value = steering_loss(tiny, batch, adaptive_target(states, direction, 5.0), 0.34, 1200.0).item()
        lengths = states.norm(dim=1)
        cosine = states @ direction / lengths
        expected = lengths.square() * (1 + 25 - 10 * cosine)
        places, _ = batch.forget.supervised
        by_text = torch.stack([expected[places == text].mean() for text in range(3)]).mean()
    assert value == pytest.approx(float(by_text), rel=1e-4)


def test_only_the_down_projections_up_to_the_layer_change(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    AdaptiveRMU(depth=0.34).unlearn(fresh, data, Run(Recipe(learning_rate=1e-3, steps=2, warmup=0)))
    changed = {
        name
        for (name, before), after in zip(tiny.model.named_parameters(), fresh.model.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert changed == {f"model.layers.{layer}.mlp.down_proj.weight" for layer in (0, 1)}


@pytest.mark.parametrize("depth", [0.34, 1.0])
def test_one_setting_leads_forget_states_away_in_an_early_and_a_late_layer(
    depth: float, tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    method = AdaptiveRMU(depth=depth, scale=2.0, retain_weight=5.0)
    method.unlearn(fresh, data, Run(Recipe(learning_rate=2e-3, steps=30), seed=0))
    forget, retain = tiny.encode(data.forget), tiny.encode(data.retain)
    with torch.no_grad():
        before = tiny.activations(forget, depth)
        target = adaptive_target(before, random_direction(128, 0), 2.0)
        after = fresh.activations(forget, depth)
        assert misdirection_loss(after, target, forget) < 0.7 * misdirection_loss(before, target, forget)
        moved = misdirection_loss(fresh.activations(retain, depth), tiny.activations(retain, depth), retain)
        assert moved < misdirection_loss(after, before, forget)
