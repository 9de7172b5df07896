r"""Filtering the task vector in an orthogonal basis (Ethos).

A task vector holds more than what is to be forgotten: how an answer sounds, what the language is like. Written in the
singular directions of the weights it is added to, most of its entries are small and belong to all of that; the few
large ones are what the training was about. Those alone are subtracted.

## Objective

Gao et al., for every matrix that was adapted:

$$
W_0 = U \Sigma V^\top, \qquad S' = U^\top \Delta\, V, \qquad
\tilde S'_{ij} = S'_{ij}\; \mathbf 1\left[ |S'_{ij}| \ge \xi \max_{kl} |S'_{kl}| \right],
$$

$$
\tilde\Delta = U \tilde S' V^\top, \qquad W = W_0 - \lambda\, \tilde\Delta .
$$

## Symbols

- $W_0 \in \mathbb R^{n \times m}$: a weight before unlearning; $U \in \mathbb R^{n \times n}$ and
  $V \in \mathbb R^{m \times m}$ hold all of its singular directions, those without a singular value included.
- $\Delta$: what an adapter of rank $r$ (`rank`, scaling `alpha`) that was trained on the forget set adds to it.
- $S'$: the same in these directions; $\xi$ (`threshold`): below which part of the largest entry one does not count.
- $\lambda$ (`scale`): how far to walk back.

## Facts

- **$\xi = 0$ is `lora-negation`**, and with $\xi > 1$ nothing is left to subtract. $\lambda = 0$ changes nothing.
- $U$ and $V$ are orthogonal, so lengths are kept: $\lVert \tilde\Delta \rVert_F \le \lVert \Delta \rVert_F$, and the
  filtered vector is the nearest one with these entries alone.
- **The rank is no longer $r$**: dropping entries of $S'$ is no product of two thin factors.
- Singular directions are unique up to a sign that each pair shares. It turns signs in $S'$ and no sizes, so that the
  result does not depend on it; where singular values are equal, it may.
- Nothing but the size tells undesired from general: what an adapter changes much counts as undesired, whatever it is.
- On `authors` what is dropped at the published $\xi$ changes little: the module was trained on nothing but answers
  that the model knows, and forget and retain answers are of one form.
- Nothing is kept between matrices, and one decomposition of each is all that it costs beside `lora-negation`.

## Differences

1. Against toxicity and bias the paper first adds an adapter that was trained on good text, and decomposes the sum. For
   what was memorized it has none, and decomposes $W_0$: this is that form.
2. The authors' code compares with the largest entry with its sign, which may belong to a direction whose sign a library
   chose; here with the largest size.
3. The paper trains for ten epochs on what was memorized; how long is the task's recipe here, and so is $\lambda$, which
   the paper gives as 0.5 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import LanguageModel, Method, Run, UnlearningData, adapted_layers, hyperparameter


def filtered(weight: Tensor, update: Tensor, threshold: float) -> Tensor:
    r"""$\tilde\Delta$: the update without what is small in the weight's singular directions.

    Args:
        weight: (n, m) $W_0$.
        update: (n, m) $\Delta$.
        threshold: $\xi$.
    """
    left, _, right = torch.linalg.svd(weight.float(), full_matrices=True)
    entries = left.T @ update @ right.T
    kept = entries * (entries.abs() >= threshold * entries.abs().max())
    found: Tensor = left @ kept @ right
    return found


@dataclass(frozen=True)
class Ethos(Method):
    """Subtract what a module learned of the forget set, as far as it is large in the weights' own directions."""

    paper = "gao2024ethos"
    acts_on = "weights"
    retain = "unused"
    trains = "adapters"

    scale: float = hyperparameter(
        1.0, "λ, how far to walk back", source="paper, at most", minimum=0, trade_off=(0.5, 1.0, 2.0, 4.0)
    )
    threshold: float = hyperparameter(
        0.03, "ξ, below which part of the largest entry one does not count", source="released code", minimum=0
    )
    rank: int = hyperparameter(8, "r, rank of the module", source="customary", minimum=1)
    alpha: float = hyperparameter(8.0, "α, scaling of the module", source="released code: r", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Learn the forget set with a module, filter what it adds, and take that away instead."""

        def rectify(adapted: torch.nn.Module) -> None:
            for layer in adapted_layers(adapted):
                layer.settle(-self.scale * filtered(layer.weight, layer.update, self.threshold))

        return run.finetune_lora(model, data.forget, self.rank, self.alpha, before_merge=rectify)
