r"""Bi-level unlearning with retention (BLUR).

Forgetting and keeping are not two terms of one loss but two levels: forgetting has to be done, and keeping chooses
among the models that have done it. So each step takes from the retain gradient all that bears on forgetting, one way or
the other, and forgets at its own pace.

## Objective

Reisizadeh et al.: with the lower level inside,

$$
\min_\theta\ L_r(\theta) \quad \text{subject to} \quad \theta \in \arg\min_{\theta'} \mathcal L_f(\theta'),
$$

by steps along

$$
d = g_r + \Big(\gamma - \frac{\langle g_r, g_f \rangle}{\lVert g_f \rVert^2}\Big)\, g_f,
\qquad
g_f = \nabla \mathcal L_f(\theta), \quad g_r = \nabla L_r(\theta),
$$

with the loss of `npo` for $\mathcal L_f$.

## Symbols

- $\langle \cdot, \cdot \rangle$: the inner product over all weights together.
- $\gamma$ (`rate`): how fast forgetting proceeds.
- $\mathcal L_f = -\frac{2}{\beta} \mathbb E \log \sigma\big({-\beta} \log \frac{\pi_\theta}{\pi_{\mathrm{ref}}}\big)$
  over whole answers, with $\beta$ (`beta`).
- $L_r$: the mean negative log-likelihood of retain answers.

## Facts

- **Forgetting proceeds at the rate $\gamma$, whatever the retain gradient is**:
  $\langle d, g_f \rangle = \gamma\, \lVert g_f \rVert^2$. To first order a step of plain descent always lowers the
  forget loss, by as much as a step along $\gamma\, g_f$ alone.
- **Nothing is promised to the retain loss**:
  $\langle d, g_r \rangle = \lVert g_r \rVert^2 (1 - \cos^2) + \gamma \langle g_r, g_f \rangle$ may be negative, and is
  where the two conflict and $\gamma$ is large. `gru` is the mirror image: there the retain gradient is the constraint.
- Help is taken away as well: where the retain gradient points the way of forgetting, that part goes, too.
- With $g_f = 0$, as once all is forgotten, what is left is a step of the retain loss.
- The optimizer scales every weight by itself, which keeps no inner product: with AdamW the identity is a tendency.

## Differences

1. The released code has a form with the levels exchanged, and a divergence for $L_r$; both are left out.
2. In the released code clipping comes before the direction replaces the gradient, and so does nothing; here the
   direction is clipped. Of several accumulated batches its direction is that of the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    log_ratio,
    mean_nll,
    npo_loss,
)


def bilevel_direction(retaining: Gradient, forgetting: Gradient, rate: float) -> Gradient:
    r"""$d$: of the retain gradient what is orthogonal to the forget gradient, and $\gamma$ times the latter."""
    return retaining - retaining.projected(forgetting) + rate * forgetting


@dataclass(frozen=True)
class BLUR(Method):
    r"""Step along $d$."""

    paper = "reisizadeh2025blur"
    acts_on = "gradients"
    reference = "log-probabilities"
    retain = "needed"
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "source": "run script in OpenUnlearning, TOFU",
    }

    rate: float = hyperparameter(
        1.0, "γ, how fast forgetting proceeds", source="released code", above=0, trade_off=(0.1, 0.3, 1.0, 3.0)
    )
    beta: float = hyperparameter(1.0, "β of NPO", source="released code for TOFU", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients in each step, made into one."""

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            (forget,), (retain,) = model.token_logits(batch.forget), model.token_logits(batch.retain)
            ratio = log_ratio(forget, batch.forget.reference)
            forgetting = Gradient.of(npo_loss(ratio, torch.zeros_like(ratio), self.beta), model)
            return bilevel_direction(Gradient.of(mean_nll(retain), model), forgetting, self.rate)

        return run.minimize(step, model, data, reference=self.reference)
