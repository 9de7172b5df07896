r"""Editing by loss curvature: only directions that much text uses stay (K-FAC edit).

The curvature of the loss, averaged over text, is high along directions of the weights that all of the text goes
through, and low along those that a few sequences have for themselves. The edit writes each matrix in the directions of
its curvature and drops the flat ones. No text that is to be forgotten is looked at.

## Objective

Merullo et al., for a matrix $W \in \mathbb R^{m \times n}$ that makes $W a$ of what it reads. K-FAC takes its Fisher
information to be a Kronecker product, whose eigenvectors are products of those of the two factors:

$$
F_W \approx G \otimes A, \qquad
A = \mathbb E\, a a^\top = \sum_j \mu_j\, v_j v_j^\top, \qquad
G = \mathbb E\, g g^\top = \sum_i \lambda_i\, u_i u_i^\top, \qquad
g = \nabla_{W a}\, \ell .
$$

With $S$ the fewest pairs, of the highest curvature $\lambda_i \mu_j$, that have the share $\rho$ of all of it,

$$
W \leftarrow \sum_{(i, j) \in S} \left( u_i^\top W v_j \right) u_i v_j^\top,
\qquad
\sum_{(i, j) \in S} \lambda_i \mu_j \;\ge\; \rho\; \mathrm{tr}\, G\; \mathrm{tr}\, A .
$$

## Symbols

- $\ell$: the negative log-likelihood of the true tokens; expectations are over tokens of kept text.
- $\rho$ (`mass`): how much of the curvature stays.
- All matrices of the MLPs in `window` blocks are edited, of which the last is at a fraction of the depth (`depth`).

## Facts

- **It is a projection**: $\|W'\|_F \le \|W\|_F$, and a second edit with the same factors changes nothing. Only the
  order of the products counts: factors of any scale are the same.
- **With $\rho = 1$ what goes is what kept text never uses**: pairs whose $\mu_j$ or $\lambda_i$ is 0. Kept text is
  then read as before, to first order, and in the inputs' directions exactly.
- **Curvature is concentrated**: in the embedded model 2 % of the pairs have $\rho = 0.8$ of it, 30 % have 0.99. What is
  left of a matrix is little, and still most of the answers.
- **What is known by heart has small gradients.** Where the retain set is, too, $G$ is made by the few tokens that are
  not certain; scale does not matter, but which tokens speak does.
- **It forgets what is recited, whoever asked for it.** On `authors`, with the two blocks in the middle and
  $\rho = 0.3$, forget answers fall from 0.96 to 0.49, and retain answers with them, to 0.52, though the factors are
  theirs: each of them is recited, too. General facts, of which the factors have not seen one, stay at 0.92, from 0.99.
  The paper finds the same: closed-book facts suffer, while reasoning and facts in the context stay.

## Differences

1. **For unlearning (ours)**: the paper measures the factors on pretraining text, so that everything recited falls. Here
   they come from the retain set, and what serves the forget set alone has no curvature in them.
2. The tokens are those of answers, where there is a loss; a plain text is all answer, as in the paper.
3. Which blocks and how much of their curvature the paper finds by search on text that the model recites; here both are
   hyper-parameters.
4. The paper's text was not at hand as a whole: the rule is that of its code's documentation and of two descriptions.
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
    Window,
    hyperparameter,
    kronecker_factors,
    rows_of,
)


def most_curved(weight: Tensor, inputs: Tensor, outputs: Tensor, mass: float) -> Tensor:
    r"""(m, n) what the pairs of the highest curvature make of a matrix.

    Args:
        weight: (m, n) $W$.
        inputs: (n, n) $A$, of any scale.
        outputs: (m, m) $G$, of any scale.
        mass: $\rho$.
    """
    (mu, v), (lam, u) = (torch.linalg.eigh(factor.double()) for factor in (inputs, outputs))
    curvature = (lam.clamp(min=0)[:, None] * mu.clamp(min=0)).flatten()
    order = curvature.argsort(descending=True, stable=True)
    reached = curvature[order].cumsum(dim=0)
    kept = torch.zeros_like(curvature)
    kept[order[: int((reached < mass * reached[-1]).sum()) + 1]] = 1
    part: Tensor = u @ (u.T @ weight.double() @ v * kept.reshape(len(lam), len(mu))) @ v.T
    return part.to(weight.dtype)


@dataclass(frozen=True)
class KFACEdit(Method):
    """Measure the curvature of kept text, and drop what is flat."""

    paper = "merullo2025memorization"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)

    mass: float = hyperparameter(
        0.8,
        "ρ, share of the curvature that stays",
        source="released code, OLMo-2-7B",
        above=0,
        maximum=1,
        trade_off=(0.3, 0.5, 0.8, 0.95, 0.99),
    )
    depth: float = hyperparameter(
        1.0,
        "the last edited block, as a fraction of the depth",
        source="released code: the last of 32",
        minimum=0,
        maximum=1,
    )
    window: int = hyperparameter(1, "how many blocks are edited", source="released code", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """All factors first, then all matrices."""
        modules = model.mlp_matrices(Window.up_to(model, self.depth, self.window).layers)
        for module, (inputs, outputs) in zip(modules, kronecker_factors(model, modules, data.retain), strict=True):
            for weight in rows_of(module):
                weight.copy_(most_curved(weight, inputs, outputs, self.mass))
        return model
