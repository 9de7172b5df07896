r"""Selective synaptic dampening (SSD).

Nothing is trained. Measure how much each weight matters to the forget data and how much to the rest; where it matters
far more to the former, turn it down.

## Objective

Foster et al. (synapse selection and dampening), for every weight $\theta_i$:

$$
\theta_i \leftarrow
\begin{cases}
\min\!\left( \lambda\, \dfrac{F_{\mathcal D, i}}{F_{\mathcal D_f, i}},\, 1 \right) \theta_i
& \text{if } F_{\mathcal D_f, i} > \alpha\, F_{\mathcal D, i}, \\
\theta_i & \text{otherwise,}
\end{cases}
\qquad
F_{\mathcal D, i} = \mathbb E_{(x,y) \sim \mathcal D} \left( \partial_{\theta_i} \ell(y \mid x; \theta) \right)^2 .
$$

## Symbols

- $F_{\mathcal D}$: the diagonal of the empirical Fisher information; $\ell$ is the mean negative log-likelihood of an
  answer's tokens.
- $\alpha$ (`threshold`): how much more a weight has to matter to the forget set.
- $\lambda$ (`dampening`): how strongly it is turned down then; small values do more.

## Facts

- **No weight grows, none changes its sign**, and whatever is not selected stays to the bit.
- With $\lambda \le \alpha$ every selected weight shrinks, by at least the factor $\frac{\lambda}{\alpha}$; the more it
  stands out, the further. $\alpha \to \infty$ changes nothing, and both factors are all that has to be chosen.
- **One large set hides the forget set.** If $\mathcal D$ contains $\mathcal D_f$ as a share $s$ of it,
  $F_{\mathcal D} \ge s\, F_{\mathcal D_f}$, so for $\alpha \ge \frac{1}{s}$ nothing is selected at all.
- Fishers are of the model as it is: to run it twice is not to run it once.
- Weights of tokens that neither set has keep their values, for both importances are 0.

## Differences

1. Made for image classifiers; the answer's tokens take the place of a class.
2. $F_{\mathcal D}$ is that of the *retain* set, for forget sets here are no small part of the data (see *Facts*). With
   the share $s$ of both it selects as the paper does at $\alpha' = \alpha / (1 - s + \alpha s)$.
3. The released code squares the mean gradient of a batch, which depends on its size; here gradients of single answers,
   as in the formula.
4. Norms and embeddings are dampened as all other weights are; with tied embeddings input and output change together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    diagonal_fisher,
    hyperparameter,
    trained_weights,
)


@torch.no_grad()
def dampen(weight: Tensor, kept: Tensor, forgotten: Tensor, threshold: float, dampening: float) -> None:
    r"""Turn down, in place, the entries that matter more to what is forgotten.

    Args:
        weight: the weights, of any shape.
        kept: $F_{\mathcal D}$ of each.
        forgotten: $F_{\mathcal D_f}$ of each.
        threshold: $\alpha$.
        dampening: $\lambda$.
    """
    selected = forgotten > threshold * kept  # never where it is 0, so the quotient is safe
    weight[selected] *= (dampening * kept[selected] / forgotten[selected]).clamp(max=1)


@dataclass(frozen=True)
class SSD(Method):
    r"""Dampen the weights that matter to the forget set."""

    paper = "foster2023fast"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"

    threshold: float = hyperparameter(
        10.0, "α, how much more a weight has to matter to the forget set", source="paper, ResNet", above=0
    )
    dampening: float = hyperparameter(
        1.0,
        "λ, how strongly it is turned down; small values do more",
        source="paper",
        minimum=0,
        trade_off=(0.1, 0.3, 1.0, 3.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two importances, one change."""
        forgotten, kept = (diagonal_fisher(model, pairs) for pairs in (data.forget, data.retain))
        for weight, kept_importance, forgotten_importance in zip(trained_weights(model), kept, forgotten, strict=True):
            dampen(weight, kept_importance, forgotten_importance, self.threshold, self.dampening)
        return model
