r"""Simple negative preference optimization (SimNPO).

NPO measures an answer against what the model before unlearning said of it, so how hard an answer is pushed depends on
how well it had been learned. SimNPO drops that reference: the likelihood per token decides alone.

## Objective

Fan et al. (section 4, "SimNPO"), with the retain term of their experiments:

$$
\mathcal L_{\mathrm{SimNPO}}(\theta) = -\frac{2}{\beta}\, \mathbb E_{(x,y) \sim \mathcal D_f}
\log \sigma\!\left(-\frac{\beta}{|y|} \log \pi_\theta(y \mid x) - \gamma\right),
\qquad
\mathcal L(\theta) = c\, \mathcal L_{\mathrm{SimNPO}}(\theta) + \alpha\, L(\mathcal D_r; \theta).
$$

## Symbols

- $\pi_\theta(y \mid x)$: the probability of the whole answer; $|y|$: its number of tokens. With
  $s = -\frac{1}{|y|} \log \pi_\theta(y \mid x)$ the argument of $\sigma$ is $\beta s - \gamma$.
- $\beta$ (`beta`): how soon a forgotten answer stops pulling.
- $\gamma$ (`margin`): how much further than $s = 0$ an answer is pushed; 0 in all of the paper's main results.
- $c$ (`forget_weight`), $\alpha$ (`retain_weight`): weights of the two terms.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers.

## Facts

- **No reference model**, and bounded below by 0.
- **An adaptive weight.**
  $\nabla \mathcal L_{\mathrm{SimNPO}} = \mathbb E\left[\frac{1}{|y|} W'_\theta \nabla \log \pi_\theta(y \mid x)\right]$
  with $W'_\theta = 2 \sigma(\gamma - \beta s)$, at most 1 where $\gamma = 0$: 1 for an answer known by heart, towards 0
  as it is forgotten. NPO's weight is 1 for *every* answer at the start.
- **Length counts.** Of two answers with the same likelihood per token, each token of the shorter one is pushed harder,
  by the ratio of the lengths; under NPO the longer one drives the weight.
- $\beta \to 0$ gives gradient ascent on the mean log-likelihood per token.
- Raising $\gamma$ raises $W'_\theta$: an answer pulls until $s$ exceeds $\gamma/\beta$ by some $1/\beta$.
- On the embedded task the forget answers end as likely as under the retrained model (0.45 per token both) and utility
  stays (0.59 of 0.62). NPO with the same learning rate, 1e-3, ends far below it (0.005).

## Differences

1. The released code (and libraries after it) subtract their margin *inside* the factor $\beta$, from $s$: their margin
   times $\beta$ is the paper's $\gamma$, which this file follows. At the default 0 both are the same.
2. The retain term averages over answers; the released code averages over all tokens of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, hyperparameter, mean_nll


def simnpo_loss(nll: Tensor, beta: float, margin: float) -> Tensor:
    r"""() $\mathcal L_{\mathrm{SimNPO}}$.

    Args:
        nll: (B,) $s = -\frac{1}{|y|} \log \pi_\theta(y \mid x)$, per token, of each answer.
        beta: $\beta > 0$.
        margin: $\gamma$, on the paper's scale.
    """
    return -2 / beta * F.logsigmoid(beta * nll - margin).mean()


@dataclass(frozen=True)
class SimNPO(LossMethod):
    r"""Minimise $c\,\mathcal L_{\mathrm{SimNPO}}$ plus the retain loss."""

    paper = "fan2024simplicity"
    acts_on = "loss"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.1,
        "source": "released code, TOFU with Llama-2-7B-chat",
    }

    beta: float = hyperparameter(
        4.5, "β, inverse temperature: larger stops sooner", source="released code, TOFU forget10", above=0
    )
    margin: float = hyperparameter(0.0, "γ, reward margin: larger pushes further", source="paper, default", minimum=0)
    forget_weight: float = hyperparameter(
        0.125, "c, weight of the forget term", source="released code, TOFU forget10", minimum=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released code, TOFU forget10",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        forget_loss = simnpo_loss(forget.sequence_nll(), self.beta, self.margin)
        return self.forget_weight * forget_loss + self.retain_weight * mean_nll(retain)
