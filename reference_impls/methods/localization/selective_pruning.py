r"""Machine unlearning via selective pruning (Selective pruning).

Watch every neuron while the model reads what is to be forgotten, and while it reads everything else. Those that are
busier with the former, for what they do with the latter, are taken out. Nothing is trained, no gradient is needed.

## Objective

Pochinkov and Schoots: with the activation $z_n$ of a neuron at each token of a data set,

$$
s_n = \frac{I_{\mathcal D_f}(n)}{I_{\mathcal D_r}(n) + \epsilon},
\qquad
w_n \leftarrow 0 \;\text{ for the share } q \text{ of neurons with the highest } s_n ,
$$

$$
I_{\mathrm{abs}} = \mathbb E\, |z_n|, \qquad
I_{\mathrm{rms}} = \sqrt{\mathbb E\, z_n^2}, \qquad
I_{\mathrm{std}} = \sqrt{\mathbb E\, (z_n - \mathbb E z_n)^2}, \qquad
I_{\mathrm{freq}} = \Pr[z_n > 0] .
$$

This is done again (`rounds` times), with activations of the model as it is by then.

## Symbols

- $z_n$: what the down-projection of an MLP reads from neuron $n$, at all tokens of prompts and answers.
- $w_n$: the neuron's column of the down-projection.
- $I$ (`importance`): how much a neuron does on a set. $\epsilon = 10^{-5}$.
- $q$ (`share`): of all neurons of all layers together, taken out in each round.

## Facts

- **A ratio, not a size**: a neuron counts as much if all its activations are a hundred times as large, as long as
  $I_{\mathcal D_r}$ is far above $\epsilon$. Nor is it asked what it writes, or whether that bears on the answer.
- **No neuron is found twice**: what was taken out is no candidate any more, so that `rounds` of a share $q$ take out
  `rounds` times $q$. Layers have no quota, and may lose all or none.
- Earlier layers do not notice what is cut behind them; later ones do, and it is for these that a round looks again.
- It costs passes forward over both sets, once for each round.
- What is forgotten goes first, but not alone, where what is kept is of the same kind. On `authors`, from 0.96 and 0.97,
  a share of 0.05 leaves forget answers at 0.91 and retain answers at 0.95, 0.1 at 0.82 and 0.90, 0.2 at 0.68 and 0.82.
  Five rounds of 0.05 leave 0.61 and 0.76. The four importances hardly differ.

## Differences

1. The paper also takes out neurons of attention heads, and finds those of the MLPs more specialized. Here these alone.
2. In the paper each set is text of a kind, such as code, read by a hundred thousand tokens; here whole pairs of both
   sets. A round there takes out as many as it takes to lose a given part of what is to stay.
3. The released code's $\epsilon$ is $10^{-5}$ in its example, and $10^{-3}$ or $10^{-6}$ elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

IMPORTANCES: Mapping[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "abs": lambda mean, size, square, positive: size,
    "rms": lambda mean, size, square, positive: square.sqrt(),
    "std": lambda mean, size, square, positive: (square - mean.square()).clamp(min=0).sqrt(),
    "freq": lambda mean, size, square, positive: positive,
}
"""Each from the means of z, |z|, z² and of whether z is positive."""


def totals(activations: Tensor) -> Tensor:
    """(4, neurons) sums over (tokens, neurons) of z, |z|, z² and of whether z is positive."""
    values = activations.double()
    return torch.stack([one.sum(dim=0) for one in (values, values.abs(), values.square(), (values > 0).double())])


def importances(model: LanguageModel, layers: Sequence[Memory], pairs: Sequence[Pair], kind: str) -> list[Tensor]:
    """(neurons,) of each layer, $I$ over all tokens of the pairs."""
    return [IMPORTANCES[kind](*means) for means in mean_over_tokens(layers, model, pairs, totals)]


def scores(forgotten: Sequence[Tensor], kept: Sequence[Tensor], gone: Sequence[Tensor]) -> list[Tensor]:
    """$s_n$ of each layer's neurons; minus infinity of those that are gone."""
    return [
        (busy / (rest + SMALLEST)).masked_fill(out, -torch.inf)
        for busy, rest, out in zip(forgotten, kept, gone, strict=True)
    ]


@dataclass(frozen=True)
class SelectivePruning(Method):
    """Count, compare, take out."""

    paper = "pochinkov2024dissecting"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)

    share: float = hyperparameter(
        0.02, "q, share of all neurons taken out in a round", source="released code", above=0, maximum=1
    )
    rounds: int = hyperparameter(
        1, "how many times neurons are taken out", source="released example", minimum=1, trade_off=(1, 2, 3, 5, 8)
    )
    importance: str = hyperparameter(
        "abs",
        "I, how much a neuron does on a set",
        source="released example",
        choices=("abs", "rms", "std", "freq"),
    )

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Score all neurons on both sets and silence the highest, as often as asked."""
        layers = memories(model, range(model.layers))
        gone = [torch.zeros(layer.weight.shape[1], dtype=torch.bool, device=model.device) for layer in layers]
        for done in range(self.rounds):
            forgotten, kept = (
                importances(model, layers, pairs, self.importance) for pairs in (data.forget, data.retain)
            )
            found = most_salient(scores(forgotten, kept, gone), self.share)
            for layer, out, now in zip(layers, gone, found, strict=True):
                out |= now
                layer.silence(out)
            run.progress("pruning", done + 1, self.rounds)
        return model
