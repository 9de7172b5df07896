"""Mixtures of experts: where a model's routers are, what they send to whom, and which weights are an expert's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from reference_impls.errors import UnsupportedModelError
from reference_impls.toolkit.architecture import blocks, text_config

_ACTIVE = ("num_experts_per_tok", "moe_topk", "num_selected_experts")
"""What configurations call the number of experts that a token is sent to."""


@dataclass(frozen=True)
class Expert:
    """The weights of one expert: rows of tensors, which it may share with the others."""

    weights: tuple[Tensor, ...]
    rows: tuple[Tensor, ...]
    """For each of them the mask of the rows that are its own."""


@dataclass(frozen=True)
class Mixture:
    """The experts of one block, of which each token meets a few."""

    layer: int
    router: nn.Module
    """Its weight is (E, d), with a row for each expert."""
    experts: tuple[Expert, ...]
    """Those among which it chooses. Experts that every token meets are none of them."""
    active: int
    """K, how many of them a token is sent to."""

    def scores(self, states: Tensor) -> Tensor:
        r"""(N, E) $\operatorname{softmax}(W u_t)$ of (N, d) states $u_t$ that the router reads."""
        weight, bias = self.router.weight, getattr(self.router, "bias", None)
        return linear(states, weight, bias).float().softmax(dim=-1)  # type: ignore[arg-type]

    def sent(self, scores: Tensor) -> Tensor:
        r"""(N, E) $g_{i,t}$: the scores of the K experts that a token is sent to, and 0 for all others."""
        highest = scores.topk(self.active, dim=-1).indices
        return torch.zeros_like(scores).scatter(-1, highest, scores.gather(-1, highest))


def mixtures(model: Any) -> list[Mixture]:
    """The mixtures of a model's blocks, first to last; some of the blocks may have none.

    Raises:
        UnsupportedModelError: no block has one, or the configuration does not say how many experts a token is sent to.
    """
    found = [(layer, router, own) for layer, block in enumerate(blocks(model)) for router, own in _mixtures(block)]
    if not found:
        raise UnsupportedModelError(f"no block of {type(model).__name__} sends tokens to a few of several experts")
    config = text_config(model)
    active = next((value for name in _ACTIVE if isinstance(value := getattr(config, name, None), int)), None)
    if active is None:
        raise UnsupportedModelError(f"the configuration of {type(model).__name__} has no {_ACTIVE[0]}")
    return [Mixture(layer, router, own, active) for layer, router, own in found]


@contextmanager
def routed(found: Sequence[Mixture]) -> Iterator[list[list[Tensor]]]:
    """While this lasts, the routers' scores are kept: for each mixture one (N, E) of every pass of N tokens."""
    kept: list[list[Tensor]] = [[] for _ in found]

    def keeping(mixture: Mixture, seen: list[Tensor]) -> Any:
        return lambda module, given: seen.append(mixture.scores(given[0].flatten(0, -2)))

    with ExitStack() as hooks:
        for mixture, seen in zip(found, kept, strict=True):
            handle = mixture.router.register_forward_pre_hook(keeping(mixture, seen))
            hooks.callback(handle.remove)
        yield kept


def _mixtures(block: nn.Module) -> Iterator[tuple[nn.Module, tuple[Expert, ...]]]:
    """The router of a block and its experts, if it has any."""
    for name, module in block.named_modules():
        if name.rpartition(".")[2] == "experts":
            experts = _listed(module) if isinstance(module, nn.ModuleList) else _fused(module)
            if experts and (router := _router(block, module, len(experts))) is not None:
                yield router, experts


def _listed(modules: nn.ModuleList) -> tuple[Expert, ...]:
    """Of experts that are a module each."""
    found = []
    for module in modules:
        weights = tuple(module.parameters())
        found.append(Expert(weights, tuple(weight.new_ones(len(weight), dtype=torch.bool) for weight in weights)))
    return tuple(found)


def _fused(module: nn.Module) -> tuple[Expert, ...]:
    """Of experts that are kept one after another in one tensor for each of their matrices."""
    weights = list(module.parameters())
    count = next((len(weight) for weight in weights if weight.dim() == 3), 0)
    shared = tuple(weight for weight in weights if len(weight) == count)
    return tuple(
        Expert(shared, tuple(torch.arange(count, device=weight.device) == expert for weight in shared))
        for expert in range(count)
    )


def _router(block: nn.Module, experts: nn.Module, count: int) -> nn.Module | None:
    """What scores the experts: a module beside them whose weight has a row for each."""
    inside = set(experts.modules())
    for module in block.modules():
        weight = getattr(module, "weight", None)
        if module not in inside and isinstance(weight, Tensor) and weight.dim() == 2 and len(weight) == count:
            return module
    return None
