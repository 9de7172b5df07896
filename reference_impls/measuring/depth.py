"""Where in a model something is missing: its states, layer by layer, put into a model that knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from reference_impls.toolkit import LanguageModel, Pair, changed_output

THRESHOLD = 0.05
"""From how many nats per token on a layer is said to hold an answer (Lee et al., arXiv 2605.24614)."""


@torch.inference_mode()
def layer_drops(knowing: LanguageModel, source: LanguageModel, pairs: Sequence[Pair]) -> list[list[float]]:
    """For each pair and layer, by how much its answer's log-probability per token falls in ``knowing``.

    The layer's output is exchanged for the one of ``source`` at the places that predict the answer's tokens. The paper
    patches the tokens that name the fact; here all of an answer count, as everywhere in this collection.

    Args:
        knowing: the model whose answers are looked at.
        source: one of the same architecture, whose states are put in.
        pairs: prompts and right answers.
    """
    drops: list[list[float]] = []
    for batch in knowing.encoded(pairs):
        sequence, place = batch.supervised

        def patched(layer: int, states: Tensor) -> Tensor:
            with changed_output(knowing.blocks[layer], _put(sequence, place, states)):  # noqa: B023
                (out,) = knowing.token_logits(batch)  # noqa: B023
            return out.mean_by_sequence(out.token_logprobs())

        (plain,) = knowing.token_logits(batch)
        before = plain.mean_by_sequence(plain.token_logprobs())
        columns = [
            before - patched(layer, source.activations(batch, layer / max(1, knowing.layers - 1)))
            for layer in range(knowing.layers)
        ]
        drops += torch.stack(columns, dim=1).tolist()
    return drops


def _put(sequence: Tensor, place: Tensor, states: Tensor) -> Callable[[Tensor], Tensor]:
    """A change of activations (B, L, d): ``states`` (N, d) at N places, the rest as it was."""

    def change(out: Tensor) -> Tensor:
        changed = out.clone()
        changed[sequence, place] = states.to(out.dtype)
        return changed

    return change
