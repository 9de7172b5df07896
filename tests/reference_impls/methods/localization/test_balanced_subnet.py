from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor
from unlearning_toys import gradient_of, mean_logprob

from reference_impls.methods.localization.balanced_subnet import BalancedSubnet, Subnet
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def _off(before: LanguageModel, after: LanguageModel) -> list[Tensor]:
    """Of each matrix of the MLPs, what was switched off; all else is asserted to be what it was."""
    layers = range(before.layers)
    inside = {id(module.weight) for module in after.mlp_matrices(layers)}
    found = []
    for one, other in zip(before.model.parameters(), after.model.parameters(), strict=True):
        changed = one != other
        assert not other[changed].any()
        assert id(other) in inside or not changed.any()
        if id(other) in inside:
            found.append(changed)
    return found


def test_the_lowest_scores_are_off_whatever_their_sign_and_learn_by_the_chain_rule() -> None:
    weight = torch.tensor([[2.0, -3.0], [0.5, 4.0]])
    subnet = Subnet(weight, share=0.25)
    with torch.no_grad():
        subnet.scores.copy_(torch.tensor([[0.3, -0.2], [0.9, -0.05]]))
    out = subnet(weight)
    assert out.tolist() == [[2.0, -3.0], [0.5, 0.0]]
    (out * torch.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    # what comes back, times the weight, times the score's sign; the one that is off learns, too
    assert_allclose(gradient_of(subnet.scores), [[2.0, 30.0], [50.0, -4000.0]])


def test_scores_begin_uniform_in_a_range_that_the_columns_decide() -> None:
    torch.manual_seed(0)
    scores = Subnet(torch.zeros(40, 100), share=0.1).scores.detach()
    assert float(scores.abs().max()) == pytest.approx(0.1, rel=0.01)
    assert float(scores.std()) == pytest.approx(0.1 / np.sqrt(3), rel=0.05)


def test_each_matrix_loses_its_share_and_no_other_weight_moves(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1.0, steps=1, batch_size=3)
    unlearned = BalancedSubnet(share=0.02).unlearn(memorized.copy(), data, Run(recipe))
    names = [[name for name, _ in model.model.named_parameters()] for model in (memorized, unlearned)]
    assert names[0] == names[1]
    off = _off(memorized, unlearned)
    assert len(off) == len(memorized.mlp_matrices(range(memorized.layers)))
    assert all(abs(int(one.sum()) - 0.02 * one.numel()) <= 1 for one in off)


def test_what_is_trained_forgets_and_what_is_drawn_by_lot_does_not(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    method = BalancedSubnet(share=0.1)
    trained, drawn = (
        method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=rate, steps=steps, batch_size=3)))
        for rate, steps in ((30.0, 12), (0.0, 1))
    )
    fell, fell_by_lot = (
        mean_logprob(memorized, data.forget) - mean_logprob(model, data.forget) for model in (trained, drawn)
    )
    harmed = mean_logprob(memorized, data.retain) - mean_logprob(trained, data.retain)
    assert fell > 3 * abs(fell_by_lot)
    assert harmed < fell / 2
