r"""Fisher forgetting.

Noise in the weights, and nothing else: much where what stays does not feel it, little where it does. What is not held
in place by the data that stay is washed out, the forget set's traces among it; that set is not even looked at.

## Objective

Gu et al. for language models, after Golatkar et al. for image classifiers:

$$
\theta = \theta_0 + (\mu \sigma^2)^{1/4}\, F_r^{-1/4}\, \epsilon,
\quad \epsilon \sim \mathcal N(0, I),
\quad F_r = \mathbb E_{(x,y) \sim \mathcal D_r}\, \nabla \ell(\theta_0)\, \nabla \ell(\theta_0)^\top .
$$

## Symbols

- $F_r$: the empirical Fisher information of the retain set, in place of its Hessian; here the diagonal,
  $F_i + c \bar F$ with the mean $\bar F$ over all weights and $c$ (`damping`).
- $\ell$: the mean negative log-likelihood of an answer's tokens.
- $\mu$ weighs forgetting against keeping, $\sigma^2$ is how far apart two trainings on the same data end. Only the
  product counts; its fourth root is `noise`.

## Facts

- **The standard deviation of weight $i$ is $(\mu \sigma^2)^{1/4} F_i^{-1/4}$.** Its mean stays where it was; `noise` 0
  changes nothing. At $\mu \sigma^2 = 10^{-8}$ weights with $F_i = 10^{-4}$ and $1$ move by $0.1$ and $0.01$.
- **Where it comes from**: among Gaussian noises it is the one that makes a second-order loss of the retain set, plus a
  price on what is left of the forget set, smallest. The price of weight $i$'s noise is its square times $F_i$, so
  with the fourth root what is paid grows as $\sqrt{F_i}$: the retain set's most important weights cost most all the
  same.
- **The forget set has no say.** What both sets need is spared, and what neither needs is wrecked; two sets of the same
  kind are told apart only by the gradients of single answers.
- With damping no standard deviation is above $(\mu \sigma^2 / (c \bar F))^{1/4}$; without, a token's
  embedding that no retain answer uses would get noise without bound. Larger $c$ makes the noise of all weights alike.
- Noise adds up: twice is not once with the same number, but with $\sqrt 2$ of it.

## Differences

1. The inverse of $F$ is that of its diagonal. Gu et al. are said to apply one rank-one correction for each gradient;
   their own text could not be checked, only what others write of it.
2. The noise is drawn once, for the whole forget set.
3. Golatkar et al. forget a class of images and treat the output's row of that class apart. There is none here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    damped,
    diagonal_fisher,
    hyperparameter,
    trained_weights,
)


@torch.no_grad()
def perturb(weights: Sequence[Tensor], fisher: Sequence[Tensor], noise: float) -> None:
    r"""Add noise, in place, whose standard deviation is $(\mu \sigma^2)^{1/4} F_i^{-1/4}$.

    Args:
        weights: $\theta_0$, tensor by tensor.
        fisher: $F_i > 0$ of each weight.
        noise: $(\mu \sigma^2)^{1/4}$.
    """
    for weight, importance in zip(weights, fisher, strict=True):
        weight += noise * importance**-0.25 * torch.randn_like(weight)


@dataclass(frozen=True)
class FisherForgetting(Method):
    """Perturb the weights by what the retain set allows."""

    paper = "gu2024second"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"

    noise: float = hyperparameter(
        0.001, "(μσ²)^¼, how much noise there is", source="ours, for a small model", minimum=0
    )
    damping: float = hyperparameter(
        0.1,
        "c, least importance of a weight, relative to the mean",
        source="ours",
        above=0,
        trade_off=(0.01, 0.1, 1.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """One importance, one draw."""
        fisher = diagonal_fisher(model, data.retain)
        perturb(trained_weights(model), damped(fisher, self.damping), self.noise)
        return model
