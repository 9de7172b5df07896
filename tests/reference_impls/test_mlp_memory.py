from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import Tensor
from unlearning_toys import fingerprint

from reference_impls.models.architectures import small_model
from reference_impls.toolkit import (
    LanguageModel,
    Pair,
    UnlearningData,
    beside,
    by_place,
    mean_over_tokens,
    memories,
    neuron_masks,
)

SIZES = st.integers(1, 4)


@given(SIZES, SIZES, SIZES, st.integers(0, 3), st.booleans())
def test_values_lie_where_the_batch_has_its_tokens(rows: int, places: int, size: int, before: int, flat: bool) -> None:
    """Whether a module sees texts row by row or all in one, and whether something is read before them or not."""
    values = torch.randn(rows, before + places, size)
    given = values.reshape(-1, size) if flat else values
    assert torch.equal(by_place(given, (rows, places)), values[:, before:])


@pytest.mark.parametrize("kind", ["llama", "gpt2", "phi3"])
def test_neurons_are_the_rows_that_read_and_the_columns_that_write(kind: str, tiny: LanguageModel) -> None:
    """Where the chosen neurons' weights are 0 they write nothing, and where all others' are, nothing but they do."""
    model = small_model(kind, tiny.tokenizer)
    (memory,) = memories(model, [0])
    neurons = torch.arange(memory.weight.shape[1]) % 3 == 0
    masks = neuron_masks(model, [0], lambda layer, size: neurons)
    per_neuron = sum(int(mask.sum()) for mask in masks) / int(neurons.sum())
    assert per_neuron == int(per_neuron)
    batch = model.encode([Pair("Question", " Ana Lund was born.")])
    with torch.no_grad():
        before = memory.keys(model, batch)
        for weight, mask in zip(model.model.parameters(), masks, strict=True):
            weight[mask] = 0
        after = memory.keys(model, batch)
    assert not bool(after[..., neurons].any())
    assert torch.allclose(after[..., ~neurons], before[..., ~neurons], atol=1e-6)
    assert not bool(memory.weight[:, neurons].any())
    assert bool(memory.weight[:, ~neurons].all(dim=0).any())


def test_means_are_over_tokens_and_not_over_padding(tiny: LanguageModel, data: UnlearningData) -> None:
    layers = memories(tiny, [0, 3])

    def totals(keys: Tensor) -> Tensor:
        return torch.stack([keys.sum(dim=0), keys.square().sum(dim=0)])

    alone = replace(tiny, batch_size=2)  # two passes
    for layer, found in zip(layers, mean_over_tokens(layers, alone, data.forget, totals), strict=True):
        rows = torch.cat([layer.keys(tiny, tiny.encode([pair]))[0] for pair in data.forget])  # one by one: no padding
        assert_allclose(found, torch.stack([rows.mean(dim=0), rows.square().mean(dim=0)]), rtol=1e-3, atol=1e-5)


def test_a_model_beside_another_shares_all_but_one_projection(fresh: LanguageModel) -> None:
    before = fingerprint(fresh.model)
    twin, memory = beside(fresh, 1)
    assert fingerprint(twin.model) == before
    with torch.no_grad():
        memory.weight.add_(1.0)
    assert fingerprint(fresh.model) == before != fingerprint(twin.model)
    shared = {id(weight) for weight in fresh.model.parameters()}
    own = [name for name, weight in twin.model.named_parameters() if id(weight) not in shared]
    assert own == ["model.layers.1.mlp.down_proj.weight"]
