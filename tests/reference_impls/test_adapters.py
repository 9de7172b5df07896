from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from transformers.pytorch_utils import Conv1D

from reference_impls.toolkit import AdaptedLayer, adapted_layers


def _adapted(layer: torch.nn.Module) -> tuple[torch.nn.Module, AdaptedLayer]:
    """A network of one layer from 3 inputs to 5 outputs with an adapter of rank 4 in it, and that layer."""
    from peft import LoraConfig, inject_adapter_in_model

    stored_by_input = isinstance(layer, Conv1D)
    network = torch.nn.Sequential(layer)
    config = LoraConfig(r=4, lora_alpha=6, target_modules=["0"], fan_in_fan_out=stored_by_input)
    inject_adapter_in_model(config, network)
    (found,) = adapted_layers(network)
    return network, found


@pytest.mark.parametrize("layer", [torch.nn.Linear(3, 5), Conv1D(5, 3)], ids=["linear", "conv1d"])
@pytest.mark.parametrize("columns", [1, 2, 4])
def test_what_an_adapter_is_handed_the_matrix_loses(layer: torch.nn.Module, columns: int) -> None:
    torch.manual_seed(columns)
    network, found = _adapted(layer)
    given = torch.randn(7, 3)
    with torch.no_grad():
        before, whole = network(given), found.weight.clone()
        left, right = torch.randn(5, columns), torch.randn(columns, 3)
        found.hand_over(left, right)
        found.hand_over(left, right)  # once more: it is the part that is there then
        assert_allclose(found.scale * found.up @ found.down, left @ right, atol=1e-5)
        assert_allclose(found.weight, whole - left @ right, atol=1e-5)
        assert_allclose(network(given), before, atol=1e-5)
        assert not found.base.requires_grad


def test_layers_of_other_adapters_are_not_found() -> None:
    network, _ = _adapted(torch.nn.Linear(3, 5))
    assert not adapted_layers(network, "another")
    assert not adapted_layers(torch.nn.Linear(3, 5))
