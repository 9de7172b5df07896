"""Estimates of what a method takes, held against what autograd keeps of real networks, and against numbers by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MambaConfig,
    MixtralConfig,
    OPTConfig,
)

from catalog.model.needs import Needs
from reference_impls.measuring.estimate import Load, Size, estimate
from reference_impls.models.architectures import ALL, small_network
from reference_impls.running.planning import GIGABYTE, fits, in_words
from reference_impls.scaling import LoRA, Scaling
from reference_impls.toolkit import Recipe

SHAPE: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}
CONFIGS = {
    "llama": LlamaConfig(**SHAPE, num_key_value_heads=2),
    "tied": LlamaConfig(**SHAPE, tie_word_embeddings=True),
    "gpt2": GPT2Config(vocab_size=300, n_embd=64, n_layer=3, n_head=4, attn_pdrop=0, resid_pdrop=0, embd_pdrop=0),
    "neox": GPTNeoXConfig(**SHAPE),
    "gemma2": Gemma2Config(**SHAPE, num_key_value_heads=2, head_dim=16),
    "opt": OPTConfig(vocab_size=300, hidden_size=64, ffn_dim=256, num_hidden_layers=3, num_attention_heads=4,
                     word_embed_proj_dim=64),
    "mamba": MambaConfig(vocab_size=300, hidden_size=64, num_hidden_layers=3),
    "mixtral": MixtralConfig(**SHAPE, num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2),
}  # fmt: skip


def without_numbers(name: str) -> Any:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(CONFIGS[name])


def saved(network: Any, tokens: int) -> float:
    """How many numbers autograd keeps of one sequence in a network that holds some."""
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    kept: dict[int, tuple[float, Any]] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = (storage.nbytes() / tensor.element_size(), storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network.base_model(input_ids=torch.ones(1, tokens, dtype=torch.long), use_cache=False)
    return sum(count for place, (count, _) in kept.items() if place not in weights)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_a_batch_leaves_is_near_what_autograd_keeps(name: str) -> None:
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(CONFIGS[name]).train()
    size = Size.of(without_numbers(name), 48)
    assert size.parameters == sum(weight.numel() for weight in network.parameters())
    assert (size.layers, size.width, size.tokens) == (3, 64, 48)
    assert size.kept == pytest.approx(saved(network, 48), rel=0.35)
    assert size.kept_recomputed() < size.kept / 2


@pytest.mark.parametrize("family", ALL)
def test_every_family_that_methods_are_tried_on_has_a_size(family: str) -> None:
    network = small_network(family, 300)
    with torch.device("meta"):
        size = Size.of(AutoModelForCausalLM.from_config(network.config), 16)
    assert size.parameters == sum(weight.numel() for weight in network.parameters())
    assert size.kept > 0
    assert size.active <= size.parameters


def test_a_token_goes_through_some_experts_and_no_table() -> None:
    tables = 300 * 64
    whole = {name: Size.of(without_numbers(name), 8) for name in ("llama", "tied", "mixtral")}
    assert whole["llama"].active == whole["llama"].parameters - tables
    assert whole["tied"].active == whole["tied"].parameters  # the table is the head
    experts = 3 * 4 * 3 * 64 * 160
    assert whole["mixtral"].active == whole["mixtral"].parameters - tables - experts // 2


@pytest.mark.parametrize(
    ("needs", "size", "adapters", "expected"),
    [
        (Needs(), 4, False, (16, 16)),  # itself, its gradient, two moments
        (Needs(copies=1), 4, False, (20, 20)),
        (Needs(), 2, False, (18, 18)),  # two bytes, and a copy, a gradient and two moments in 32 bits
        (Needs(copies=1), 2, True, (4, 4)),
        (Needs(trains="part"), 2, False, (2, 18)),
        (Needs(trains="adapters", copies=2), 4, False, (12, 12)),
        (Needs(trains="nothing"), 2, False, (2, 2)),
    ],
)
def test_how_much_memory_a_weight_takes(needs: Needs, size: int, adapters: bool, expected: tuple[int, int]) -> None:
    assert needs.bytes_per_weight(size, adapters=adapters) == expected


def test_an_estimate_is_the_hand_computed_one() -> None:
    size = Size(parameters=1000, active=900, layers=10, width=5, tokens=20, kept=3000.0)
    recipe = Recipe(steps=7, batch_size=6)
    plain = estimate(Needs(copies=1), size, Load(4, Scaling()), recipe, 1.5)
    # 20 bytes a weight; 6 sequences to forget and 6 to keep, of 3000 numbers of 4 bytes
    assert plain.least == plain.most == 20 * 1000 + 12 * 3000 * 4
    assert plain.operations == 2 * 900 * 3 * 1.5 * (7 * 6 * 20)
    alone = estimate(Needs(retain="unused"), size, Load(2, Scaling(accumulate=4)), recipe, None)
    assert alone.least == 18 * 1000 + 2 * 3000 * 2  # parts of 2 sequences at most
    assert alone.operations is None
    small = Scaling(lora=LoRA(8), gradient_checkpointing=True)
    assert estimate(Needs(), size, Load(4, small), recipe, 1.0).most == 4 * 1000 + 12 * 4 * (20 * 10 * 5 + 300)
    idle = estimate(Needs(trains="nothing"), size, Load(4, Scaling()), recipe, None)
    assert idle.most == 4 * 1000 + 12 * 4 * 300  # one block at a time


def test_what_fits_is_said_in_words() -> None:
    size = Size(parameters=10**9, active=10**9, layers=10, width=5, tokens=20, kept=0.0)
    part = estimate(Needs(trains="part"), size, Load(2, Scaling()), Recipe(), None)
    assert in_words(part) == "2.0 to 18 GB"
    verdicts = [fits(part, gigabytes * GIGABYTE) for gigabytes in (1, 10, 24)]
    assert [verdict.fit for verdict in verdicts] == ["no", "but", "yes"]
    assert verdicts[0].why == "takes about 2.0 to 18 GB, and there are 1.0 GB"
