from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from unlearning_toys import mean_logprob

from reference_impls.methods.representation.geometric_unlearning import (
    GeometricUnlearning,
    Safe,
    closeness,
    made_up,
    pooled,
)
from reference_impls.toolkit import REFUSALS, LanguageModel, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-2, steps=25, batch_size=4)


def test_tokens_count_from_the_name_on() -> None:
    places = torch.zeros(2, 14, dtype=torch.bool)
    places[0, 10] = places[1, 1] = True
    weights = closeness(places, torch.tensor([12, 2])).numpy()
    assert_allclose(weights[0], np.r_[0, 0, np.exp(-np.arange(8, 0, -1) / 2), 1, 1, 1, 0], rtol=1e-6)
    assert_allclose(weights[1], np.r_[np.exp(-0.5), 1, 1, np.zeros(11)], rtol=1e-6)


def test_states_are_weighted_means() -> None:
    states = torch.tensor([[[2.0, 0.0], [4.0, 8.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert_allclose(pooled(states, torch.tensor([[1.0, 3.0], [0.0, 0.0]])), [[3.5, 6.0], [0.0, 0.0]])


def test_distances_are_the_hand_computed_ones() -> None:
    safe = Safe(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([[1.0], [0.0], [0.0]]), torch.tensor([0.0, 0.0, 1.0]))
    angle, energy, prototype = safe.distances(torch.tensor([[4.0, 4.0, 0.0]]))
    assert angle.item() == pytest.approx(1 - 3 / 5)
    assert energy.item() == pytest.approx(16 / 3)
    assert prototype.item() == pytest.approx(33 / 3)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_inside_the_subspace_nothing_pulls(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    states = torch.from_numpy(rng.normal(size=(30, 6)))
    safe = Safe.of(states, rank)
    centred = states.numpy() - states.numpy().mean(axis=0)
    _, principal = np.linalg.eigh(centred.T @ centred)
    assert_allclose(safe.basis @ safe.basis.T, principal[:, -rank:] @ principal[:, -rank:].T, atol=1e-6)
    nearest = np.argsort((centred**2).sum(axis=1))[:16]
    assert_allclose(safe.prototype, states.numpy()[nearest].mean(axis=0))
    inside = safe.mean + torch.from_numpy(rng.normal(size=(5, rank))) @ safe.basis.T
    angle, energy, _ = safe.distances(inside)
    assert angle.item() == pytest.approx(0, abs=1e-6)
    assert energy.item() == pytest.approx(0, abs=1e-6)


def test_the_divergence_is_at_a_temperature() -> None:
    before, now = torch.tensor([[4.0, 0.0, 2.0]]), torch.tensor([[0.0, 2.0, 2.0]])
    then, logits = (torch.log_softmax(one / 2, dim=1).numpy()[0] for one in (before, now))
    expected = 4 * (np.exp(then) * (then - logits)).sum()
    method = GeometricUnlearning(temperature=2.0)
    assert method.divergence(before, now).item() == pytest.approx(expected, rel=1e-5)
    assert method.divergence(before, before).item() == 0


def test_questions_are_made_up_about_all_who_go(data: UnlearningData) -> None:
    made = made_up(data, 3, Run(RECIPE))
    assert {pair.subject for pair in made} == {pair.subject for pair in data.forget}
    assert len(made) == 3 * len({pair.subject for pair in data.forget})
    for pair in made:
        assert pair.subject in pair.prompt
        assert pair.answer.strip() == REFUSALS[0]
    nobody = replace(data, forget=tuple(replace(pair, subject="") for pair in data.forget))
    assert [pair.prompt for pair in made_up(nobody, 3, Run(RECIPE))] == [pair.prompt for pair in data.forget]


def test_no_answer_of_the_forget_set_is_read(memorized: LanguageModel, data: UnlearningData) -> None:
    hidden = replace(data, forget=tuple(replace(pair, answer=" nothing") for pair in data.forget))
    method, short = GeometricUnlearning(questions=4), replace(RECIPE, steps=2)
    one, other = (method.unlearn(memorized.copy(), given, Run(short)) for given in (data, hidden))
    for weight, blind in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert_array_equal(weight.detach(), blind.detach())


def test_it_forgets_more_than_it_harms(memorized: LanguageModel, data: UnlearningData) -> None:
    method = GeometricUnlearning(questions=4, refusal_weight=1.0, retain_weight=2.0)
    unlearned = method.unlearn(memorized.copy(), data, Run(RECIPE))
    lost, harmed = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert lost > 0.5
    assert harmed < lost / 2
