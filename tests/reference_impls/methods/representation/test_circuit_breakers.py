from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import gradient_of, mean_logprob

from reference_impls.methods.representation.circuit_breakers import (
    NUDGE,
    CircuitBreakers,
    circuit_breaker_loss,
    nudge,
    rerouting_loss,
)
from reference_impls.toolkit import Batch, Gradient, LanguageModel, Recipe, Run, UnlearningData

STATES = st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=3, max_size=3).filter(any)


@pytest.mark.parametrize(("now", "value"), [((1.0, 1.0), 0.707107), ((-1.0, -1.0), 0.0), ((0.0, 2.0), 0.0)])
def test_the_loss_is_the_hand_computed_one(now: tuple[float, float], value: float) -> None:
    found = rerouting_loss(torch.tensor([now]), torch.tensor([[1.0, 0.0]]))
    assert found.item() == pytest.approx(value, abs=1e-6)


@given(STATES, STATES, st.floats(0.1, 10))
def test_a_state_beyond_a_right_angle_pulls_no_more_and_its_length_never_counts(
    now: list[float], then: list[float], size: float
) -> None:
    state, before = torch.tensor([now], dtype=torch.float64, requires_grad=True), torch.tensor([then]).double()
    value = rerouting_loss(state, before)
    value.sum().backward()
    cosine = np.dot(now, then) / np.linalg.norm(now) / np.linalg.norm(then)
    assert value.item() == pytest.approx(max(0.0, cosine), abs=1e-5)
    assert gradient_of(state)[0].dot(state[0]).item() == pytest.approx(0, abs=1e-5)
    if cosine < -1e-5:
        assert not gradient_of(state).any()
    assert rerouting_loss(size * state, before).item() == pytest.approx(value.item(), abs=1e-5)


def test_a_nudge_is_as_small_as_it_says_for_every_tensor() -> None:
    weights = [torch.full((200, 200), 5.0), torch.zeros(3)]
    nudge(weights)
    assert (weights[0] - 5).std().item() == pytest.approx(5 * NUDGE, rel=0.05)
    assert not weights[1].any()


@pytest.mark.parametrize(("step", "value"), [(0, 1.0), (30, 0.75), (60, 0.5)])
def test_the_schedule_and_the_stationary_start(
    step: int, value: float, memorized: LanguageModel, data: UnlearningData
) -> None:
    model = memorized.copy()
    batch = Batch(model.encode(data.forget), model.encode(data.retain), memorized.frozen())
    found = circuit_breaker_loss(model, batch, [1, 2], step / 120, 10.0)
    assert found.item() == pytest.approx(value, abs=1e-5)
    assert Gradient.of(found, model).norm() < 1e-5


def test_forget_states_turn_and_only_the_blocks_up_to_the_deeper_layer_learn(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=15, batch_size=3)
    unlearned = CircuitBreakers().unlearn(memorized.copy(), data, Run(recipe))
    cosines = []
    for pairs in (data.forget, data.retain):
        one, other = (which.activations(which.encode(pairs), 0.61).detach() for which in (unlearned, memorized))
        cosines.append(torch.cosine_similarity(one, other, dim=1).mean().item())
    assert cosines[0] < 0.6 < 0.9 < cosines[1]
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    after = dict(unlearned.model.named_parameters())
    moved = {name for name, weight in memorized.model.named_parameters() if not torch.equal(weight, after[name])}
    assert {name.split(".")[2] for name in moved if ".layers." in name} == {"0", "1", "2"}
    assert all(".layers." in name for name in moved)
