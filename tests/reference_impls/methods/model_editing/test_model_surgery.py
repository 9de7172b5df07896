from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.model_editing.model_surgery import DECAY, ModelSurgery, behavior_probe, mean_states
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

METHOD = ModelSurgery(strength=2.0, share=0.1)


def test_two_sets_that_mirror_each_other_are_parted_along_their_difference() -> None:
    unwanted = torch.tensor([[3.0, 1.0], [3.0, -1.0]])
    assert_allclose(behavior_probe(unwanted, -unwanted), [1.0, 0.0], atol=1e-5)
    assert_allclose(behavior_probe(-unwanted, unwanted), [-1.0, 0.0], atol=1e-5)


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_the_probe_is_that_of_newtons_method(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unwanted, others = rng.normal(0.5, 1, (6, 3)), rng.normal(-0.5, 1, (9, 3))
    seen = np.c_[np.concatenate([unwanted, others]), np.ones(15)]
    wanted, importance = np.repeat([1.0, 0.0], [6, 9]), np.repeat([1 / 6, 1 / 9], [6, 9])
    decay = 2 * DECAY * np.array([1.0, 1.0, 1.0, 0.0])
    weights = np.zeros(4)
    for _ in range(100):
        said = 1 / (1 + np.exp(-seen @ weights))
        gradient = seen.T @ (importance * (said - wanted)) + decay * weights
        curvature = (seen.T * (importance * said * (1 - said))) @ seen + np.diag(decay)
        weights -= 0.5 * np.linalg.solve(curvature, gradient)
    expected = weights[:3] / np.linalg.norm(weights[:3])
    assert_allclose(behavior_probe(torch.from_numpy(unwanted), torch.from_numpy(others)), expected, atol=1e-3)


def test_states_are_means_over_a_texts_tokens_and_not_over_padding(tiny: LanguageModel, data: UnlearningData) -> None:
    together = mean_states(tiny, data.retain)
    for row, pair in enumerate(data.retain):
        (states,) = tiny.outputs(tiny.encode([pair]), [tiny.blocks[-1]])
        assert_allclose(together[row], states[0].detach().mean(dim=0), atol=1e-4)


def test_the_rows_that_point_away_move_along_the_probe_and_nothing_else(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    edited = METHOD.unlearn(memorized.copy(), data, Run(Recipe()))
    probe = behavior_probe(mean_states(memorized, data.forget), mean_states(memorized, data.retain)).numpy()
    gates, moved = [], []
    for (name, before), after in zip(memorized.model.named_parameters(), edited.model.parameters(), strict=True):
        change = (after - before).detach().numpy()
        if "gate_proj" in name:
            gates.append(before.detach().numpy())
            moved.append(change)
        else:
            assert not change.any()
    rows, changes = np.concatenate(gates), np.concatenate(moved)
    cosines = rows @ probe / np.linalg.norm(rows, axis=1)
    lowest = cosines.argsort()[: round(0.1 * len(rows))]
    assert set(np.flatnonzero(changes.any(axis=1))) == set(lowest)
    assert_allclose(changes[lowest], np.tile(2.0 * probe, (len(lowest), 1)), atol=1e-5)


def test_what_is_forgotten_falls_further_than_what_is_kept(memorized: LanguageModel, data: UnlearningData) -> None:
    edited = METHOD.unlearn(memorized.copy(), data, Run(Recipe()))
    fell, harmed = (
        mean_logprob(memorized, pairs) - mean_logprob(edited, pairs) for pairs in (data.forget, data.retain)
    )
    assert fell > harmed
    assert fell > 0.1
