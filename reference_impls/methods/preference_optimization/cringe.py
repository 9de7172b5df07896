r"""Contrast with the model's own candidates (CRINGE).

Training on an example of what not to say has to let something else come up in its place. CRINGE takes, for every
token of such an example, one of the tokens that the model would say otherwise, and teaches it to prefer that one: no
answer to prefer has to be written.

## Objective

Adolphs et al. (their loss on positive and on negative sequences), the retain set being positive and the forget set
negative:

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
-\log \frac{e^{z_t(s_t)}}{e^{z_t(s_t)} + e^{z_t(y_t)}} + \lambda\, L(\mathcal D_r; \theta),
\qquad
s_t \sim \mathrm{softmax}\big( z_t \text{ on the } k \text{ likeliest tokens but } y_t \big).
$$

## Symbols

- $z_t$: the logits at the place of the token $y_t$ to forget.
- $s_t$: the candidate that it is contrasted with, drawn anew each time; with $k = 1$ (`top`) it is the likeliest token
  other than $y_t$.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- **Two logits move.** The gradient is $\sigma\big(z_t(y_t) - z_t(s_t)\big)$ at $y_t$, minus the same at $s_t$, and 0 at
  all others: below 1, and towards 0 once the candidate is well ahead. Ascent pulls hardest then.
- **Bounded below by 0.** Each term is $-\log$ of the candidate's probability if there were these two tokens alone.
- **Where the probability goes is chosen**: to what the model would have said next. If that is another way to say the
  same, the answer is only reworded. Tokens that several answers have in common, such as the words around a name, are
  pushed as the name is.
- `ihl` has the likeliest other token for a rival, too, and takes the difference of the two probabilities, whose
  gradient is small where both are unlikely; here that of the logits counts.

## Differences

1. The released code has one mean over all tokens, positive and negative; here each is a mean over an answer's tokens,
   then over answers, and $\lambda$ stands at the positive part, where the code has a weight at the negative one.
2. This is the single iteration. The iterative form lets the trained model write, has a classifier sort what it wrote
   into positive and negative examples, and trains on these again.
3. In the released code the gradient may be kept from the candidate; by default it is not, nor is it here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, by_token, hyperparameter, mean_nll


def candidates(logits: Tensor, targets: Tensor, top: int) -> Tensor:
    """(N,) a token drawn at each place from the ``top`` likeliest, without the (N,) ``targets``."""
    others = logits.detach().scatter(1, targets[:, None], -math.inf)
    likeliest = others.topk(min(top, logits.shape[1] - 1), dim=1)
    drawn = torch.multinomial(torch.softmax(likeliest.values, dim=1), 1)
    return likeliest.indices.gather(1, drawn)[:, 0]


def cringe_loss(out: TokenLogits, top: int) -> Tensor:
    r"""() $-\log \sigma(z(s) - z(y))$ at the tokens of answers to forget, mean over tokens, then answers."""

    def contrast(logits: Tensor, targets: Tensor) -> Tensor:
        rival = candidates(logits, targets, top)
        true, other = (logits.gather(1, token[:, None])[:, 0] for token in (targets, rival))
        return F.softplus(true - other)

    return out.mean(by_token(contrast, (out,), out.targets))


@dataclass(frozen=True)
class CRINGE(LossMethod):
    """Contrast answers to forget with what the model would say otherwise, and learn retain answers."""

    paper = "adolphs2022cringe"
    acts_on = "loss"
    retain = "optional"
    published = {
        "learning_rate": 5e-5,
        "batch_size": 16,
        "source": "README of the released code, safe generation with BlenderBot (3 billion)",
    }

    top: int = hyperparameter(
        1, "k, how many of the likeliest tokens a candidate is drawn from", source="released code, default", minimum=1
    )
    retain_weight: float = hyperparameter(
        1.0,
        "λ, weight of the retain loss",
        source="released code, default",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return cringe_loss(forget, self.top) + self.retain_weight * mean_nll(retain)
