"""Low-rank adapters: where they go in a model, and what of it they leave alone."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from reference_impls.toolkit import architecture

STATE_SPACE = ("mamba", "falcon_h1", "nemotron_h")
"""How families are called whose kernels read the weights of their output projections past the module, and so past an
adapter in it."""


def lora_config(model: Any, rank: int, alpha: float) -> Any:
    """A LoRA module on every linear layer of the blocks that takes one.

    Args:
        model: the network.
        rank: r.
        alpha: the scaling is ``alpha / rank``.
    """
    from peft import LoraConfig

    past_modules = ["out_proj", "conv1d"] if _is_state_space(model) else None
    return LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        exclude_modules=past_modules,
        bias="none",
    )


def adapter_weights(network: Any) -> list[tuple[str, Tensor]]:
    """The weights of all low-rank adapters in a network, by name."""
    return [(name, weight) for name, weight in network.named_parameters() if ".lora_" in name]


def with_adapter(network: Any, rank: int, alpha: float) -> list[tuple[str, Tensor]]:
    """Put an untrained adapter into a network, in place; returns its weights, which alone have gradients then.

    See :func:`lora_config`.
    """
    from peft import get_peft_model

    get_peft_model(network, lora_config(network, rank, alpha))
    return adapter_weights(network)


def not_adapted(adapted: Any) -> str:
    """What of the blocks' matrices got no adapter, as a sentence; empty if nothing was left out.

    Args:
        adapted: a network with adapters in it.
    """
    held = {id(_held(module)) for module in adapted.modules() if hasattr(module, "parameter_name")}
    experts = sum(one.numel() for one in architecture.fused_experts(adapted) if id(one) not in held)
    if experts:
        share = experts / sum(one.numel() for one in adapted.parameters())
        return f"The adapters sit on linear layers, and the experts ({share:.0%} of the weights) are none: not touched."
    if _is_state_space(adapted):
        return "The output projections of the state-space layers take no adapter: not touched."
    return ""


def _held(wrapper: Any) -> Any:
    """The tensor for which a wrapper of peft's holds an adapter; wrappers of several of a module lie in each other."""
    inner = wrapper
    while hasattr(inner, "base_layer"):
        inner = inner.base_layer
    return getattr(inner, wrapper.parameter_name, None)


def _is_state_space(model: Any) -> bool:
    return any(name in str(architecture.text_config(model).model_type) for name in STATE_SPACE)
