"""Masks of weights: which may move, chosen by a score, and how the others are held where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def most_salient(scores: Sequence[Tensor], share: float) -> list[Tensor]:
    """For each tensor of scores, which of its entries are among the highest of all tensors together.

    Args:
        scores: one for each weight, or for each row of a matrix; what has the score minus infinity is never chosen.
        share: how many are chosen, relative to all; at least one.
    """
    everything = torch.cat([tensor.flatten() for tensor in scores])
    highest = everything.argsort(descending=True, stable=True)[: max(1, round(share * len(everything)))]
    chosen = torch.zeros_like(everything, dtype=torch.bool)
    chosen[highest[everything[highest] > -torch.inf]] = True
    parts = torch.split(chosen, [tensor.numel() for tensor in scores])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, scores, strict=True)]


def holding(weights: Sequence[Tensor], masks: Sequence[Tensor]) -> Callable[[], None]:
    """A function that puts all weights outside their masks back to what they are now, to be called after a step.

    It is the update that is masked so: with gradients alone set to 0, an optimizer's momentum and weight decay would
    still move what must not.

    Args:
        weights: the weights as they are before the step.
        masks: for each, True where it may move: of the same shape, or (rows,) for whole rows.
    """
    held = [(weight, ~mask, weight.detach()[~mask].clone()) for weight, mask in zip(weights, masks, strict=True)]

    @torch.no_grad()
    def put_back() -> None:
        for weight, fixed, before in held:
            weight[fixed] = before

    return put_back
