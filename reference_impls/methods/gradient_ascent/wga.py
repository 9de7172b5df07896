r"""Weighted gradient ascent (WGA).

Gradient ascent pushes a token the harder the less likely it already is: what is forgotten gets nearly all of the push.
WGA multiplies each token's loss with a power of its own probability, which takes that back.

## Objective

Wang et al. (section 4.1, "weighted GA"), in the sign of a loss, with the KL retain term of their experiments:

$$
\mathcal L_{\mathrm{WGA}}(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_{t}
w_t \log p_\theta(y_t \mid x, y_{<t}),
\qquad
w_t = \mathrm{sg}\!\left[p_\theta(y_t \mid x, y_{<t})^{\alpha}\right],
$$

$$
\mathcal L(\theta) = \mathcal L_{\mathrm{WGA}}(\theta) + \lambda\, \mathrm{KL}_{\mathcal D_r}(p_{\mathrm{ref}} \,\|\,
p_\theta).
$$

## Symbols

- $w_t$: the weight of a token; $\mathrm{sg}$ stops the gradient, so weights are constants of the step.
- $\alpha$ (`power`): how soon a forgotten token stops pulling; 0 gives gradient ascent. Codes call it $\beta$.
- $\mathrm{KL}_{\mathcal D_r}$: the divergence from the model before unlearning per token of retain answers, weighted by
  $\lambda$ (`retain_weight`).

## Facts

- **Why a power of $p$.** The gradient of $\log p$ is $\frac{1}{p} \nabla p$: the factor $\frac{1}{p}$ is what makes
  ascent explode. With $\alpha = 1$ it is gone.
- **What is really minimised.** Following these gradients is descent on
  $\mathbb E \frac{1}{|y|} \sum_t \frac{1}{\alpha} p_\theta(y_t \mid x, y_{<t})^\alpha$, which is bounded below by 0;
  for $\alpha = 1$ it is the mean probability of the true tokens. The value of the loss itself is not that.
- **Without the stop-gradient it turns around**: the derivative by the token's loss $\ell = -\log p$ would be
  $-p^\alpha (1 - \alpha \ell)$, which changes its sign at $\ell = \frac{1}{\alpha}$ and learns what it should forget.
- A token is forgotten on its own: in NPO one weight stands for the whole answer.
- Large powers move confident tokens alone and let go of them early ($p = 0.5$, $\alpha = 5$: weight 0.03).

## Differences

1. The paper sums over an answer's tokens, its code averages over all tokens of a batch; here the mean over each
   answer's tokens, then over answers.
2. The released KL term divides by all positions, question and padding included; here it is per answer token.
"""

from __future__ import annotations

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
    weighted_ascent_loss,
)


def wga_loss(out: TokenLogits, power: float) -> Tensor:
    r"""() $\mathcal L_{\mathrm{WGA}}$, with $w_t = p_\theta(y_t \mid x, y_{<t})^\alpha$ and $\alpha$ = ``power``."""
    return weighted_ascent_loss(out, torch.exp(power * out.token_logprobs()))


@dataclass(frozen=True)
class WGA(LossMethod):
    r"""Minimise $\mathcal L_{\mathrm{WGA}}$ plus the KL term."""

    paper = "wang2025rethinkingb"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 16,
        "weight_decay": 0.0,
        "source": "released code, TOFU with Llama-2-7B; 2e-5 for Phi-1.5",
    }

    power: float = hyperparameter(
        1.0, "α, power of the probability: 0 is gradient ascent", source="OpenUnlearning's configuration", minimum=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "λ, weight of the KL term on the retain set",
        source="released code (wga_kl)",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        (retain_before,) = batch.before.token_logits(batch.retain)
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return wga_loss(forget, self.power) + self.retain_weight * mean_kl(retain_before, retain)
