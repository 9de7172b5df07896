from __future__ import annotations

import math
import random
from dataclasses import asdict, replace
from statistics import NormalDist

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, invented_pairs, mean_logprob

from reference_impls.methods.modular.o3 import (
    O3,
    SHRINKAGE,
    Gate,
    GatedAdapters,
    distances,
    mean_and_precision,
    overlap,
)
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData, adapted_layers

RECIPE = Recipe(learning_rate=1e-2, steps=3, batch_size=4)


def test_overlap_is_the_hand_computed_one_and_0_for_orthogonal_rows() -> None:
    earlier, now = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]], requires_grad=True)
    assert overlap([earlier], [now]).item() == pytest.approx(0.36)
    assert overlap([earlier, earlier], [now, 2 * now]).item() == pytest.approx(0.36 + 4 * 0.36)
    assert overlap([earlier], [torch.tensor([[0.0, 3.0]])]).item() == 0


def _gate(inner: float = -0.4, outer: float = -1.0, spread: float = 0.1) -> Gate:
    one = torch.ones(1)
    return Gate(torch.zeros(1, 1), torch.ones(1, 1, 1), one, *torch.tensor([inner, outer, spread]))


@pytest.mark.parametrize("score", [-0.3, -0.4, -0.7, -1.0, -1.1, -1.3, -2.0])
def test_the_weight_is_that_of_two_normal_distributions(score: float) -> None:
    def below(value: float) -> float:
        return (NormalDist(-0.4, 0.1).cdf(value) + NormalDist(-1.0, 0.1).cdf(value)) / 2

    expected = 1 / (1 + math.exp(2 - 10 * (1 - abs(below(score) - below(-1.4 - score)))))
    assert _gate().weights(torch.tensor([score]), 10.0).item() == pytest.approx(expected, abs=1e-4)


def test_the_gate_is_open_at_the_requests_own_questions_and_shut_far_away() -> None:
    means, far = _gate().weights(torch.tensor([-0.4, -1.0]), 10.0), _gate().weights(torch.tensor([-2.0]), 10.0)
    assert_allclose(means, 1 / (1 + math.exp(-3)), atol=1e-3)
    assert_allclose(far, 1 / (1 + math.exp(2)), atol=1e-3)


def test_distances_are_those_of_the_shrunk_covariance() -> None:
    states = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(0))
    mean, precision = mean_and_precision(states)
    for block in range(2):
        off = states[:, block].numpy().astype(float)
        off = off - off.mean(axis=0)
        covariance = off.T @ off / 9
        shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / 3 * np.eye(3)
        expected = np.sqrt(np.einsum("ni,ij,nj->n", off, np.linalg.inv(shrunk), off))
        assert_allclose(distances(states, mean, precision)[:, block], expected, rtol=1e-3)


def test_what_is_held_out_lies_further_off() -> None:
    states = torch.randn(20, 2, 3, generator=torch.Generator().manual_seed(0))
    gate = Gate.fitted(states, random.Random(4))
    assert gate.outer.item() == pytest.approx(-1.0, abs=1e-5)  # which is what distances are measured by
    assert gate.inner > gate.outer
    assert gate.scores(states).mean().item() == pytest.approx(gate.inner.item(), abs=1e-5)


def test_a_request_of_one_question_has_a_gate() -> None:
    gate = Gate.fitted(torch.ones(1, 2, 3), random.Random(0))
    assert gate.weights(gate.scores(torch.ones(1, 2, 3)), 10.0).item() > 0.9
    assert gate.weights(gate.scores(torch.full((1, 2, 3), 2.0)), 10.0).item() < 0.2


def _course(model: LanguageModel, recipe: Recipe = RECIPE) -> GatedAdapters:
    pairs, method = invented_pairs(), O3(rank=2)
    gated: LanguageModel | GatedAdapters = model
    for request, told in enumerate((pairs[:2], pairs[2:4])):
        gated = method.unlearn(gated, UnlearningData(tuple(told)), Run(recipe, seed=request))
    assert isinstance(gated, GatedAdapters)
    return gated


def test_a_later_request_leaves_the_earlier_adapter_and_the_model_alone(tiny: LanguageModel) -> None:
    before = fingerprint(tiny.model)
    method, pairs = O3(rank=2), invented_pairs()
    gated = method.unlearn(tiny, UnlearningData(tuple(pairs[:2])), Run(RECIPE, seed=0))
    first = [weight.detach().clone() for weight in gated.factors(0)]
    gate = gated.gates[0]
    again = method.unlearn(gated, UnlearningData(tuple(pairs[2:4])), Run(RECIPE, seed=1))
    assert again is gated
    assert all(map(torch.equal, first, gated.factors(0)))
    assert gated.gates[0] is gate
    assert len(gated.gates) == 2
    assert fingerprint(gated.model.model) == before
    ups = [
        bool(layer.up.any()) for number in range(2) for layer in adapted_layers(gated.adapted.model, f"request{number}")
    ]
    assert all(ups)


def test_orthogonality_is_learned(tiny: LanguageModel) -> None:
    overlaps = []
    for weight in (0.0, 10.0):
        gated = O3(rank=2).unlearn(tiny, UnlearningData(tuple(invented_pairs()[:2])), Run(RECIPE, seed=0))
        longer = replace(RECIPE, steps=12)
        told = UnlearningData(tuple(invented_pairs()[2:4]))
        O3(rank=2, orthogonality=weight).unlearn(gated, told, Run(longer, seed=1))
        overlaps.append(float(overlap(gated.factors(0), gated.factors(1)).detach()))
    assert overlaps[1] < overlaps[0] / 2


def test_shut_gates_leave_answers_to_the_bit_and_open_ones_do_not(
    memorized: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(Recipe(learning_rate=1e-2, steps=20, batch_size=4))
    gated = O3().unlearn(memorized, data, run)
    asked = ([pair.prompt for pair in data.retain], [pair.answer for pair in data.retain])
    monkeypatch.setattr(GatedAdapters, "opened", lambda self, query: (0.2, 0))
    for one, other in zip(gated.answer_logprobs(*asked), memorized.answer_logprobs(*asked), strict=True):
        assert torch.equal(one, other)
    monkeypatch.setattr(GatedAdapters, "opened", lambda self, query: (0.96, 0))
    assert mean_logprob(gated, data.forget) < mean_logprob(memorized, data.forget) - 1
    open_wide = mean_logprob(gated, data.forget)
    monkeypatch.setattr(GatedAdapters, "opened", lambda self, query: (0.5, 0))
    assert open_wide < mean_logprob(gated, data.forget) < mean_logprob(memorized, data.forget)


def test_the_gate_knows_its_own_topic(tiny: LanguageModel) -> None:
    """Questions of another form are far from all that the gate has seen."""
    questions = [pair.prompt for pair in invented_pairs()]
    gated = GatedAdapters(tiny, asdict(O3()))
    gated.admit(Gate.fitted(gated.states(questions), random.Random(0)), seed=0)
    near = [gated.opened(question)[0] for question in questions]
    assert np.mean(near) > 0.6
    assert gated.opened("Hogwarts is a Magic School.")[0] < 0.3
    assert gated.speaker("Hogwarts is a Magic School.") is tiny


def test_adapters_and_gates_come_back_with_what_was_kept(tiny: LanguageModel) -> None:
    gated = _course(tiny)
    again = GatedAdapters.of(tiny, Kept(gated.to_json(), gated.tensors()))
    prompts = [pair.prompt for pair in invented_pairs()]
    assert [again.opened(prompt) for prompt in prompts] == [gated.opened(prompt) for prompt in prompts]
    answers = [pair.answer for pair in invented_pairs()]
    for one, other in zip(
        gated.answer_logprobs(prompts, answers), again.answer_logprobs(prompts, answers), strict=True
    ):
        assert torch.equal(one, other)
    assert again.speaker("", "Hogwarts is a Magic School.") is not None
