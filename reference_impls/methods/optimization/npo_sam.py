r"""Sharpness-aware negative preference optimization (NPO+SAM).

Relearning works because the unlearned model sits in a narrow valley: a small change of the weights leads out of it.
So the forget loss is lowered not where the weights are but where they would be after the worst small change, and the
valley that is found is wide.

## Objective

Fan et al.: minimise the forget loss at the worst point nearby,

$$
\min_\theta \max_{\lVert \delta \rVert \le \rho} \mathcal L_f(\theta + \delta) + \alpha\, L(\mathcal D_r; \theta),
\qquad
\delta^* \approx \rho\, \frac{\nabla \mathcal L_f(\theta)}{\lVert \nabla \mathcal L_f(\theta) \rVert},
$$

with the loss of `npo` for $\mathcal L_f$, by steps along
$\nabla \mathcal L_f(\theta + \delta^*) + \alpha\, \nabla L(\mathcal D_r; \theta)$.

## Symbols

- $\rho$ (`radius`): how far the worst point may be, in the length over all weights.
- $\mathcal L_f = -\frac{2}{\beta} \mathbb E \log \sigma\big({-\beta} \log \frac{\pi_\theta}{\pi_{\mathrm{ref}}}\big)$
  over whole answers, with $\beta$ (`beta`).
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).
  It is taken at $\theta$ itself.
- `smoothing`: `sam` as above; `rs`, randomized smoothing, the mean of $\nabla \mathcal L_f(\theta + \delta)$ over three
  draws of $\delta \sim \mathcal N(0, \rho^2 I)$; or `gnr`, a penalty on the gradient's length,
  $\mathcal L_f(\theta) + \rho\, \lVert \nabla \mathcal L_f(\theta) \rVert$.

## Facts

- **$\rho = 0$ is `npo`**, whatever the smoothing.
- **SAM is a penalty on sharpness**: $\mathcal L_f(\theta + \delta^*) \approx \mathcal L_f + \rho\, \lVert \nabla
  \mathcal L_f \rVert$, which is what `gnr` writes down. Its gradient needs a product with the Hessian, taken here as a
  difference of two gradients at a small distance $h$; for $h = \rho$ the two are the same step.
- The radius of `rs` is that of one weight: the whole of $\delta$ is about $\rho \sqrt d$ long, with $d$ weights, so the
  same number means far more than with `sam`.
- Each step costs a second pass forward and back for the forget examples (`rs`: two more), and a copy of the weights to
  come back to.

## Differences

1. The released code forms the ratio from raw logits (MUSE) or from means over the batch (WMDP); here, as the paper has
   it, from log-probabilities of whole answers.
2. In the released code the penalty of `gnr` is a number through which no gradient flows; here it has one.
3. Curvature regularization and averaged weights, the paper's two other kinds of smoothing, are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    dpo_loss,
    hyperparameter,
    log_ratio,
    mean_nll,
)

DRAWS = 3
"""Samples of randomized smoothing in each step, as in the released code."""
DISTANCE = 0.01
"""Of the two points between which ``gnr`` takes a difference, as in the released code."""

Slope = Callable[[], Gradient]
r"""$\nabla \mathcal L_f$ at the weights as they are when it is called."""


def worst_nearby(slope: Slope, radius: float) -> Gradient:
    r"""$\nabla \mathcal L_f(\theta + \delta^*)$."""
    with slope().unit().ahead(radius):
        return slope()


def mean_nearby(slope: Slope, radius: float) -> Gradient:
    r"""The mean of $\nabla \mathcal L_f(\theta + \delta)$ over draws of $\delta \sim \mathcal N(0, \rho^2 I)$."""
    here = slope()
    total = 0.0 * here
    for _ in range(DRAWS):
        noise = Gradient(here.weights, tuple(torch.randn_like(part) for part in here.parts))
        with noise.ahead(radius):
            total = total + 1 / DRAWS * slope()
    return total


def with_norm_penalty(slope: Slope, radius: float) -> Gradient:
    r"""$\nabla (\mathcal L_f + \rho\, \lVert \nabla \mathcal L_f \rVert)$, by a difference of gradients."""
    here = slope()
    with here.unit().ahead(DISTANCE):
        there = slope()
    return here + radius / DISTANCE * (there - here)


SMOOTHINGS = {"sam": worst_nearby, "rs": mean_nearby, "gnr": with_norm_penalty}


@dataclass(frozen=True)
class NPOSAM(Method):
    r"""Step along $\nabla \mathcal L_f(\theta + \delta^*) + \alpha\, \nabla L(\mathcal D_r; \theta)$."""

    paper = "fan2025llmb"
    acts_on = "gradients"
    reference = "log-probabilities"
    retain = "optional"
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "steps": 500,
        "batch_size": 4,
        "source": "released code, WMDP with Zephyr-7B",
    }

    radius: float = hyperparameter(
        0.01, "ρ, how far the worst point may be; 0 gives NPO", source="released code for MUSE", minimum=0
    )
    beta: float = hyperparameter(0.1, "β of NPO", source="released code", above=0)
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    smoothing: str = hyperparameter(
        "sam", "how the forget loss is smoothed", source="paper", choices=("sam", "rs", "gnr")
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Look at the forget loss elsewhere, and step here."""

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            def slope() -> Gradient:
                (forget,) = model.token_logits(batch.forget)
                ratio = log_ratio(forget, batch.forget.reference)
                # NPO is DPO whose winning half is as likely as ever.
                return Gradient.of(dpo_loss(torch.zeros_like(ratio), ratio, self.beta), model)

            forgetting = SMOOTHINGS[self.smoothing](slope, self.radius)
            if not self.looks_at_retain:
                return forgetting
            retaining = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            return forgetting + self.retain_weight * retaining

        return run.minimize(step, model, data, reference=self.reference, retain=self.looks_at_retain)
