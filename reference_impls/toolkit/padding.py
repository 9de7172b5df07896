"""Batches with little padding: sequences joined into one batch, or cut in two where short ones wait for long ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reference_impls.toolkit.logprobs import IGNORE, Encoded

SPARED = 0.75
"""A batch is cut in two only if that leaves at most this part of its tokens, padding included."""


def alike_lengths(lengths: Tensor) -> list[Tensor]:
    """The rows of a batch in one group, or in two, short and long, if that spares enough padding.

    Args:
        lengths: (B,) tokens of each sequence.

    Returns:
        Row numbers, each once.
    """
    by_length, order = lengths.sort(stable=True)
    count, longest = len(order), int(by_length[-1])
    first = torch.arange(1, count, device=lengths.device)
    # Tokens to compute, padding included, with a cut after each number of rows.
    costs = first * by_length[:-1] + (count - first) * longest
    if count > 1 and int(costs.min()) < SPARED * count * longest:
        cut = int(costs.argmin()) + 1
        return [order[:cut].sort().values, order[cut:].sort().values]
    return [torch.arange(count, device=lengths.device)]


def concatenate(batches: Sequence[Encoded], padding: int) -> Encoded:
    """One batch of several, padded on the right with the token ``padding``."""
    if len(batches) == 1:
        return batches[0]
    length = max(batch.input_ids.shape[1] for batch in batches)

    def joined(name: str, fill: int) -> Tensor:
        parts = (getattr(batch, name) for batch in batches)
        return torch.cat([torch.nn.functional.pad(part, (0, length - part.shape[1]), value=fill) for part in parts])

    return Encoded(
        joined("input_ids", padding),
        joined("attention_mask", 0),
        joined("labels", IGNORE),
        torch.cat([batch.rows for batch in batches]),
    )
