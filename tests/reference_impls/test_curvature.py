from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import token_logits

from reference_impls.toolkit import LanguageModel, UnlearningData, drawn_labels, kronecker_factors, mean_nll, solved


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
    found = solved(torch.from_numpy(gradient), torch.from_numpy(inputs), torch.from_numpy(outputs), damping)
    assert_allclose(found, by_formula, rtol=1e-6, atol=1e-9)


def test_labels_are_drawn_as_often_as_they_are_likely() -> None:
    out = token_logits([[np.log(3.0), 0.0, -100.0]] * 4000, [2] * 4000)
    torch.manual_seed(0)
    counts = drawn_labels(out).targets.bincount(minlength=3).tolist()
    assert abs(counts[0] - 3000) < 120  # more than four standard deviations
    assert counts[2] == 0
