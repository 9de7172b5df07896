r"""Modality-aware neuron pruning (MANU, its text side).

Watch every neuron while the model reads what is to be forgotten and while it reads the rest, by four statistics at
once: how much it does, how often, how unevenly, and how strongly. Those that the forget set takes up most by the sum of
these are taken out. Nothing is trained.

## Objective

Liu et al., as the released code has it for one modality: with the activation $z_n$ of a neuron at each token of a set,

$$
s_n = \sum_m w_m \left( \frac{I_m(\mathcal D_f, n)}{I_m(\mathcal D_r, n) + \epsilon} - 1 \right),
\qquad
w_n \leftarrow 0 \;\text{ for the share } q \text{ of neurons with the highest } s_n,
$$

$$
I_{\mathrm{abs}} = \mathbb E\, |z_n|, \qquad
I_{\mathrm{freq}} = \Pr[\, |z_n| > \tau \,], \qquad
I_{\mathrm{var}} = \sqrt{\mathbb E\, (z_n - \mathbb E z_n)^2}, \qquad
I_{\mathrm{rms}} = \sqrt{\mathbb E\, z_n^2} .
$$

## Symbols

- $z_n$: what the down-projection of an MLP reads from neuron $n$, at all tokens of prompts and answers; $w_n$: the
  neuron's column of that projection. Blocks from `depth` on count.
- $w_m$: 2, 0, 2 and 2 in the released code; `frequency` is the second, and the others are 1 each here, which leaves
  the order. $\tau = 0.1$, $\epsilon = 10^{-5}$.
- $q$ (`share`): of all neurons of these blocks together.

## Facts

- **It is `selective-pruning` with a sum in place of one statistic.** The four hardly disagree: all grow with the size
  of the activations, and only their ratio counts. A neuron that always has the same value has no deviation, and one
  ratio of such a kind can outweigh the others.
- On `authors` a share of 0.1 leaves forget answers at 0.86 and retain answers at 0.94, 0.2 at 0.68 and 0.80: what
  `selective-pruning` leaves with one statistic.
- **What makes it aware of modalities is left out with the images**: there the scores are taken once on questions with a
  picture and once on text alone, and each side of the network is pruned by its own.
- Scaling a neuron's activations on both sets alike changes nothing but for the frequency, whose threshold is absolute.

## Differences

1. Text alone: the released code does the same for questions with images, in the vision tower.
2. There the neurons are outputs of the two input projections and of the output projection, of the last three of 32
   blocks; here those between them, which is to prune what both write.
3. It takes deviations over the examples of a batch, place by place, and their mean over places and batches, paddings
   with it; here they are over all tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Memory,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    mean_over_tokens,
    memories,
    most_salient,
)

SMALLEST = 1e-5
r"""$\epsilon$, as released."""
BUSY = 0.1
r"""$\tau$, as released."""


def totals(activations: Tensor) -> Tensor:
    r"""(4, neurons) sums over (tokens, neurons) of z, \|z\|, z² and of whether \|z\| is above the threshold."""
    values = activations.double()
    size = values.abs()
    return torch.stack([one.sum(dim=0) for one in (values, size, values.square(), (size > BUSY).double())])


def statistics(means: Tensor) -> Tensor:
    """(4, neurons) the four $I_m$, from the means of what :func:`totals` adds up."""
    mean, size, square, busy = means
    return torch.stack([size, busy, (square - mean.square()).clamp(min=0).sqrt(), square.sqrt()])


def scores(forgotten: Tensor, kept: Tensor, frequency: float) -> Tensor:
    """(neurons,) $s_n$ from (4, neurons) statistics of both sets."""
    weights = torch.tensor([1.0, frequency, 1.0, 1.0], dtype=forgotten.dtype, device=forgotten.device)
    return weights @ (forgotten / (kept + SMALLEST) - 1)


@dataclass(frozen=True)
class MANU(Method):
    """Count in four ways, compare, take out."""

    paper = "liu2025modality"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)

    share: float = hyperparameter(0.02, "q, share of the neurons taken out", source="released code", above=0, maximum=1)
    frequency: float = hyperparameter(
        0.0, "weight of how often a neuron is busy", source="released code", minimum=0, trade_off=(0.0, 0.5, 1.0, 2.0)
    )
    depth: float = hyperparameter(
        0.0, "first block, as a fraction of the depth", source="ours; code: the last three", minimum=0, maximum=1
    )

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Score all neurons on both sets and silence the highest."""
        layers = memories(model, range(model.layer_at(self.depth), model.layers))
        forgotten, kept = (self.seen(model, layers, pairs) for pairs in (data.forget, data.retain))
        found = [scores(busy, rest, self.frequency) for busy, rest in zip(forgotten, kept, strict=True)]
        for layer, gone in zip(layers, most_salient(found, self.share), strict=True):
            layer.silence(gone)
        run.progress("pruning", 1, 1)
        return model

    def seen(self, model: LanguageModel, layers: Sequence[Memory], pairs: Sequence[Pair]) -> list[Tensor]:
        """(4, neurons) of each layer, the statistics over all tokens of the pairs."""
        return [statistics(means) for means in mean_over_tokens(layers, model, pairs, totals)]
