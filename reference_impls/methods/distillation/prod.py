r"""Probabilistic redistribution (PROD).

Strike the true token from what the model before unlearning expects next, keep the likeliest of the rest, and train the
model to say just these. It was made for code, where a wrong character breaks a program: what comes in place of the true
token is what the model itself would have written.

## Objective

Jiang et al. (the loss as in their released code), with the logits $z^0_t$ of the model before unlearning at the place
that predicts $y_t$:

$$
q_t = \mathrm{softmax}\left(z^0_t \;\text{with}\; z^0_{t,y_t} = -\infty\right), \qquad
P_{t,v} = \frac{q_{t,v}^{1/\tau}\, \mathbf 1[v \in S_t]}{\sum_{u \in S_t} q_{t,u}^{1/\tau}} \;\; (v \ne y_t), \qquad
P_{t,y_t} = -\alpha\, p_{\theta_0}(y_t \mid x, y_{<t}),
$$

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\Big( -\sum_v P_{t,v} \log p_\theta(v \mid x, y_{<t}) \Big) + \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $\theta_0$: the model before unlearning; $q_t$: what it expects when the true token is ruled out.
- $S_t$: the likeliest tokens under $q_t$, as few as have together more than the probability `top_p`.
- $\tau$ (`temperature`): below 1 it makes the target sharper.
- $\alpha$ (`suppression`): how much ascent there is on the true token, in proportion to what it had; 0 by default.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- **With $\alpha = 0$ it converges.** The gradient at the logits is $p_t - P_t$, bounded, and 0 where the model says the
  target, at which the loss is the entropy of $P_t$. The target stays where it is, whatever the model becomes.
- **With $\alpha > 0$ it does not**: $P_t$ then adds up to $1 - \alpha\, p_{\theta_0}(y_t)$, and the loss falls without
  end as $p_\theta(y_t) \to 0$. The gradient at the true token's logit is
  $p_{y_t} (1 - \alpha\, p_{\theta_0}(y_t)) + \alpha\, p_{\theta_0}(y_t)$: it stays when the token has gone.
- **Between `undial` and `ce-u`**: with all tokens kept and $\tau = 1$ the target is that of `undial` for
  $\beta \to \infty$; `ce-u` has the same from the present model. The tail that is cut off here is what both go on
  teaching: for an answer known by heart it is made of what training left over, and no more than noise.
- The true token ends at probability 0, far below what a model says that never saw the answer.
- **What it holds, and what it does not.** On `authors` it stays a model that writes, at rates at which ascent, NPO
  without a retain term and `ce-u` leave nothing: at $10^{-3}$ the utility is 0.30, after ascent 0. But where ascent is
  trained gently enough to forget as much, it keeps as much; the paper's lead over it does not show there. Answers known
  by heart have nothing sensible in second place, and retain answers, which begin with the same words, go along. With
  $\lambda = 1$ the forget answers go from 0.96 to 0.25 and the utility from 0.65 to 0.62.

## Differences

1. The released code takes every place of prompt, answer and padding but the first of the prompt; here the answer's
   tokens count, and these alone, each answer as much as any other.
2. It adds $10^{-10}$ to probabilities before the logarithm, which lets go of tokens below that; here the logarithm is
   exact.
3. Its bound on the number of tokens in $S_t$, not used in its script, is not in this file.
4. A retain term is added, off by default.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, by_token, hyperparameter, mean_nll


def redistributed(before: Tensor, targets: Tensor, top_p: float, temperature: float, suppression: float) -> Tensor:
    r"""(N, V) $P_t$.

    Args:
        before: (N, V) logits $z^0_t$.
        targets: (N,) the true tokens.
        top_p: what the tokens of $S_t$ have to have together.
        temperature: $\tau$.
        suppression: $\alpha$.
    """
    true = targets[:, None]
    rest = before.scatter(1, true, -torch.inf)
    likeliest, order = torch.softmax(rest, dim=1).sort(dim=1, descending=True)
    enough = likeliest.cumsum(dim=1) - likeliest > top_p  # those before a token have it already
    kept = rest.masked_fill(torch.zeros_like(enough).scatter(1, order, enough), -torch.inf)
    return torch.softmax(kept / temperature, dim=1).scatter(
        1, true, -suppression * torch.softmax(before, dim=1).gather(1, true)
    )


def prod_loss(
    before: TokenLogits, out: TokenLogits, top_p: float, temperature: float = 1.0, suppression: float = 0.0
) -> Tensor:
    r"""() $-\sum_v P_{t,v} \log p_\theta(v)$, mean over tokens, then answers."""

    def cross_entropy(teacher: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        target = redistributed(teacher, targets, top_p, temperature, suppression)
        return -(target * torch.log_softmax(logits, dim=1)).sum(dim=1)

    return out.mean(by_token(cross_entropy, (before, out), out.targets))


@dataclass(frozen=True)
class PROD(LossMethod):
    r"""Minimise the cross-entropy to the redistributed teacher."""

    paper = "jiang2025large"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    published = {
        "learning_rate": 5e-6,
        "epochs": 10,
        "batch_size": 32,
        "source": "released script, CodeLlama-7B",
    }

    top_p: float = hyperparameter(
        0.8, "probability that the tokens of S_t have together", source="released script", above=0, maximum=1
    )
    temperature: float = hyperparameter(1.0, "τ, of the target", source="released script: none", above=0)
    suppression: float = hyperparameter(
        0.0, "α, weight of the ascent on true tokens", source="released script", minimum=0, below=1
    )
    retain_weight: float = hyperparameter(
        0.0,
        "λ, weight of the retain loss",
        source="released code: there is none",
        minimum=0,
        trade_off=(0.0, 1.0, 2.0, 5.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        (before,) = batch.before.token_logits(batch.forget)
        forget, retain = model.token_logits(batch.forget, batch.retain)
        loss = prod_loss(before, forget, self.top_p, self.temperature, self.suppression)
        return loss + self.retain_weight * mean_nll(retain)
