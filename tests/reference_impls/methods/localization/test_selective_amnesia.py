from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import hooks, mean_logprob

from reference_impls.methods.localization.selective_amnesia import SelectiveAmnesia, indirect_effects, put
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


@pytest.mark.parametrize(
    ("rise", "weight"),
    [(-1.0, 1.2), (0.0, 1.2), (0.1, 1.2), (0.5, 0.3 * 6**0.5 + 0.8), (1.0, 2.6), (1.1, 2.8), (50.0, 2.8)],
)
def test_the_weight_by_hand(rise: float, weight: float) -> None:
    assert SelectiveAmnesia().weight(rise) == pytest.approx(weight)


@given(st.floats(-5, 5), st.floats(0, 5))
def test_the_weight_stays_in_its_bounds_and_never_falls_as_the_loss_rises(rise: float, more: float) -> None:
    method = SelectiveAmnesia()
    assert 1.2 <= method.weight(rise) <= method.weight(rise + more) <= 2.8


def test_states_are_put_at_their_places_alone() -> None:
    out, states = torch.zeros(4, 3), torch.ones(2, 2, 3)
    places = torch.tensor([[True, False], [False, True]])
    assert put(places, states)(out).tolist() == [[1.0] * 3, [0.0] * 3, [0.0] * 3, [1.0] * 3]


def test_what_is_restored_brings_blurred_answers_back(memorized: LanguageModel, data: UnlearningData) -> None:
    def traced(count: int, noise: float) -> torch.Tensor:
        return indirect_effects(memorized, data.forget, count, noise, random.Random(0))

    assert traced(2, 0.0).abs().max() < 1e-6  # nothing was blurred
    effects = traced(1, 5.0)
    assert len(effects) == memorized.layers
    assert effects.argmax() == 0  # as in the paper: early MLPs are what later ones read
    assert effects[0] > 0.05
    assert len(traced(memorized.layers, 5.0)) == 1
    assert not any(hooks(memorized.model))


def test_pairs_that_do_not_name_their_subject_have_no_say(memorized: LanguageModel, data: UnlearningData) -> None:
    nameless = [replace(pair, subject="") for pair in data.forget]
    assert not indirect_effects(memorized, nameless, 2, 5.0, random.Random(0)).any()


def test_the_traced_mlps_alone_are_trained_and_forget_before_what_is_to_stay(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    method = SelectiveAmnesia(retain_weight=2.0)
    unlearned = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=2e-3, steps=12, batch_size=3)))
    before = dict(memorized.model.named_parameters())
    changed = {name for name, weight in unlearned.model.named_parameters() if not torch.equal(weight, before[name])}
    projections = ("gate_proj", "up_proj", "down_proj")
    assert changed == {f"model.layers.{layer}.mlp.{name}.weight" for layer in (0, 1) for name in projections}
    forgotten, kept = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > kept + 0.5
