r"""Uniform-target self-distillation (Unilogit).

Ask the present model what it thinks of the next token, set the one to forget to the probability that guessing would
give it, leave the others as they stand to each other, and distil the model towards that. Nothing says how far to go
but the size of the vocabulary.

## Objective

Vasilev et al. (the target's logits, and reverse KL as the distillation loss), with the present logits $z_t$ at the
place that predicts $y_t$:

$$
\tilde z_{t,y_t} = \log \sum_{j \ne y_t} e^{z_{t,j}} - \log(V - 1), \qquad \tilde z_{t,j} = z_{t,j} \;\; (j \ne y_t),
\qquad \tilde p_t = \mathrm{sg}[\mathrm{softmax}(\tilde z_t)],
$$

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{KL}\big(p_\theta(\cdot \mid x, y_{<t}) \,\|\, \tilde p_t\big) + \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $V$: the number of tokens in the vocabulary.
- $\tilde p_t$: the target. It gives $y_t$ the probability $\frac1V$, and follows the model from step to step;
  $\mathrm{sg}$: no gradient flows through it.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- **The loss is that of a coin.** The other tokens keep their odds, so with $p = p_\theta(y_t)$ it equals
  $p \log (pV) + (1 - p) \log \frac{(1 - p) V}{V - 1}$, between 0 and $\log V$.
- **It ends at $p = \frac1V$**, where loss and gradient are 0, and comes back from below: it does not push on.
- **It is a weighted ascent**: the gradient is that of $w \log p$ with
  $w = p\, \big(\log \frac{p}{1 - p} + \log(V - 1)\big)$, as if the target were allowed to move: at that
  point it makes no difference. A token that is nearly forgotten, or nearly certain ($w\,(1 - p) \to 0$), hardly pulls.
- The target is that of `undial` with a strength chosen for every token, and from the present model: the strength is
  $\log \frac{p}{1 - p} + \log(V - 1)$.
- **Guessing is not ignorance**: a model that never saw an answer still finds some of its words likely. $\frac1V$ is
  below what it would say, the more so where $V$ is large.

## Differences

1. A mean is over an answer's tokens, then over answers.
2. The retain term is the likelihood that other methods here have; its weight is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    TokenLogits,
    hyperparameter,
    mean_kl,
    mean_nll,
)


def uniform_target(out: TokenLogits) -> TokenLogits:
    r"""The same places with (N, V) $\tilde z$, detached."""
    true = out.targets[:, None]
    rest = out.logits.detach().scatter(1, true, -math.inf)
    level = torch.logsumexp(rest, dim=1, keepdim=True) - math.log(rest.shape[1] - 1)
    return out.with_logits(rest.scatter(1, true, level))


@dataclass(frozen=True)
class Unilogit(LossMethod):
    r"""Minimise the divergence from the model's own adjusted target plus the retain loss."""

    paper = "vasilev2025unilogit"
    acts_on = "loss"
    retain = "optional"

    retain_weight: float = hyperparameter(
        1.0, "λ, weight of the retain loss", source="ours", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return mean_kl(forget, uniform_target(forget)) + self.retain_weight * mean_nll(retain)
