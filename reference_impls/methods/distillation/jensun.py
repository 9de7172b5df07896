r"""Jensen-Shannon unlearning (JensUn).

Behind the true words of an answer to forget, teach the tokens of a short refusal, over and over; on everything else,
hold the model to what it said before. Both are measured with the Jensen-Shannon divergence, which has a floor and a
ceiling, so that neither term can run away with the other.

## Objective

Singh et al. (section on JensUn), with $\tau_t$ the refusal's tokens in turn:

$$
\mathcal L(\theta) = \gamma\, \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{JSD}\big(p_\theta(\cdot \mid x, y_{<t}) \,\|\, \delta_{\tau_t}\big)
+ \alpha\, \mathbb E_{(x,y) \sim \mathcal D_r} \frac{1}{|y|} \sum_t
\mathrm{JSD}\big(p_\theta(\cdot \mid x, y_{<t}) \,\|\, p_{\theta_0}(\cdot \mid x, y_{<t})\big),
$$

$$
\mathrm{JSD}(p \,\|\, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m),
\qquad m = \tfrac12 (p + q).
$$

## Symbols

- $y_{<t}$: the *true* tokens before place $t$: the input stays as it was, only what should follow is new.
- $\delta_{\tau_t}$: all probability on one token. Of the refusal "No idea", place 1 gets the first token, place 2 the
  second, and so on, from the start again at its end.
- $p_{\theta_0}$: the model before unlearning.
- $\gamma$ (`forget_weight`), $\alpha$ (`retain_weight`): the weights of the two terms.

## Facts

- **Bounded**: $0 \le \mathrm{JSD} \le \log 2 = 0.693$, symmetric in $p$ and $q$.
- **Closed form of the forget term**: with $p$ the probability of $\tau_t$, $\log 2 + \frac12 \big(p \log p - (1 + p)
  \log (1 + p)\big)$. The other tokens do not matter.
- **Its gradient is that of $-w \log p$** with $w = \frac{p}{2} \log\big(1 + \frac1p\big)$, a weight that grows with
  $p$ from 0 to $\frac12 \log 2 = 0.347$. It never explodes, and **it starts out near 0**: a refusal token that the
  model holds for impossible hardly pulls, so the first steps are small, or the learning rate large.
- At the start the retain term is 0, and so is its gradient: it acts only once something has changed. For $p$ near $q$
  it is a quarter of the divergence of `kl-min`: $\mathrm{JSD}(p \,\|\, q) \approx \frac14 \mathrm{KL}(p \,\|\, q)$.

## Differences

1. A mean is over an answer's tokens, then over answers; the released code averages over all tokens of a batch, so that
   long answers weigh more.
2. The released code sets small probabilities to a floor before the logarithm; here the closed form needs none.
3. The refusal is tokenized as an answer of the model at hand is; the released code lists token ids for two tokenizers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, hyperparameter

REFUSAL = "No idea"


def in_turn(out: TokenLogits, tokens: Tensor) -> Tensor:
    r"""(N,) $\tau_t$: the given tokens one after the other over each answer's places, again and again."""
    counts = torch.bincount(out.sequence, minlength=out.sequences)
    place = torch.arange(len(out.sequence), device=tokens.device) - (counts.cumsum(0) - counts)[out.sequence]
    return tokens[place % len(tokens)]


def divergence_from_token(logprobs: Tensor) -> Tensor:
    r"""(N,) $\mathrm{JSD}(p \,\|\, \delta_\tau)$ from (N,) $\log p(\tau)$."""
    p = logprobs.exp()
    return math.log(2) + (p * logprobs - (1 + p) * p.log1p()) / 2


def jensen_shannon(one: Tensor, other: Tensor) -> Tensor:
    r"""(N,) $\mathrm{JSD}(p \,\|\, q)$ from (N, V) logits of each."""
    p, q = torch.log_softmax(one, dim=1), torch.log_softmax(other, dim=1)
    middle = torch.logaddexp(p, q) - math.log(2)
    return (p.exp() * (p - middle) + q.exp() * (q - middle)).sum(dim=1) / 2


@dataclass(frozen=True)
class JensUn(LossMethod):
    r"""Minimise both divergences."""

    paper = "singh2025unlearning"
    acts_on = "loss"
    reference = "model"
    retain = "optional"

    forget_weight: float = hyperparameter(1.0, "γ, weight of the forget term", source="released code, default", above=0)
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain term",
        source="released code, default",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        refusal = model.answer_tokens(REFUSAL)
        (before,) = batch.before.token_logits(batch.retain)
        forget, retain = model.token_logits(batch.forget, batch.retain)
        wanted = in_turn(forget, torch.tensor(refusal, device=forget.logits.device))
        logprobs = torch.log_softmax(forget.logits, dim=1).gather(1, wanted[:, None])[:, 0]
        kept = retain.mean(jensen_shannon(retain.logits, before.logits))
        return self.forget_weight * forget.mean(divergence_from_token(logprobs)) + self.retain_weight * kept
