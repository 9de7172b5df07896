"""Gradients as vectors, masks of weights, and what the loop does with either."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import Tensor
from unlearning_toys import fingerprint

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    cosine,
    damped,
    holding,
    mean_nll,
    most_salient,
    nll_gradient,
    trained_weights,
)

NUMBERS = st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=3)


def _vector(values: list[float]) -> Gradient:
    """A vector over a weight of two entries and one of a single entry."""
    weights = (torch.zeros(2, requires_grad=True), torch.zeros(1, requires_grad=True))
    return Gradient(weights, (torch.tensor(values[:2]), torch.tensor(values[2:])))


def _flat(vector: Gradient) -> list[float]:
    return [float(one) for part in vector.parts for one in part]


@given(NUMBERS, NUMBERS, st.floats(-10, 10))
def test_they_add_and_multiply_as_one_vector(one: list[float], two: list[float], factor: float) -> None:
    first, second = _vector(one), _vector(two)
    assert_allclose(_flat(first + factor * second), np.add(one, np.multiply(factor, two)), rtol=1e-4, atol=1e-3)
    assert_allclose(_flat(first - second), np.subtract(one, two), rtol=1e-5, atol=1e-4)
    assert first.dot(second) == pytest.approx(float(np.dot(one, two)), rel=1e-9, abs=1e-9)
    assert first.norm() == pytest.approx(math.hypot(*one), rel=1e-9)
    assert_allclose(_flat(first.scaled(second.parts)), np.multiply(one, two), rtol=1e-5, atol=1e-4)


@given(NUMBERS, NUMBERS)
@example([0.0, 0.0, 1.0], [0.0, 0.0, 5.675258780515509e-43])  # of which 1 / length is no number of 32 bits
def test_what_is_left_of_a_projection_is_orthogonal(one: list[float], two: list[float]) -> None:
    first, onto = _vector(one), _vector(two)
    along = first.projected(onto)
    assert (first - along).dot(onto) == pytest.approx(0, abs=1e-5 * (1 + first.norm() * onto.norm()))
    assert_allclose(_flat(along.projected(onto)), _flat(along), rtol=1e-4, atol=1e-4)
    assert any(two) or not any(_flat(along))


def test_the_inner_product_keeps_a_sign_that_32_bits_lose() -> None:
    big = torch.tensor([1e4, 1.0, 1e4])
    weights = (torch.zeros(3),)
    assert Gradient(weights, (big,)).dot(Gradient(weights, (torch.tensor([1e4, -1.0, -1e4]),))) == -1.0


def test_it_is_what_a_backward_pass_leaves_and_0_where_none_comes_by(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    unused = torch.nn.Parameter(torch.ones(3))
    fresh.model.register_parameter("unused", unused)
    found = Gradient.of(_retain_loss(fresh, _batch(fresh, data)), fresh)
    _retain_loss(fresh, _batch(fresh, data)).backward()
    for weight, part in zip(found.weights, found.parts, strict=True):
        assert_allclose(part, weight.grad if weight.grad is not None else torch.zeros(3), atol=1e-6)
    assert any(weight is unused for weight in found.weights)


def test_ahead_of_the_weights_and_back_to_the_bit(fresh: LanguageModel, data: UnlearningData) -> None:
    found = Gradient.of(_retain_loss(fresh, _batch(fresh, data)), fresh)
    before = fingerprint(fresh.model)
    expected = [weight.detach() + 0.3 * part for weight, part in zip(found.weights, found.parts, strict=True)]
    with found.ahead(0.3):
        for weight, one in zip(found.weights, expected, strict=True):
            assert_allclose(weight.detach(), one)
        assert fingerprint(fresh.model) != before
    assert fingerprint(fresh.model) == before


@given(NUMBERS, st.floats(1e-3, 10))
def test_a_damped_diagonal_has_no_zeros_and_grows_with_it(numbers: list[float], damping: float) -> None:
    fisher = [
        torch.tensor(numbers[:2], dtype=torch.float64).abs(),
        torch.tensor(numbers[2:], dtype=torch.float64).abs(),
    ]
    if not any(numbers):
        with pytest.raises(ValueError, match="0 everywhere"):
            damped(fisher, damping)
        return
    found = np.concatenate([part.numpy() for part in damped(fisher, damping)])
    assert_allclose(found, np.abs(numbers) + damping * np.abs(numbers).mean(), rtol=1e-9)
    assert (found > 0).all()


def test_a_gradient_may_be_asked_for_at_other_answers(tiny: LanguageModel, data: UnlearningData) -> None:
    others = [replace(pair, answer=" Nobody knows.") for pair in data.retain]
    found = nll_gradient(tiny, data.retain, lambda batch: tiny.encode(others))
    for part, expected in zip(found.parts, nll_gradient(tiny, others).parts, strict=True):
        assert_allclose(part, expected, atol=1e-6)


# The loop


def _retain_loss(model: LanguageModel, batch: Batch) -> Tensor:
    return mean_nll(*model.token_logits(batch.retain))


def _batch(model: LanguageModel, data: UnlearningData) -> Batch:
    return Batch(model.encode(data.forget), model.encode(data.retain), None)


def test_stepping_along_a_losses_gradient_is_minimising_the_loss(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=3, batch_size=2, weight_decay=0.1)
    by_loss = Run(recipe).minimize(_retain_loss, tiny.copy(), data)
    by_gradient = Run(recipe).minimize(
        lambda model, batch: Gradient.of(_retain_loss(model, batch), model), tiny.copy(), data
    )
    assert fingerprint(by_loss.model) == fingerprint(by_gradient.model)


def test_a_gradient_is_over_the_weights_that_train_and_leaves_the_others(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    chosen = fresh.model.model.layers[1].mlp.down_proj.weight
    seen: list[tuple[Tensor, ...]] = []

    def against(model: LanguageModel, batch: Batch) -> Gradient:
        seen.append(trained_weights(model))
        return -1.0 * Gradient.of(_retain_loss(model, batch), model)

    Run(Recipe(learning_rate=1e-3, steps=1)).minimize(against, fresh, data, [chosen])
    assert [len(one) for one in seen] == [1]
    assert seen[0][0] is chosen
    moved = [
        name
        for (name, one), other in zip(fresh.model.named_parameters(), tiny.model.parameters(), strict=True)
        if not torch.equal(one, other)
    ]
    assert moved == ["model.layers.1.mlp.down_proj.weight"]


def test_another_optimizer_may_take_the_steps(tiny: LanguageModel, data: UnlearningData) -> None:
    model = tiny.copy()
    found = Gradient.of(_retain_loss(model, _batch(model, data)), model)
    recipe = Recipe(learning_rate=0.5, steps=1, batch_size=5, max_grad_norm=1e9)
    everything = UnlearningData(data.retain, data.retain)
    Run(recipe).minimize(_retain_loss, model, everything, optimizer=torch.optim.SGD)
    for before, after, part in zip(tiny.model.parameters(), model.model.parameters(), found.parts, strict=True):
        assert_allclose(after.detach(), (before - 0.5 * part).detach(), atol=1e-5)


# Masks


@given(st.lists(st.floats(-9, 9), min_size=4, max_size=4, unique=True), st.floats(0.01, 1))
def test_the_highest_scores_of_all_tensors_together_are_chosen(values: list[float], share: float) -> None:
    scores = [torch.tensor(values[:3], dtype=torch.float64), torch.tensor(values[3], dtype=torch.float64)]
    chosen = most_salient(scores, share)
    assert [one.shape for one in chosen] == [one.shape for one in scores]
    flat = [*chosen[0].tolist(), bool(chosen[1])]
    assert sum(flat) == max(1, round(4 * share))
    picked = [one for one, taken in zip(values, flat, strict=True) if taken]
    assert sorted(picked) == sorted(values)[-len(picked) :]


def test_what_has_no_score_is_never_chosen() -> None:
    (chosen,) = most_salient([torch.tensor([-torch.inf, 1.0, -torch.inf])], 1.0)
    assert chosen.tolist() == [False, True, False]


@pytest.mark.parametrize("rows", [True, False])
def test_momentum_and_weight_decay_do_not_move_what_is_held(rows: bool) -> None:
    weight = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    mask = torch.tensor([True, False]) if rows else torch.tensor([[True, False], [False, False]])
    optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5)
    weight.grad = torch.ones_like(weight)
    optimizer.step()  # now every entry has momentum
    before = weight.detach().clone()
    put_back = holding([weight], [mask])
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    put_back()
    moved = weight.detach() != before
    assert torch.equal(moved, mask[:, None].expand(2, 2) if rows else mask)


@given(st.floats(2.0**-149, 2.0**-66, width=32))
def test_a_vector_that_is_too_short_to_have_a_direction_stays_and_others_have_the_length_one(short: float) -> None:
    unit = _vector([0.0, 0.0, short]).unit()
    assert unit.norm() == pytest.approx(1.0, rel=1e-5) or unit.norm() <= 1e-30


def test_the_cosine_of_two_gradients_however_short_and_of_one_that_is_none() -> None:
    one, other = torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0]])
    assert float(cosine(one, other)) == pytest.approx(24 / 25)
    assert float(cosine(1e-25 * one, -1e-25 * other)) == pytest.approx(-24 / 25)
    assert float(cosine(one, 0 * other)) == 0
