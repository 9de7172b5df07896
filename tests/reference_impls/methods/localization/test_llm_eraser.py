from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.llm_eraser import LLMEraser, importances, of_neurons
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, memories, nll_gradient


def _matrices(*shapes: tuple[int, int]) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False) for inputs, outputs in shapes]


@pytest.mark.parametrize("together", [False, True])
def test_a_neuron_is_a_row_of_each_input_and_a_column_of_the_output(together: bool) -> None:
    gate, up = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.ones(3, 2)
    down = torch.tensor([[10.0, 20.0, 30.0], [1.0, 1.0, 1.0]])
    expected = [3 + 2 + 11, 7 + 2 + 21, 11 + 2 + 31]
    matrices = _matrices((2, 6), (3, 2)) if together else _matrices((2, 3), (2, 3), (3, 2))
    values = [torch.cat([gate, up]), down] if together else [gate, up, down]
    assert_allclose(of_neurons(matrices, values), expected)


def test_importance_is_the_sum_over_the_neurons_weights(memorized: LanguageModel, data: UnlearningData) -> None:
    """Against plain backward passes, for one block."""
    (found,) = importances(memorized, [memorized.mlp_matrices([1])], data.forget)
    model = memorized.copy()
    batch = model.encode(data.forget)
    with torch.enable_grad():
        (out,) = model.token_logits(batch)
        out.sequence_nll().mean().backward()
    mlp = model.model.model.layers[1].mlp
    sides = [(mlp.gate_proj.weight, 1), (mlp.up_proj.weight, 1), (mlp.down_proj.weight, 0)]
    expected = sum((weight * weight.grad).abs().sum(dim=side) for weight, side in sides)
    assert_allclose(found, expected.detach(), rtol=1e-3, atol=1e-7)


def test_removing_an_important_neuron_changes_the_loss_by_about_its_share(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    """To first order: its weights times the gradient, signs and all, of which the importance is a bound."""
    matrices = memorized.mlp_matrices([0])
    gradient = nll_gradient(memorized, data.forget)
    of = {id(weight): weight.detach() * part for weight, part in zip(gradient.weights, gradient.parts, strict=True)}
    signed = of_neurons(matrices, [of[id(module.weight)] for module in matrices])
    (bound,) = importances(memorized, [matrices], data.forget)
    assert (signed.abs() <= bound + 1e-6).all()


METHOD = LLMEraser(share=0.2, forget_importance=1.0)


def _removed(model: LanguageModel, before: LanguageModel) -> list[set[int]]:
    """The neurons of each block that write nothing any more."""
    return [
        set((~layer.weight.any(dim=0) & other.weight.any(dim=0)).nonzero()[:, 0].tolist())
        for layer, other in zip(memories(model, range(4)), memories(before, range(4)), strict=True)
    ]


def test_a_share_of_every_block_is_removed_and_stays_so_while_the_rest_is_trained(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    cut = METHOD.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=0.0, steps=1)))
    healed = METHOD.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=1e-3, steps=6, weight_decay=0.1)))
    removed = _removed(cut, memorized)
    assert [len(one) for one in removed] == [round(0.2 * 384)] * 4
    assert _removed(healed, memorized) == removed
    for block, neurons in zip(healed.model.model.layers, removed, strict=True):
        assert not block.mlp.gate_proj.weight[sorted(neurons)].any()
        assert not block.mlp.up_proj.weight[sorted(neurons)].any()
    assert mean_logprob(healed, data.retain) > mean_logprob(cut, data.retain)


def test_the_lowest_score_goes_first(memorized: LanguageModel, data: UnlearningData) -> None:
    cut = METHOD.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=0.0, steps=1)))
    layers = [memorized.mlp_matrices([2])]
    (general,), (forget,) = (importances(memorized, layers, pairs) for pairs in (data.retain, data.forget))
    order = (general - forget).argsort().tolist()
    assert _removed(cut, memorized)[2] == set(order[: round(0.2 * 384)])


def test_of_as_many_removed_neurons_the_chosen_ones_matter_more_to_what_is_forgotten(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    lost = []
    for kappa in (0.0, 1.0):
        method = LLMEraser(share=0.3, forget_importance=kappa)
        cut = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=0.0, steps=1)))
        forgotten, kept = (
            mean_logprob(memorized, pairs) - mean_logprob(cut, pairs) for pairs in (data.forget, data.retain)
        )
        lost.append(forgotten - kept)
    assert lost[1] > lost[0]


def test_the_loss_is_descent_with_a_little_ascent(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        value = LLMEraser(forget_weight=0.5).loss(tiny, batch).item()
        forget, retain = (
            sum(float(one.mean()) for one in tiny.pair_logprobs(pairs)) / len(pairs)
            for pairs in (data.forget, data.retain)
        )
    assert value == pytest.approx(0.5 * forget - retain, abs=1e-4)
