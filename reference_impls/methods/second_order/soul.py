r"""Second-order unlearning (SOUL).

The loss of gradient difference, and another optimizer: each weight's step is divided by an estimate of the loss's
curvature along it, and cut off where that would be too long. Seen so, unlearning is what influence functions do in
one step, done in many small ones.

## Objective

Jia et al.: minimise the loss of an existing method, here that of `grad-diff`,

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \log \pi_\theta(y \mid x)
+ \alpha\, L(\mathcal D_r; \theta),
$$

with Sophia (Liu et al.), whose steps are

$$
\theta \leftarrow \theta - \eta\, \mathrm{clip}\!\left( \frac{m}{\max(\gamma h,\, \epsilon)},\, 1 \right), \qquad
m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad
h \leftarrow \beta_2 h + (1 - \beta_2)\, \hat h .
$$

## Symbols

- $g$: the gradient of $\mathcal L$ on a batch; $m$: its moving average ($\beta_1 = 0.9$).
- $\hat h = g \odot g$: the estimate of the Hessian's diagonal; $h$: its moving average ($\beta_2 = 0.95$).
- $\gamma$ (`curvature_weight`): how much curvature shortens a step. $\mathrm{clip}(\cdot, 1)$ cuts each entry to
  $[-1, 1]$, and $\epsilon$ keeps the quotient finite.
- $\eta$: the learning rate, from the recipe. $L$: the mean negative log-likelihood of retain answers, weighted by
  $\alpha$ (`retain_weight`).

## Facts

- **No weight moves further than $\eta$** in a step, and most move by just that: whatever is cut off is a step of
  fixed length in the direction of $m$'s sign. Only where $\gamma h > |m|$ does curvature decide.
- **Influence functions are one such step** without the cut: $\theta_0 - H^{-1} \nabla \mathcal L$, with the diagonal of
  $H$. Many small ones follow the loss where a single large one leaves it.
- $\gamma \to 0$ is descent by signs. Large $\gamma$ makes steps short: $g \odot g$ shrinks with the square of the
  gradient and $m$ with the gradient, so **the smaller the gradients, the less $\gamma$ does**.
- The curvature is that of $\mathcal L$ itself, part of which is ascended; $g \odot g$ cannot be negative, so there is
  no way down a ridge that it would take for a valley.

## Differences

1. Sophia samples labels from the model for $\hat h$, every few steps; the authors' code squares the gradient at hand
   in every step, which is followed here.
2. In that code $\gamma$ is a product of $\rho = 0.04$ and a constant batch of 5120, which belongs to pretraining; here
   it is one number.
3. The paper also takes refusals and `npo` for the loss.
4. Weight decay is the recipe's; the authors use 0.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, Method, Run, UnlearningData, hyperparameter, mean_nll

MEMORY, CURVATURE_MEMORY, EPSILON = 0.9, 0.95, 1e-15
r"""$\beta_1$, $\beta_2$ and $\epsilon$, as released."""


class Sophia(torch.optim.Optimizer):
    """Momentum divided by a diagonal estimate of the curvature, each entry cut off at the learning rate."""

    def __init__(self, weights: Iterable[Tensor], lr: float, weight_decay: float, curvature_weight: float) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay, "curvature_weight": curvature_weight})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step from the gradients as they are; the loop has no closure to evaluate again."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                kept = self.state[weight]
                if not kept:
                    kept.update(m=torch.zeros_like(weight), h=torch.zeros_like(weight))
                kept["m"].lerp_(weight.grad, 1 - MEMORY)
                kept["h"].lerp_(weight.grad.square(), 1 - CURVATURE_MEMORY)
                ratio = kept["m"] / (group["curvature_weight"] * kept["h"]).clamp(min=EPSILON)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(group["lr"] * ratio.clamp(-1, 1))


@dataclass(frozen=True)
class SOUL(Method):
    r"""Minimise $\mathcal L$ with Sophia."""

    paper = "jia2024soul"
    acts_on = "gradients"
    retain = "needed"
    remembers = False
    published = {
        "learning_rate": 5e-6,
        "epochs": 5,
        "batch_size": 4,
        "weight_decay": 0.1,
        "source": "released code, TOFU, with GradDiff",
    }

    retain_weight: float = hyperparameter(
        2.0,
        "α, weight of the retain loss",
        source="released configuration, GradDiff on TOFU",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    curvature_weight: float = hyperparameter(
        204.8, "γ, how much curvature shortens a step", source="released code: 0.04 · 5120", minimum=0
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """The loop of all others, with another optimizer."""

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            return self.retain_weight * mean_nll(retain) - mean_nll(forget)

        return run.minimize(loss, model, data, optimizer=partial(Sophia, curvature_weight=self.curvature_weight))
