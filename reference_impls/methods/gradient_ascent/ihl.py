r"""Inverted hinge loss (IHL).

Push the true token down and, in its place, the model's own second choice up, and nothing else. Ascent lifts every
token of the vocabulary at once; the hinge moves the probability to one rival, which tends to be a word that fits.

## Objective

Cha et al. (LoKU, their inverted hinge loss), with a retain loss:

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\Big( 1 + p_\theta(y_t \mid x, y_{<t}) - \max_{v \ne y_t} p_\theta(v \mid x, y_{<t}) \Big)
+ \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $\max_{v \ne y_t} p_\theta(v)$: the probability of the rival $v^*$, the likeliest of all other tokens.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- **Bounded**, between 0 and 2. So the hinge, which cuts negative values off, never has to.
- **Gradient at the logits** of a token, with $p = p(y_t)$ and $q = p(v^*)$: $p\,(1 - p + q)$ at $y_t$,
  $-q\,(1 + p - q)$ at $v^*$, and $p(v)\,(q - p)$ at every other $v$. Ascent has $1 - p$ at $y_t$ and $-p(v)$ at all
  others.
- **It fades out** as the rival takes over: at $p = 0$ and $q = 1$ the gradient is 0. As long as $q > p$ the tokens
  that are neither lose, too.
- **What is certain hardly moves**: at $p = 1$ every part of the gradient is 0. It carries the factors $p$ and $q$
  where ascent carries none, so a learning rate that suits ascent may be too small.
- The rival is chosen behind the *true* tokens before it. Where two tokens are equally likely one of them is taken.

## Differences

1. This is the loss of the paper's LoKU alone. There low-rank adapters learn, set up from the directions that matter
   to the forget set by Fisher information (FILA), as in `loku`; here all weights do.
2. A mean is over an answer's tokens, then over answers; the released code averages over all tokens of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, hyperparameter, inverted_hinge_loss, mean_nll


@dataclass(frozen=True)
class InvertedHinge(LossMethod):
    """Minimise the inverted hinge loss plus the retain loss."""

    paper = "cha2024robust"
    acts_on = "loss"
    retain = "optional"
    published = {
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "source": "released code, TOFU; its learning rate (1e-4, Llama-2-7B) is for low-rank adapters",
    }

    retain_weight: float = hyperparameter(
        1.0,
        "λ, weight of the retain loss",
        source="released code: the two are added",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return inverted_hinge_loss(forget) + self.retain_weight * mean_nll(retain)
