"""MLPs as linear memories: what model editing reads and writes.

The MLP of a block writes ``v = W k`` to the residual stream, where ``k`` is what its output projection ``W`` reads.
Seen so, ``W`` is a memory that answers keys with values, and a fact is a value at the key of its subject's last
token.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from reference_impls.toolkit.architecture import by_output, states_of, with_states
from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded

Change = Callable[[Tensor], Tensor]
"""From a module's output to another of the same shape."""


@dataclass(frozen=True)
class Memory:
    """The output projection of one block's MLP."""

    module: nn.Module

    @property
    def weight(self) -> Tensor:
        """(d, d_ff) ``W``; what is added to it in place is added to the model."""
        return by_output(self.module, self.stored)

    @property
    def stored(self) -> Tensor:
        """``W`` as the module has it, which may be the other way round."""
        weight = self.module.weight
        assert isinstance(weight, Tensor)
        return weight

    @torch.no_grad()
    def keys(self, model: LanguageModel, batch: Encoded) -> Tensor:
        """(B, L, d_ff) what the projection reads at every place of a batch, padding included."""
        (keys,) = keys_of([self], model, batch)
        return keys

    @torch.no_grad()
    def silence(self, neurons: Tensor) -> None:
        """Set the neurons' columns of ``W`` to 0: whatever they do, nothing of it is written."""
        self.weight[:, neurons] = 0

    @contextmanager
    def given(self, change: Callable[[Tensor], Tensor], batch: Encoded) -> Iterator[None]:
        """While this lasts, the projection reads ``change(keys)`` of a batch, with keys as :meth:`keys` gives them."""

        def hook(module: nn.Module, given: Any) -> Any:
            keys = given[0]
            return (change(keys.reshape(*batch.input_ids.shape, -1)).reshape(keys.shape), *given[1:])

        handle = self.module.register_forward_pre_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    def subject_keys(self, model: LanguageModel, pairs: Sequence[Pair]) -> Tensor:
        """(B, d_ff) the key at the last token of each pair's subject."""
        return self.keys(model, model.encode(pairs))[model.subject_places(pairs)]

    def second_moment(self, model: LanguageModel, pairs: Sequence[Pair]) -> Tensor:
        r"""(d_ff, d_ff) the uncentred second moment of the keys at all tokens of the pairs, mean of ``k kᵀ``."""
        total = torch.zeros(self.weight.shape[1], self.weight.shape[1], device=model.device)
        count = 0
        for batch in model.encoded(pairs):
            keys = self.keys(model, batch)[batch.attention_mask.bool()].float()
            total += keys.T @ keys
            count += len(keys)
        return total / count


def memories(model: LanguageModel, layers: Iterable[int]) -> list[Memory]:
    """The memories of some blocks, in order of depth.

    Raises:
        UnsupportedModelError: a block has no one MLP output that is known here.
    """
    return [Memory(module) for module in model.mlp_outputs(layers)]


def beside(model: LanguageModel, layer: int) -> tuple[LanguageModel, Memory]:
    """A model that shares all weights with another but the memory of one block, of which it has its own, and that.

    Raises:
        UnsupportedModelError: the block has no one MLP output that is known here.
    """
    shared = {id(one): one for one in itertools.chain(model.model.parameters(), model.model.buffers())}
    twin = replace(model, model=copy.deepcopy(model.model, shared))
    (memory,) = memories(twin, [layer])
    memory.module.weight = nn.Parameter(memory.stored.detach().clone())
    return twin, memory


def neuron_masks(model: LanguageModel, layers: Iterable[int], chosen: Callable[[int, int], Tensor]) -> list[Tensor]:
    """For each weight of a model, which of its entries belong to chosen neurons of some blocks' MLPs and to no others.

    They are the rows (and biases) with which these neurons read, and the columns with which they write.

    Args:
        model: whose weights.
        layers: which blocks.
        chosen: of a block and how many neurons its MLP has, (m,) True where one is chosen.

    Raises:
        UnsupportedModelError: a block has no one MLP that is known here.
    """
    masks = {id(weight): torch.zeros_like(weight, dtype=torch.bool) for weight in model.model.parameters()}
    for layer in layers:
        *inputs, output = model.mlp_matrices([layer])
        writes = by_output(output, masks[id(output.weight)])
        neurons = chosen(layer, writes.shape[1])
        writes[:, neurons] = True
        for module in inputs:
            reads = by_output(module, masks[id(module.weight)])
            rows = neurons.repeat(len(reads) // len(neurons))  # gates and inputs may be one matrix
            reads[rows] = True
            if getattr(module, "bias", None) is not None:
                masks[id(module.bias)][rows] = True
    return list(masks.values())


@torch.no_grad()
def keys_of(memories: Sequence[Memory], model: LanguageModel, batch: Encoded) -> list[Tensor]:
    """(B, L, d_ff) what each of several projections reads at every place of a batch, in one pass."""
    with watched([memory.module for memory in memories]) as seen:
        model.token_logits(batch)
    return [by_place(seen[memory.module][0], batch.input_ids.shape) for memory in memories]


@torch.no_grad()
def mean_over_tokens(
    memories: Sequence[Memory],
    model: LanguageModel,
    pairs: Sequence[Pair],
    totals: Callable[[Tensor], Tensor],
) -> list[Tensor]:
    """(k, d_ff) of each projection: k statistics of what it reads, mean over all tokens of the pairs.

    Args:
        memories: the projections.
        model: what reads.
        pairs: prompts with their answers; padding does not count.
        totals: of (tokens, d_ff), its statistics added up: (k, d_ff).
    """
    sums: list[Tensor] = []
    count = 0
    for batch in model.encoded(pairs):
        tokens = batch.attention_mask.bool()
        count += int(tokens.sum())
        found = [totals(keys[tokens]) for keys in keys_of(memories, model, batch)]
        sums = [one + other for one, other in zip(sums, found, strict=True)] if sums else found
    return [total / count for total in sums]


def by_place(values: Tensor, shape: Sequence[int]) -> Tensor:
    """(B, L, n) what a module reads or gives at the places of a batch of that (B, L) shape.

    Some architectures put all tokens in one row; and where a soft prompt stands before the texts, its places are left
    out.
    """
    rows, places = shape
    return values.reshape(rows, -1, values.shape[-1])[:, -places:]


@contextmanager
def watched(modules: Iterable[nn.Module]) -> Iterator[dict[nn.Module, tuple[Tensor, Tensor]]]:
    """What each of some projections reads and gives in the last pass that is made while this lasts."""
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def hook(module: nn.Module, given: Any, out: Tensor) -> None:
        seen[module] = (given[0], out)

    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def changed_output(module: nn.Module, change: Change) -> Iterator[None]:
    """While this lasts, the module (a projection, or a block) gives ``change(output)``."""

    def hook(module: nn.Module, given: Any, out: Any) -> Any:
        return with_states(out, change(states_of(out)))

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def shifted_at(places: Tensor, shift: Tensor) -> Change:
    """A change of activations (B, L, d), or (B·L, d): add ``shift`` (d,) at the ``places`` (B, L)."""

    def change(out: Tensor) -> Tensor:
        return out + (places[:, :, None] * shift.to(out.dtype)).reshape(out.shape)

    return change
