r"""Calibrated and tokenized negative preference alignment (CATNIP, now CALIBURN).

NPO asks how much likelier an answer is than it was before unlearning. That says nothing of how sure the model is of it,
and one number stands for all of its tokens. CATNIP asks of every token how much likelier it is than everything else
that could stand there: the reference is the reverse of the current policy, and no second model.

## Objective

Yang et al., put together from what the public reviews of their submission say of it (see *Differences*): NPO with
$1 - \pi_\theta$ in the place of $\pi_{\mathrm{ref}}$, token by token,

$$
\mathcal L_f(\theta) = -\frac{2}{\beta}\, \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t \log \sigma\!\left(
-\beta \log \frac{p_t}{\mathrm{sg}[1 - p_t]}\right),
\qquad
p_t = \pi_\theta(y_t \mid x, y_{<t}),
\qquad
\mathcal L(\theta) = \mathcal L_f(\theta) + \alpha\, L(\mathcal D_r; \theta).
$$

## Symbols

- $\log \frac{p_t}{1 - p_t}$: the log-odds of the true token, read from the logits, so that it is exact where $p_t$ is
  nearly 1.
- $\beta$ (`beta`): how steeply the push depends on the odds.
- $\mathrm{sg}$: no gradient flows through the reference (`reference_gradient` = `flowing` lets it).
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`;
  0 in the paper).

## Facts

- **The push is the confidence.** $\nabla \mathcal L_f = \mathbb E \frac{1}{|y|} \sum_t w_t \nabla \log p_t$ with
  $w_t = 2 p_t^\beta / (p_t^\beta + (1 - p_t)^\beta)$: 1 at even odds, whatever $\beta$ is, towards 2 where the model is
  sure and towards 0 where the token is forgotten. In NPO the weight is 1 for *every* answer at the start.
- $\beta = 1$ has $w_t = 2 p_t$, which is `wga` with exponent 1, doubled; $\beta \to 0$ is gradient ascent. Small
  $\beta$ hardly tell tokens apart: at 0.1 a token at 0.9 has the weight 1.11, one at 0.05 still 0.85, and one at
  $10^{-5}$ 0.48.
- **Bounded below by 0**, with or without a gradient through the reference. With it, $\beta = 1$ is the unlikelihood
  loss $-2 \log(1 - p_t)$, the weight of $\log p_t$ is $w_t / (1 - p_t)$, and the gradient at the true token's logit is
  $w_t$ itself: a token known by heart is pushed, which the factor $1 - p_t$ of every log-likelihood keeps from it.
- **Length plays no part**: an answer that is repeated has the same loss.
- **Nothing holds what is not asked about**, as long as $\alpha = 0$. Without retain data it does keep more than `npo`:
  on the embedded task (`authors`, 60 steps at a rate of 1e-4) forget answers go from 0.96 to 0.17 and retain answers
  from 0.98 to 0.69, with `npo` to 0.16 and 0.57. That is $\beta$: with 0.1, which `npo` has, CATNIP ends at 0.16 and
  0.54, and `npo` with $\beta = 1$ at a rate of 2e-4 at 0.31 and 0.76, on the same line between forgetting and keeping.
- **A gradient through the reference breaks sentences** there: at a rate of 5e-5, 0.19 and 0.43, in words that follow
  from nothing; without it, 0.55 and 0.92.

## Differences

1. The paper's equations were out of reach when this was written. What four public reviews agree on is that NPO's
   reference becomes $1 - \pi_\theta$ and that tokens are averaged, where NPO has whole answers; that the gradient is
   rescaled by a weight that grows with the confidence (its equation 9) holds of both forms here. Which of them it is,
   and the paper's $\beta$, could not be told; both defaults are ours.
2. The mean is over each answer's tokens, then over answers.
3. The retain term is an addition; with $\alpha = 0$ it is the paper's setting.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, by_token, hyperparameter, mean_nll


def log_odds(logits: Tensor, targets: Tensor) -> Tensor:
    r"""(N,) $\log \frac{p_t}{1 - p_t}$ from (N, V) logits."""
    others = logits.scatter(1, targets[:, None], -torch.inf)
    return logits.gather(1, targets[:, None])[:, 0] - torch.logsumexp(others, dim=1)


def catnip_loss(out: TokenLogits, beta: float, flowing: bool) -> Tensor:
    r"""() $\mathcal L_f$ from logits at the tokens of answers to forget.

    Args:
        out: those logits.
        beta: $\beta > 0$.
        flowing: whether the gradient flows through $1 - p_t$, too.
    """
    odds = by_token(log_odds, (out,), out.targets)
    if not flowing:
        logprobs = out.token_logprobs()
        odds = logprobs + (odds - logprobs).detach()
    return out.mean(-2 / beta * F.logsigmoid(-beta * odds))


@dataclass(frozen=True)
class CATNIP(LossMethod):
    r"""Minimise $\mathcal L_f$, plus the retain loss where it is asked for."""

    paper = "yang2026catnip"
    acts_on = "loss"
    retain = "optional"

    beta: float = hyperparameter(
        1.0,
        "β, inverse temperature: larger spares what is unlikely",
        source="ours: the push is then proportional to the confidence, as the abstract has it",
        above=0,
    )
    reference_gradient: str = hyperparameter(
        "stopped", "whether a gradient flows through 1 - p", source="ours", choices=("stopped", "flowing")
    )
    retain_weight: float = hyperparameter(
        0.0,
        "α, weight of the retain loss",
        source="paper: no retain data",
        minimum=0,
        trade_off=(0.0, 1.0, 2.0, 5.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        forgotten = catnip_loss(forget, self.beta, self.reference_gradient == "flowing")
        return forgotten + self.retain_weight * mean_nll(retain)
