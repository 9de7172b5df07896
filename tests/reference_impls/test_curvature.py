from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import token_logits

from reference_impls.toolkit import (
    Gradient,
    LanguageModel,
    UnlearningData,
    conjugate_gradients,
    drawn_labels,
    gauss_newton_product,
    kronecker_factors,
    mean_kl,
    mean_nll,
    nll_gradient,
    solved,
)


def test_factors_are_those_of_tokens_one_by_one(tiny: LanguageModel, data: UnlearningData) -> None:
    (module,) = tiny.mlp_outputs([2])
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    gradient = torch.zeros_like(weight)
    read: list[np.ndarray] = []
    for pair in data.retain:  # one by one, so that nothing is padded
        batch = tiny.encode([pair])
        handle = module.register_forward_hook(lambda module, given, out: read.append(given[0].detach()[0].numpy()))
        (out,) = tiny.token_logits(batch)
        handle.remove()
        read[-1] = read[-1][batch.supervised[1]]
        gradient += torch.autograd.grad(mean_nll(out) * len(out.targets), weight)[0]
    ((inputs, outputs),) = kronecker_factors(tiny, [module], data.retain)
    tokens = sum(len(one) for one in read)
    assert_allclose(inputs, sum(one.T @ one for one in read) / tokens, rtol=1e-3, atol=1e-6)
    assert torch.linalg.eigvalsh(outputs).min() > -1e-9
    # the gradient of a matrix is the sum of g aᵀ, so that by Cauchy-Schwarz its length is bounded by the two traces
    assert (gradient / tokens).square().sum() <= inputs.trace() * outputs.trace()


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.01, 10))
def test_what_is_solved_is_the_whole_product_with_damping(seed: int, damping: float) -> None:
    rng = np.random.default_rng(seed)
    gradient, read, slopes = rng.normal(size=(3, 4)), rng.normal(size=(4, 9)), rng.normal(size=(3, 9))
    inputs, outputs = read @ read.T, slopes @ slopes.T
    whole = np.kron(outputs, inputs) + damping * np.eye(12)  # rows one after the other
    by_formula = np.linalg.solve(whole, gradient.flatten()).reshape(3, 4)
    given_gradient, reads, gives = (torch.from_numpy(one) for one in (gradient, inputs, outputs))
    found = solved(given_gradient, reads, gives, damping)
    assert_allclose(found, by_formula, rtol=1e-6, atol=1e-9)


def test_labels_are_drawn_as_often_as_they_are_likely() -> None:
    out = token_logits([[np.log(3.0), 0.0, -100.0]] * 4000, [2] * 4000)
    torch.manual_seed(0)
    counts = drawn_labels(out).targets.bincount(minlength=3).tolist()
    assert abs(counts[0] - 3000) < 120  # more than four standard deviations
    assert counts[2] == 0


def test_the_gauss_newton_product_is_how_far_distributions_go(memorized: LanguageModel, data: UnlearningData) -> None:
    step = 0.02 * nll_gradient(memorized, data.forget).unit()
    product = gauss_newton_product(memorized, data.retain, step)
    (before,) = memorized.token_logits(memorized.encode(data.retain))
    with torch.no_grad(), step.ahead(1.0):
        (after,) = memorized.token_logits(memorized.encode(data.retain))
        apart = float(mean_kl(before, after))
    assert step.dot(product) / 2 == pytest.approx(apart, rel=0.1)
    other = nll_gradient(memorized, data.retain)
    assert other.dot(product) == pytest.approx(step.dot(gauss_newton_product(memorized, data.retain, other)), rel=1e-3)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_conjugate_gradients_solve_what_numpy_solves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    root, target = rng.normal(size=(5, 5)), rng.normal(size=5)
    whole = root @ root.T + np.eye(5)

    def vector(values: np.ndarray) -> Gradient:
        parts = tuple(torch.from_numpy(part) for part in np.split(values, [2]))
        return Gradient(parts, parts)

    def product(given: Gradient) -> Gradient:
        return vector(whole @ np.concatenate([part.numpy() for part in given.parts]))

    found = conjugate_gradients(product, vector(target), 20)
    assert_allclose(np.concatenate([part.numpy() for part in found.parts]), np.linalg.solve(whole, target), atol=1e-2)
    nothing = conjugate_gradients(product, vector(np.zeros(5)), 20)
    assert nothing.norm() == 0
