r"""Saturation and importance reweighting (SatImp).

Which tokens of an answer deserve the push? Those that are not yet forgotten (saturation), and those that carry what is
to be forgotten (importance), which the model finds harder to predict than what any sentence has. One weight for both.

## Objective

Yang et al. (section 5, "SatImp"), in the sign of a loss, with the retain term of their experiments:

$$
\mathcal L_f(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t w_t \log p_t,
\qquad
w_t = \mathrm{sg}\!\left[p_t^{\beta_1} (1 - p_t)^{\beta_2}\right],
\qquad
p_t = p_\theta(y_t \mid x, y_{<t}),
$$

$$
\mathcal L(\theta) = \mathcal L_f(\theta) + \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $p_t^{\beta_1}$ (`saturation`): small for tokens that are forgotten already.
- $(1 - p_t)^{\beta_2}$ (`importance`): small for tokens that go without saying.
- $\mathrm{sg}$: no gradient flows through the weights.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- $\beta_2 = 0$ is WGA, $\beta_1 = \beta_2 = 0$ is gradient ascent. The paper calls the factors alone SimSat and SimImp.
- **The weight peaks at** $p = \frac{\beta_1}{\beta_1 + \beta_2}$ (0.83 for 5 and 1) and is 0 at both ends. So **a token
  that is known for sure is not pushed at all** as long as $\beta_2 > 0$: a model that has memorised its answers starts
  slowly.
- What is really minimised is the mean of $\int_0^{p_t} u^{\beta_1 - 1} (1 - u)^{\beta_2}\, \mathrm du$, an incomplete
  beta function: bounded below by 0 for $\beta_1 > 0$.
- The weights are small (at most 0.067 for 5 and 1), and so is the forget term: its balance with the retain term is the
  main knob.

## Differences

1. The paper sums over an answer's tokens, its code averages over all tokens of a batch; here the mean over each
   answer's tokens, then over answers.
2. By the authors' note in OpenUnlearning the paper uses 5 and 1 for $\beta_1$ and $\beta_2$, and weighs forget to
   retain 10 to 1; the README of their own code recommends 5 and 0.1.
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
    mean_nll,
    weighted_ascent_loss,
)


def saturation_importance(logprobs: Tensor, saturation: float, importance: float) -> Tensor:
    r"""(N,) $w_t = p_t^{\beta_1} (1 - p_t)^{\beta_2}$ from (N,) $\log p_t$."""
    certain = -torch.expm1(logprobs)  # 1 - p, exact where p is nearly 1
    return torch.exp(saturation * logprobs) * certain.clamp(min=0) ** importance


def satimp_loss(out: TokenLogits, saturation: float, importance: float) -> Tensor:
    r"""() $\mathcal L_f$ from logits at the tokens of answers to forget."""
    return weighted_ascent_loss(out, saturation_importance(out.token_logprobs(), saturation, importance))


@dataclass(frozen=True)
class SatImp(LossMethod):
    r"""Minimise $\mathcal L_f$ plus the retain loss."""

    paper = "yang2025exploring"
    acts_on = "loss"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 16,
        "weight_decay": 0.0,
        "source": "released code, TOFU with Llama-2-7B; 2e-5 for Phi-1.5",
    }

    saturation: float = hyperparameter(
        5.0, "β₁, power of the probability: larger lets go sooner", source="authors' note in OpenUnlearning", minimum=0
    )
    importance: float = hyperparameter(
        1.0,
        "β₂, power of its complement: larger spares what goes without saying",
        source="authors' note in OpenUnlearning",
        minimum=0,
    )
    retain_weight: float = hyperparameter(
        0.1,
        "λ, weight of the retain loss",
        source="authors' note in OpenUnlearning",
        minimum=0,
        trade_off=(0.1, 0.3, 1.0, 3.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return satimp_loss(forget, self.saturation, self.importance) + self.retain_weight * mean_nll(retain)
