r"""Smoothed gradient ascent by negative label smoothing (SGA, smoothing).

Treat the answer to forget as one of $K$ labels, the others being ordinary answers, and smooth it by a negative rate: it
is ascended on harder than by `gradient-ascent`, and the others are learned. One number sets both.

## Objective

Pang et al., after generalized label smoothing (Wei et al.): for each forget answer with $K - 1$ ordinary pairs,

$$
\mathcal L(\theta) = - \mathbb E_{(x,y) \sim \mathcal D_f} \Big[
\Big( 1 + \frac{1 - K}{K}\, r \Big)\, \ell(y \mid x; \theta)
+ \frac{r}{K} \sum_{i=1}^{K-1} \ell(y_i \mid x_i; \theta) \Big],
\qquad r \le 0 .
$$

## Symbols

- $\ell$: the mean negative log-likelihood of an answer's tokens.
- $r$ (`rate`): the smoothing rate. $K$ (`labels`).
- $(x_i, y_i)$: of the retain pairs those most like the one to forget.

## Facts

- **The weights add up to 1**, whatever $r$; $r = 0$, or $K = 1$, is `gradient-ascent`. At $r = -0.4$ and $K = 4$ the
  forget answer weighs 1.3, and each other $-0.1$, that is 0.1 of descent.
- **$r \to -\infty$ is `grad-diff`** with equal weights, times $-r\, \frac{K-1}{K}$: the smaller $r$, the more it holds.
  For any $r$ it is `grad-diff` with $\alpha = \frac{-r (K - 1)}{K - r (K - 1)} < 1$, up to a factor, and with the
  neighbours of what goes for a retain set: descent never outweighs ascent.
- **The shortest step**: with the gradients $g_f$ and $g_i$ of the losses it is $g_f + r\, a$,
  $a = \frac1K \sum_i g_i - \frac{K-1}{K} g_f$, shortest at $r^* = - \frac{g_f \cdot a}{\lVert a \rVert^2}$. The paper
  derives a best rate from the gradients as well, and then keeps one rate for a whole run.
- **Unbounded below**, as ascent is; the learning rate decides. On `authors`, with $r = -8$, forget answers go to 0.33
  at 0.0001 and retain answers from 0.98 to 0.89; at 0.0002 they end at 0.01 and 0.45 with $r = -2$, at 0.04 and 0.74
  with $r = -16$. `grad-diff`, at 0.0002, ends at 0.07 and 0.78: its retain examples are drawn anew from all, not the
  same three neighbours.

## Differences

1. The paper was out of our reach but for its abstract and its reviews, which tell the roles of $r$ and $K$. The
   formula is generalized label smoothing; a reviewer notes that the paper's first sign is inconsistent, and here it is
   the one that gives ascent at $r = 0$.
2. Its pairs most like each other are so by embeddings, or are written by another model; here they are those that share
   most words.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_nll,
    most_alike,
)


def smoothed_loss(forget: TokenLogits, normal: TokenLogits, rate: float, labels: int) -> Tensor:
    r"""() $\mathcal L$ from logits at answers to forget and at their $K - 1$ times as many ordinary ones."""
    others = (labels - 1) / labels
    return -(1 - others * rate) * mean_nll(forget) - others * rate * mean_nll(normal)


@dataclass(frozen=True)
class SGASmoothing(Method):
    """Ascend on each answer, and learn its neighbours."""

    paper = "pang2025label"
    acts_on = "loss"
    retain = "needed"

    rate: float = hyperparameter(
        -2.0, "r, smoothing rate", source="ours; paper: a grid", maximum=0, trade_off=(-16.0, -8.0, -4.0, -2.0, -1.0)
    )
    labels: int = hyperparameter(4, "K, an answer and its neighbours", source="ours", minimum=2)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find each pair's neighbours and minimise the loss."""
        normal = most_alike(data.forget, data.retain, self.labels - 1)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            others = [pair for row in batch.forget.rows.tolist() for pair in normal[row]]
            forget, learned = model.token_logits(batch.forget, model.encode(others))
            return smoothed_loss(forget, learned, self.rate, self.labels)

        return run.minimize(loss, model, UnlearningData(data.forget), retain=False)
