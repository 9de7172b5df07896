r"""Logit lens.

Read the answer out of the middle of the network. If the last layers were only taught to look away, the residual
stream before them still points at the right token.

## Procedure

After block $l$, the residual stream $h^l$ at the place that predicts the answer's token $y_t$ goes straight through
the final norm and the output head (nostalgebraist, 2020; used for attacks by Patil, Hase and Bansal, section 4):

$$
p^l = \mathrm{softmax}\big(W_U\, \mathrm{norm}_f(h^l)\big),
\qquad
\text{lens} = \max_{l < L} \frac1N \sum_{i=1}^N \exp\Big(\frac1{|y_i|} \sum_t \log p^l(y_{i,t})\Big).
$$

## Symbols

- $h^l$: the residual stream after block $l$ of $L$; the last block is left out, since it is the model's own answer.
- $W_U$, $\mathrm{norm}_f$: the model's output head and final norm, with all that it does besides (scales, caps).

## Facts

- What a method put around the weights is bypassed; what it put into the prompt stays.
- The retrained model's value is what can be guessed. A lens reads only what is linear in the head's own basis: a low
  value does not show that nothing is there.

## Differences

1. The paper asks whether the answer is among the top candidates of any layer; here it is the probability per token,
   of the layer at which it is largest on average, so that multi-token answers count as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from reference_impls.toolkit import (
    Attack,
    LanguageModel,
    NotApplicableError,
    Pair,
    Run,
    UnsupportedModelError,
    Victim,
    inside,
)


@torch.inference_mode()
def lens_probabilities(model: LanguageModel, pairs: Sequence[Pair]) -> list[float]:
    """For each block but the last, the mean over pairs of the answer's probability per token, read by the lens.

    Raises:
        UnsupportedModelError: the architecture keeps its blocks where they are not found.
    """
    batch = model.encode(pairs)
    sequence, place = batch.supervised
    targets = batch.labels[sequence, place + 1]
    probabilities = []
    for states in model.layer_activations(batch, range(model.layers - 1)):
        logprobs = torch.log_softmax(model.read_out(states), dim=-1)
        tokens = logprobs.gather(1, targets[:, None]).squeeze(1)
        means = [float(tokens[sequence == row].mean()) for row in range(len(pairs))]
        probabilities.append(math.fsum(map(math.exp, means)) / len(means))
    return probabilities


@dataclass(frozen=True)
class LogitLensAttack(Attack):
    """Read the answers out of the layers before the last."""

    paper = "patil2023sensitive"

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """``logit_lens``: the most that a layer shows."""
        model, pairs = inside(victim.model, victim.splits.forget)
        try:
            values = lens_probabilities(model, pairs)
        except UnsupportedModelError as error:
            raise NotApplicableError(str(error)) from None
        return {"logit_lens": max(values)} if values else {}
