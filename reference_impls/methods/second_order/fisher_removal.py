r"""Fisher removal.

Newton's answer to a deletion, in one step: go up the loss of what is to be forgotten, each weight by as much as the
curvature of what stays allows.

## Objective

Gu et al., with the empirical Fisher information in place of the Hessian $H_r$ of the retain loss:

$$
\theta = \theta_0 + \gamma\, F_r^{-1}\, \nabla \mathcal L_f(\theta_0),
\qquad
\mathcal L_f(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f}\, \ell(\theta),
\qquad
F_r = \mathbb E_{(x,y) \sim \mathcal D_r}\, \nabla \ell(\theta_0)\, \nabla \ell(\theta_0)^\top .
$$

## Symbols

- $\ell$: the mean negative log-likelihood of an answer's tokens.
- $F_r$: here its diagonal, $F_i + c \bar F$ with the mean $\bar F$ over all weights and $c$ (`damping`).
- $\gamma$ (`step`): how far to go.

## Facts

- **Where it comes from.** At a minimum of the loss on all data, $n_r \nabla \mathcal L_r = -n_f \nabla \mathcal L_f$.
  Newton's step on what stays is then $-H_r^{-1} \nabla \mathcal L_r = \frac{n_f}{n_r} H_r^{-1} \nabla \mathcal L_f$:
  no gradient of the retain set is needed, and $\gamma$ has the value $n_f / n_r$. An influence function has the
  Hessian of all data, and divides by their number.
- **Exact where the loss is a square**: of 0, 1 and 5 the mean is 2; without 5 the step leads to 0.5, which is the mean
  of the other two. With the curvature of all data it stops at 1.
- **What is known by heart has no Fisher information**: gradients of answers that are certain are 0, whatever the
  curvature. $F_r$ is then far below $H_r$, the step far too long, and $\gamma$ no longer $n_f / n_r$ but a number to
  be searched; its size goes with that of the gradients.
- With large $c$ it is one step of ascent; with small $c$, weights that no retain answer reaches take nearly all of it.
- **Nothing is checked on the way**, and the loss is no square: a step twice as long may be none of the same.

## Differences

1. The inverse of $F$ is that of its diagonal. The paper is said to apply one rank-one correction for each gradient, and
   to go through the forget set in batches with a step for each; here it is one step. Its own text could not be
   checked, only what others write of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    damped,
    diagonal_fisher,
    hyperparameter,
    nll_gradient,
)


def preconditioned(gradient: Gradient, fisher: Sequence[Tensor]) -> Gradient:
    r"""$F^{-1} g$ for a diagonal $F$ without zeros."""
    return replace(gradient, parts=tuple(part / over for part, over in zip(gradient.parts, fisher, strict=True)))


@dataclass(frozen=True)
class FisherRemoval(Method):
    """One step up the forget loss, in the metric of what stays."""

    paper = "gu2024second"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"

    step: float = hyperparameter(0.00002, "γ, length of the step", source="ours, for a small model", minimum=0)
    damping: float = hyperparameter(
        0.1,
        "c, least curvature of a weight, relative to the mean",
        source="ours",
        above=0,
        trade_off=(0.01, 0.1, 1.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """One gradient, one curvature, one step."""
        fisher = damped(diagonal_fisher(model, data.retain), self.damping)
        preconditioned(nll_gradient(model, data.forget), fisher).step(-self.step)
        return model
