r"""Memorize to forget by model extrapolation (MOX).

Do not climb the loss: go down it. Let a copy learn the forget set even better, held to what the model says elsewhere,
and then walk the same way from the model in the opposite direction.

## Objective

Huang et al.: with $\theta_{\mathrm{ref}}$ the model before unlearning,

$$
\theta_{\mathrm{mem}} = \arg\min_\theta\; L(\mathcal D_f; \theta)
+ \lambda\, \mathrm{KL}_{\mathcal D_r}(p_{\theta_{\mathrm{ref}}} \,\|\, p_\theta),
\qquad
\theta_{\mathrm{for}} = (1 + \alpha)\, \theta_{\mathrm{ref}} - \alpha\, \theta_{\mathrm{mem}} .
$$

## Symbols

- $L$: the mean negative log-likelihood of answers; $\mathrm{KL}_{\mathcal D_r}$: the divergence per token of retain
  answers.
- $\alpha$ (`extrapolation`): how far to walk, as a multiple of the way that memorizing went.
- $\lambda$ (`retain_weight`): how much memorizing is held.

## Facts

- **It is `task-vector` with a retain set**: $\theta_{\mathrm{for}} = \theta_{\mathrm{ref}} - \alpha\, \tau$ with
  $\tau = \theta_{\mathrm{mem}} - \theta_{\mathrm{ref}}$. With $\lambda = 0$ it is that.
- **`kl-min` by its mirror image**: to first order in the length of the way the two move alike, and both begin with the
  forget set alone, for the divergence and its gradient are 0 at the start. But what is descended here has a floor, and
  the divergence bounds how much $\tau$ says on the retain set, not what $-\alpha\, \tau$ does there.
- **Who knows an answer by heart has little left to memorize**: $\tau$ is short, and $\alpha$ has to make up for it.
- **On `authors` the divergence does not pay.** At the rate 0.0005 with $\alpha = 1$, forget answers end at 0.72 (from
  0.96), retain answers at 0.89 and the utility at 0.62; without it, as `task-vector`, at 0.64, 0.91 and 0.63. It holds
  the copy, whose divergence on the retain set is smaller in a test; the mirror image is not held by that.

## Differences

1. The paper can also move its reference along with a momentum while it trains. Here it stays, and the model is
   extrapolated once, at the end.
2. The weights of its two terms were out of our reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
    subtract_task_vector,
    task_vector,
)


@dataclass(frozen=True)
class MOX(Method):
    r"""Memorize in a copy, and walk the other way."""

    paper = "huang2026gradient"
    acts_on = "weights"
    retain = "optional"
    copies = 1

    extrapolation: float = hyperparameter(
        1.0, "α, how far to walk, in ways of memorizing", source="ours", minimum=0, trade_off=(0.5, 1.0, 2.0, 4.0)
    )
    retain_weight: float = hyperparameter(1.0, "λ, weight of the divergence", source="ours", minimum=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train a copy beside the model, then take off what that changed."""

        def loss(copy: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad():
                (before,) = model.token_logits(batch.retain)
            forget, retain = copy.token_logits(batch.forget, batch.retain)
            return mean_nll(forget) + self.retain_weight * mean_kl(before, retain)

        memorized = run.minimize(loss, model.copy(), data, retain=self.looks_at_retain)
        subtract_task_vector(model.model, task_vector(model.model, memorized.model), self.extrapolation)
        return model
