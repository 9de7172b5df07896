r"""Gauss-Newton unlearning: uphill steps that kept answers do not feel (K-FADE).

A few steps up the forget loss, each the longest that leaves what the model says of the retain set within a given
distance. That distance is measured by the curvature of kept answers, of which K-FAC has a small matrix for each side of
every matrix of the model: a limit on outputs becomes one on weights.

## Objective

McKinney et al., at the weights $\theta$ of each of $k$ steps:

$$
\max_\Delta\; \langle \nabla \mathcal L_f(\theta), \Delta \rangle
\quad \text{with} \quad
\tfrac12\, \Delta^\top (F_r + c I)\, \Delta \le \epsilon,
\qquad
\Delta = \sqrt{\frac{2 \epsilon}{g^\top (F_r + c I)^{-1} g}}\; (F_r + c I)^{-1} g,
\quad g = \nabla \mathcal L_f(\theta),
$$

with the Gauss-Newton matrix of the retain loss, matrix by matrix a Kronecker product,

$$
F_r = \mathbb E\, J^\top \left( \mathrm{diag}(p) - p p^\top \right) J \;\approx\; G \otimes A,
\qquad A = \mathbb E\, a a^\top, \quad G = \mathbb E\, s s^\top .
$$

## Symbols

- $\mathcal L_f$: the mean negative log-likelihood of forget answers, which is climbed.
- $p$, $J$: the model's distribution at a token of a retain answer, and the derivative of its logits.
- $a$, $s$: what a matrix reads at such a token, and the gradient of $-\log p(\hat y)$ by what it gives, where all
  $\hat y$ are drawn from $p$; that makes the mean of $s s^\top$ the Gauss-Newton matrix's.
- $\tfrac12 \Delta^\top F_r \Delta$: to second order, how far the distributions at retain tokens go from what they were
  (a KL divergence, in nats per token). $\epsilon$ (`budget`) bounds it in each of the $k$ (`rounds`) steps.
- $c$: `damping`, relative to the mean curvature of each matrix.

## Facts

- **The limit is on what is said, not on how far weights go.** Along directions that no retain answer uses a step may be
  long, and $c$ alone bounds it. Scaling the forget loss changes nothing: the length is $\epsilon$'s.
- **Against `fisher-removal`**: the same step, with curvature that knows which weights act together, in place of a
  diagonal; several times, as weights move; and from labels that are drawn, where squares of the true answers' gradients
  are small beside the curvature of what is known by heart.
- $c \to \infty$ is ascent, $c \to 0$ leaves the eigenvectors of the smallest curvature alone.
- **A product of means is no mean of products.** K-FAC takes what is read and what is asked of it to be independent, and
  matrices to have nothing to do with each other; both bend the ruler that $\epsilon$ is measured by.
  Where answers are known by heart the true distance is far above: of $\epsilon = 10^{-3}$, four times, nothing is left.
- **Short steps, many of them**: on `authors` four with $\epsilon = 10^{-4}$ leave forget answers a probability of 0.14
  and retain answers 0.69; twelve with $10^{-5}$ leave 0.13 and 0.72. Eight with $10^{-6}$, $3 \cdot 10^{-6}$ and
  $10^{-5}$ come to 0.59 and 0.95, 0.38 and 0.92, 0.22 and 0.84; the one step of `fisher-removal` to 0.56 and 0.89.

## Differences

1. The paper's whole text was not at hand: that few uphill Gauss-Newton steps are made, with K-FAC or its eigenvalue-
   corrected form, and that a limit on retain outputs becomes one on weights, are its abstract's words. How it chooses
   a step's length and $c$ is not in them; here the limit itself gives the length.
2. The matrices of all MLPs are those that move, as in the influence functions of the same group (Grosse et al.);
   the rest of the weights stays.
3. No eigenvalue is corrected.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    by_output,
    drawn_labels,
    hyperparameter,
    kronecker_factors,
    nll_gradient,
    rows_of,
    solved,
    trained_weights,
)


def longest(gradients: list[Tensor], directions: list[Tensor], budget: float) -> float:
    r"""What a direction $(F + c I)^{-1} g$ has to be multiplied by to use the budget up; 0 where there is no gradient.

    Args:
        gradients: $g$, matrix by matrix.
        directions: $(F + c I)^{-1} g$.
        budget: $\epsilon$.
    """
    square = sum(float((one * other).double().sum()) for one, other in zip(gradients, directions, strict=True))
    return math.sqrt(2 * budget / square) if square > 0 else 0.0


@dataclass(frozen=True)
class KFADE(Method):
    """Measure the curvature of kept answers, climb as far as it allows, and again."""

    paper = "mckinney2026gauss"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)

    budget: float = hyperparameter(
        0.00001,
        "ε, how far retain distributions may go in a step, in nats per token",
        source="ours",
        minimum=0,
    )
    damping: float = hyperparameter(
        0.1,
        "c, least curvature, relative to each matrix's mean",
        source="ours",
        above=0,
        trade_off=(0.01, 0.1, 1.0),
    )
    rounds: int = hyperparameter(8, "k, how many steps", source="ours; paper: a few", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Curvature and gradient anew for every step."""
        modules = model.mlp_matrices(range(model.layers))
        for done in range(self.rounds):
            gradient = nll_gradient(model, data.forget)
            by_weight = {id(weight): part for weight, part in zip(trained_weights(model), gradient.parts, strict=True)}
            slopes = [by_output(module, by_weight[id(module.weight)]) for module in modules]
            steps = []
            factors = kronecker_factors(model, modules, data.retain, drawn_labels)
            for slope, (inputs, outputs) in zip(slopes, factors, strict=True):
                mean = float(inputs.trace() * outputs.trace()) / slope.numel()
                steps.append(solved(slope, inputs, outputs, self.damping * mean))
            length = longest(slopes, steps, self.budget)
            with torch.no_grad():
                for module, step in zip(modules, steps, strict=True):
                    (weight,) = rows_of(module)
                    weight += length * step
            run.progress("unlearning", done + 1, self.rounds)
        return model
