r"""Gradient-ratio influence and noise injection (GRIN).

The weights that matter to the forget set far more than to the rest are found once, by a quotient of gradients. They are
disturbed, so that training does not begin where the answers are known by heart, and then they alone are trained.

## Objective

Anjarlekar and Pombra: with the gradients $g_f$, $g_r$ of the mean negative log-likelihood of both sets,

$$
s_i = \frac{|g_{f,i}|}{|g_{r,i}| + \epsilon},
\qquad
\theta_i \leftarrow \theta_i + \sigma\, \xi_i, \quad \xi_i \sim \mathcal N(0, 1)
\quad \text{for the highest } s_i ,
$$

and then, over these weights alone, an existing loss; here

$$
\mathcal L(\theta) = \mathcal L_f(\theta) + \alpha\, L(\mathcal D_r; \theta) .
$$

## Symbols

- The share of weights that are chosen: `share`. $\sigma$: `noise`. $\epsilon$ keeps quotients finite.
- $\mathcal L_f$ (`objective`): the loss of `npo` with $\beta$ (`beta`), whose reference is the model before the noise,
  or ascent.
- $L$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).

## Facts

- **Scale does not matter**: of a loss that is ten times as large all quotients are, and the same weights are chosen.
- **A weight that no retain answer reaches comes first**, however little the forget set makes of it: the embeddings of
  tokens that stand in forget texts alone. `salun` asks for the numerator only; `ssd` has the quotient of squares.
- **By hand**: $g_f = (1, 2, -3, 0)$ and $g_r = (1, -4, 1, 0)$ give $(1, \tfrac12, 3, 0)$.
- The noise is that of `fisher-forgetting` in a few places and of one size; what it costs the retain set is for the
  training to win back.
- On `authors` ($\alpha = 5$, a tenth of the weights) forget answers fall to 0.42 and 0.09 at the rates 0.0005 and
  0.001, and retain answers to 0.95 and 0.91. Without the noise the latter pair is 0.08 and 0.90, so that it buys
  nothing here; nor does the choice: `npo` with all weights comes to 0.08 and 0.91, at a fifth of the rate.

## Differences

1. The score, the noise and what follows are as a summary of the paper gives them; its own text was not at hand. The
   share and $\sigma$ are ours.
2. The paper also trains with refusals (PO).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    ascent_or_npo,
    holding,
    hyperparameter,
    mean_nll,
    most_salient,
    nll_gradient,
)

EPSILON = 1e-8
r"""$\epsilon$."""


def gradient_ratio(forgetting: Tensor, retaining: Tensor) -> Tensor:
    """$s_i$ of each entry of a weight."""
    return forgetting.abs() / (retaining.abs() + EPSILON)


@dataclass(frozen=True)
class GRIN(Method):
    """Disturb the weights with the highest ratio, and train no others."""

    paper = "anjarlekar2025llm"
    acts_on = "gradients"
    reference = "log-probabilities"
    retain = "needed"
    weighs_weights = True

    share: float = hyperparameter(0.1, "share of the weights that may move", source="ours", above=0, maximum=1)
    noise: float = hyperparameter(0.01, "σ, of the noise", source="ours", minimum=0)
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="ours", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    objective: str = hyperparameter("npo", "the forget loss", source="paper", choices=("npo", "ascent"))
    beta: float = hyperparameter(0.1, "β of NPO", source="NPO's paper", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Score all weights, then disturb and train the chosen ones."""
        forgetting, retaining = (nll_gradient(model, pairs) for pairs in (data.forget, data.retain))
        scores = [gradient_ratio(*both) for both in zip(forgetting.parts, retaining.parts, strict=True)]
        chosen = most_salient(scores, self.share)
        disturbed = False

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            nonlocal disturbed
            if not disturbed:  # after the reference was taken
                Gradient(forgetting.weights, tuple(map(torch.randn_like, scores))).masked(chosen).step(-self.noise)
                disturbed = True
            forget, retain = model.token_logits(batch.forget, batch.retain)
            loss = ascent_or_npo(forget, batch.forget.reference, self.objective, self.beta)
            return Gradient.of(loss + self.retain_weight * mean_nll(retain), model).masked(chosen)

        held = holding(forgetting.weights, chosen)
        return run.minimize(step, model, data, reference=self.reference, after_step=held)
