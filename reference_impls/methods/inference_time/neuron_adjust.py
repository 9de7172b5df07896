r"""Neuron adjustment (Neuron Adjust).

Neurons behave otherwise when a model does what it is to forget. Where they tell the two apart the most, each value that
looks as if it came from the forget set is exchanged, while the model runs, for one that looks as if it came from the
rest. Nothing is trained and no weight changes.

## Objective

Li et al. (the first of their two methods), for the value $z$ of a neuron before its activation:

$$
z \leftarrow
\begin{cases}
2 \mu_r - \left( \dfrac{z - \mu_f}{\sigma_f}\, \sigma_r + \mu_r \right)
& \text{with probability } \dfrac{N_f}{N_r + N_f}, \text{ if } N_f \ge N_r, \\
z & \text{otherwise,}
\end{cases}
\qquad
N_\bullet = \mathcal N(z;\, \mu_\bullet, \sigma_\bullet) .
$$

## Symbols

- $\mu_f, \sigma_f$ and $\mu_r, \sigma_r$: mean and standard deviation of $z$ over all tokens of the forget and of the
  retain set. $N_f$, $N_r$: how likely $z$ is in a normal distribution with these.
- Adjusted are the share $q$ (`share`) of all neurons in which $\mu_f - \mu_r$ is largest.

## Facts

- **The value is mapped, then mirrored**: its standard score among forgotten values becomes one among kept values, and
  what was above their mean is then as far below. For $\mu_r = 0$, $\sigma_r = 1$, $\mu_f = 2$, $\sigma_f = \frac12$ and
  $z = 2.2$ the densities are 0.035 and 0.737; with probability 0.954 it becomes $-0.4$.
- **Where both sets look alike, half of the values are mirrored, by chance**: $\mu_f = \mu_r$ and $\sigma_f = \sigma_r$
  give the probability $\frac12$ for every $z$. So it pays to adjust few.
- **It sees tokens, not questions.** A neuron knows no more than its own value, so that kept text is adjusted wherever
  it looks like forgotten text. A skill looks different from other skills; one invented author hardly from another.
- **In the embedded models it takes many neurons to show.** On `authors` a tenth of them lowers forget answers from 0.96
  to 0.89 and retain answers from 0.97 to 0.93, half of them to 0.69 and 0.80, and general facts to 0.90. Questions
  about hazards, which are a kind of their own, fall to 0.94 at half, and others hardly, to 0.99: what is read there
  looks different, but the answer does not hang on it.
- Only means that are higher on the forget set count: a neuron that falls silent there is left alone.

## Differences

1. **The coin of a neuron is tossed once**, when the statistics are taken, and not anew for every value: the same text
   gets the same answer, in whatever batch it is asked. Over neurons and seeds each value is adjusted as often.
2. The released code keeps a variance where the formula has a standard deviation, and divides by the mean in its place;
   here it is the formula. The code was not at hand any more for this file: of it is told what notes tell.
3. The paper unlearns skills (mathematics, code, one language), and takes text of other skills for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    ChangedStates,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    by_place,
    hyperparameter,
    memories,
    most_salient,
    watched,
)

NARROWEST = 1e-6
"""The least standard deviation: a neuron that never moves has none."""


def inputs_of(model: LanguageModel, layer: int) -> tuple[torch.nn.Module, int]:
    """The projection whose output the activation of a block's MLP reads first, and how many neurons there are."""
    (memory,) = memories(model, [layer])
    return model.mlp_matrices([layer])[0], memory.weight.shape[1]


def statistics(model: LanguageModel, pairs: Sequence[Pair]) -> Tensor:
    """(layers, 2, neurons) mean and standard deviation of what the neurons read, over all tokens of the pairs."""
    places = [inputs_of(model, layer) for layer in range(model.layers)]
    sums, count = [torch.zeros(2, neurons, dtype=torch.double, device=model.device) for _, neurons in places], 0
    for batch in model.encoded(pairs):
        with watched([module for module, _ in places]) as seen:
            model.token_logits(batch)
        tokens = batch.attention_mask.bool()
        count += int(tokens.sum())
        for total, (module, neurons) in zip(sums, places, strict=True):
            values = by_place(seen[module][1], tokens.shape)[tokens][:, :neurons].double()
            total += torch.stack([values.sum(dim=0), values.square().sum(dim=0)])
    means = torch.stack(sums) / count
    spread = (means[:, 1] - means[:, 0].square()).clamp(min=0).sqrt().clamp(min=NARROWEST)
    return torch.stack([means[:, 0], spread], dim=1).float()


def adjusted(values: Tensor, forgotten: Tensor, kept: Tensor, coins: Tensor) -> Tensor:
    r"""(..., neurons) of (..., neurons) values before the activation.

    Args:
        values: $z$; what follows behind the neurons, as where gates and inputs are one matrix, stays.
        forgotten: (2, neurons) $\mu_f$ and $\sigma_f$.
        kept: (2, neurons) $\mu_r$ and $\sigma_r$.
        coins: (neurons,) in [0, 1): adjusted is where the probability is higher; infinity where never.
    """
    z = values[..., : len(coins)].float()
    f, r = ((z - mean) / spread for mean, spread in (forgotten, kept))
    probability = torch.sigmoid((r.square() - f.square()) / 2 + (kept[1] / forgotten[1]).log())
    mirrored = kept[0] - f * kept[1]
    new = torch.where((probability >= 0.5) & (probability > coins), mirrored, z).to(values.dtype)
    return torch.cat([new, values[..., len(coins) :]], dim=-1)


@dataclass(frozen=True)
class NeuronAdjust(Method):
    """Measure both sets, and adjust the neurons that tell them apart."""

    paper = "li2025effective"
    acts_on = "activations"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)

    share: float = hyperparameter(
        0.005,
        "q, share of all neurons that are adjusted",
        source="released script; 0.03 and 0.05 in its examples",
        above=0,
        maximum=1,
        trade_off=(0.05, 0.1, 0.2, 0.35),
    )

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> Adjusted:
        """Take the statistics, choose, and toss the coins."""
        forgotten, kept = (statistics(model, pairs) for pairs in (data.forget, data.retain))
        chosen = most_salient([*(forgotten - kept)[:, 0]], self.share)
        coins = torch.rand(len(chosen), kept.shape[2]).to(kept).masked_fill(~torch.stack(chosen), torch.inf)
        return Adjusted(model, {"forgotten": forgotten, "kept": kept, "coins": coins})

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> Adjusted:
        """The model with the statistics that were taken."""
        return Adjusted(model, {name: kept.tensors[name].to(model.device) for name in ("forgotten", "kept", "coins")})


@dataclass
class Adjusted(Wrapped):
    """The unchanged model, some neurons of which are adjusted at every token."""

    model: LanguageModel
    found: Mapping[str, Tensor]
    """(layers, 2, neurons) ``forgotten`` and ``kept``, and (layers, neurons) ``coins``."""

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The adjusted model, whatever is asked."""
        return self._speaker

    @cached_property
    def _speaker(self) -> LanguageModel:
        changes = {}
        for layer in range(self.model.layers):
            mine = {name: one[layer] for name, one in self.found.items()}
            changes[inputs_of(self.model, layer)[0]] = partial(adjusted, **mine)
        return ChangedStates.of(self.model, changes)

    def to_json(self) -> dict[str, Any]:
        """Nothing but tensors is kept."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        """The statistics and the coins."""
        return {name: tensor.float().contiguous() for name, tensor in self.found.items()}
