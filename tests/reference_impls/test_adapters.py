from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from transformers.pytorch_utils import Conv1D

from reference_impls.toolkit import (
    AdaptedLayer,
    LanguageModel,
    NamedAdapters,
    adapted_layers,
    row_importance,
    weighted_low_rank,
)


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


def test_of_several_adapters_one_is_at_work_as_strongly_as_asked(fresh: LanguageModel, tiny: LanguageModel) -> None:
    ids = torch.tensor([[5, 6, 7]])

    def logits(model: LanguageModel) -> torch.Tensor:
        with torch.no_grad():
            out: torch.Tensor = model.model(ids).logits
        return out

    adapters = NamedAdapters(fresh, rank=2, alpha=4.0)
    found = {name: adapters.fresh(name, seed) for seed, name in enumerate(("one", "two"))}
    assert not any(weight.requires_grad for weight in found["one"])
    assert all(weight.requires_grad for weight in found["two"])
    assert torch.equal(logits(fresh), logits(tiny))  # untrained
    with torch.no_grad():
        for layer in adapted_layers(fresh.model, "one"):
            layer.up.fill_(0.01)
    assert torch.equal(logits(fresh), logits(tiny))  # not at work
    adapters.use("one")
    whole = [layer.update for layer in adapted_layers(fresh.model, "one")]
    assert not torch.equal(logits(fresh), logits(tiny))
    adapters.use("one", 0.5)
    for full, layer in zip(whole, adapted_layers(fresh.model, "one"), strict=True):
        assert_allclose(layer.update, 0.5 * full)
    adapters.use("one", 0.0)
    assert torch.equal(logits(fresh), logits(tiny))
    again = [weight.detach().clone() for weight in adapters.fresh("one", seed=0)]
    assert not any(bool(weight.any()) for weight in again[1::2])
    assert adapters.weights("two")[0] is found["two"][0]


def _product(weight: Any, importance: Any, rank: int) -> np.ndarray:
    left, right = weighted_low_rank(torch.tensor(weight), torch.tensor(importance), rank)
    return np.asarray(left @ right)


def test_rows_are_weighed_by_what_the_forget_set_needs_more_of() -> None:
    forgotten, kept = torch.tensor([[1.0, 1.0], [8.0, 8.0]]), torch.ones(2, 2)
    assert_allclose(row_importance(forgotten, kept), (2**0.5, 4), rtol=1e-4)
    assert_allclose(row_importance(forgotten, torch.zeros(2, 2))[0], (2 / 1e-5) ** 0.5, rtol=1e-4)


@pytest.mark.parametrize(
    ("importance", "part"), [((2**0.5, 4.0), [[0.0, 0.0], [0.0, 1.0]]), ((1.0, 1.0), [[2.0, 0.0], [0.0, 0.0]])]
)
def test_the_part_of_rank_1_is_the_one_worked_out_by_hand(
    importance: tuple[float, ...], part: list[list[float]]
) -> None:
    assert_allclose(_product([[2.0, 0.0], [0.0, 1.0]], importance, 1), part, atol=1e-6)


@given(st.integers(0, 2**16), st.integers(1, 6), st.floats(0.01, 100))
def test_no_other_part_of_that_rank_is_nearer_in_the_rows_that_matter(seed: int, rank: int, factor: float) -> None:
    """Against the truncated decomposition in numpy, in which the rest of the singular values is the least distance."""
    drawn = np.random.default_rng(seed)
    weight, importance = drawn.normal(size=(5, 7)).astype(np.float32), drawn.uniform(0.1, 3, 5).astype(np.float32)
    weighted = importance[:, None] * weight
    part = _product(weight, importance, rank)
    least = np.sqrt((np.linalg.svd(weighted, compute_uv=False)[rank:] ** 2).sum())
    assert np.linalg.norm(weighted - importance[:, None] * part) == pytest.approx(least, abs=1e-4)
    assert np.linalg.matrix_rank(part, tol=1e-3) <= rank
    assert_allclose(_product(weight, np.float32(factor) * importance, rank), part, atol=1e-3)


@given(st.integers(0, 2**16))
def test_rows_without_importance_stay_whole(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    weight = drawn.normal(size=(4, 3)).astype(np.float32)
    part = _product(weight, np.array([1, 0, 2, 0], dtype=np.float32), 3)
    assert_allclose(part[[1, 3]], 0)
    assert_allclose(part[[0, 2]], weight[[0, 2]], atol=1e-4)
    assert np.isfinite(_product(weight, np.zeros(4, dtype=np.float32), 2)).all()
