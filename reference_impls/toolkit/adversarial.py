"""Adversarial perturbations inside a model: for methods that train against the worst small change of hidden states."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded, TokenLogits
from reference_impls.toolkit.mlp_memory import changed_output

STRIDE = 1.6
"""How far one step of the search goes, in radii; as far as in the released code of targeted latent adversarial training
(Adam with rate 0.05 in 4096 dimensions, within a radius of 2)."""


def worst_shift(
    model: LanguageModel,
    batch: Encoded,
    layer: int,
    loss: Callable[[TokenLogits], Tensor],
    radius: float,
    steps: int,
) -> Tensor:
    r"""(B, L, d) Shifts $\delta$ of the states after a block that make a loss small, by projected gradient descent.

    Every place of a text, prompt and answer, has a shift of its own with $\|\delta_t\|_2 \le \epsilon$; padding has
    none. The model's weights get no gradients.

    Args:
        model: whose states they are.
        batch: the texts.
        layer: the block.
        loss: what the attacker minimises, of the logits at the answers' tokens.
        radius: $\epsilon$, relative to the median length of the states there.
        steps: of the search, from 0.
    """
    read = batch.attention_mask.bool()
    with torch.no_grad():
        (states,) = model.outputs(batch, [model.blocks[layer]])
    longest = radius * float(states[read].float().norm(dim=1).median())
    shift = torch.zeros_like(states, dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=STRIDE * longest / math.sqrt(model.width))
    for _ in range(steps if longest else 0):
        with torch.enable_grad(), shifted(model, layer, shift):
            value = loss(*model.token_logits(batch))
        (shift.grad,) = torch.autograd.grad(value, [shift])
        optimizer.step()
        with torch.no_grad():
            shift *= read[:, :, None]
            shift *= (longest / shift.norm(dim=2, keepdim=True).clamp(min=1e-12)).clamp(max=1)
    return shift.detach()


@contextmanager
def shifted(model: LanguageModel, layer: int, shift: Tensor) -> Iterator[None]:
    """While this lasts, (B, L, d) ``shift`` is added to the states of a batch after a block."""
    with changed_output(model.blocks[layer], lambda out: out + shift.to(out.dtype).reshape(out.shape)):
        yield
