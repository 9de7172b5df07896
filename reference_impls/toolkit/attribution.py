r"""Which neurons of the MLPs an answer comes from, by integrated gradients, and which of them many texts share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded
from reference_impls.toolkit.mlp_memory import Memory


def integrated_gradient(gradient: Callable[[Tensor], Tensor], activations: Tensor, points: int) -> Tensor:
    r"""(...) $\frac{\beta}{m} \sum_{j=0}^{m-1} g(\tfrac jm \beta)$; $g$ is the gradient of $P$ at given activations."""
    total = torch.zeros_like(activations)
    for point in range(points):
        total += gradient(point / points * activations)
    return activations * total / points


def neuron_attributions(model: LanguageModel, layers: Sequence[Memory], batch: Encoded, points: int) -> Tensor:
    r"""(B, layers · d_ff) how much of the probabilities of each text's answer tokens every neuron accounts for.

    All neurons of a layer are scaled together, at the places that predict these tokens; other layers compute as usual.

    Args:
        model: what answers.
        layers: whose neurons.
        batch: the texts; tokens without a label do not count.
        points: of the sum that stands for the integral.
    """
    sequence, place = batch.supervised
    places = torch.zeros_like(batch.input_ids, dtype=torch.bool)
    places[sequence, place] = True

    def of(memory: Memory) -> Tensor:
        def gradient(scaled: Tensor) -> Tensor:
            scaled = scaled.detach().requires_grad_()
            with torch.enable_grad(), memory.given(lambda keys: torch.where(places[:, :, None], scaled, keys), batch):
                (out,) = model.token_logits(batch)
                (derivative,) = torch.autograd.grad(out.token_logprobs().exp().sum(), [scaled])
            return derivative

        activations = memory.keys(model, batch) * places[:, :, None]
        return integrated_gradient(gradient, activations, points).float().sum(dim=1)

    return torch.cat([of(memory) for memory in layers], dim=1)


def above_share(scores: Tensor, share: float) -> Tensor:
    """(B, n) which of each text's (B, n) scores are at least a share of its largest."""
    return scores >= share * scores.max(dim=1, keepdim=True).values


def most_shared(sets: Tensor, scores: Tensor, count: int) -> Tensor:
    """(z,) at most ``count`` of the n that are in most of the (S, n) sets, and in any; equal ones by their score."""
    often = sets.sum(dim=0)
    by_score = scores.argsort(descending=True)
    order = by_score[often[by_score].argsort(descending=True, stable=True)]
    return order[: min(count, int((often > 0).sum()))]


def silence(layers: Sequence[Memory], neurons: Tensor) -> None:
    """Silence neurons that are numbered through all layers, of which each has as many."""
    width = layers[0].weight.shape[1]
    for row, memory in enumerate(layers):
        memory.silence(neurons[neurons // width == row] % width)
