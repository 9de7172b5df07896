r"""Multi-objective large language model unlearning (MOLLM).

Three losses to be lowered, and no weights between them: one that makes answers unlikely and has a floor, one that holds
the model near what it said, one that keeps its answers. Each step goes where all three fall.

## Objective

Pan et al.: with the gradients $g_1, g_2, g_3$ of

$$
\mathcal L_{\mathrm{UCE}} = -\mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t \log\left(1 - \tfrac12 p_t\right),
\qquad
\mathcal L_{\mathrm{KL}} = \mathbb E_{\mathcal D_r} \mathrm{KL}(\pi_{\mathrm{ref}} \,\|\, \pi_\theta),
\qquad
\mathcal L_{\mathrm{rt}} = L(\mathcal D_r; \theta),
$$

the step is along the shortest vector between them (MGDA, Désidéri), which is found from their inner products alone:

$$
d = \sum_i \alpha_i g_i,
\qquad
\alpha = \operatorname*{arg\,min}_{\alpha \ge 0,\ \sum_i \alpha_i = 1} \; \alpha^\top G\, \alpha,
\qquad
G_{ij} = \langle g_i, g_j \rangle .
$$

## Symbols

- $p_t$: the probability of the true token at place $t$ of a forget answer.
- $L$: the mean negative log-likelihood of retain answers. $\pi_{\mathrm{ref}}$: the model before unlearning.

## Facts

- **All three fall**: $\langle g_i, d \rangle \ge \lVert d \rVert^2$ for every $i$, to first order and for plain
  descent. Where $d = 0$ no step is good for all (Pareto stationarity).
- **By hand**: of $(1, 0)$ and $(-\tfrac12, 1)$ it is $\alpha_1 = 0.538$ and $d = (0.308, 0.462)$, whose inner product
  with both is $0.308$.
- **The forget loss lies between 0 and $\log 2$.** By the true token's logit its slope is
  $\frac{p (1 - p)}{2 - p}$, where that of ascent is $1 - p$: it cannot explode as $p \to 0$, and is close to 0 as
  $p \to 1$ as well, which is where answers known by heart begin.
- **The model before unlearning is where $\mathcal L_{\mathrm{KL}}$ is least.** No step from there is good for all
  three, and near it the shortest vector is all but that gradient; see the differences.
- **There is no weight to choose**, and the rate says how far it goes: on `authors` forget answers fall to 0.51 at
  0.0001, with retain answers at 0.98, a little above where they were; at 0.0005 they fall to 0.01, and retain answers
  to 0.67. `munba`, which bargains with labels by lot, keeps 0.87 where forget answers are at 0.09.

## Differences

1. Gradients are brought to the length 1 first, and one of length 0 has no say: otherwise the first step would be none,
   and the next ones back. How the paper deals with that was not to be found; its code was not released.
2. The $\tfrac12$ is that of the first author's FedOSD, whose code has it, for the loss of the same name.
3. AdamW follows $d$; the angles hold for plain descent alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    mean_kl,
    mean_nll,
)


def unlearning_cross_entropy(out: TokenLogits) -> Tensor:
    r"""() $\mathcal L_{\mathrm{UCE}}$ of the answers."""
    return -out.mean(torch.log1p(-out.token_logprobs().exp() / 2))


def least_weights(products: np.ndarray) -> np.ndarray:
    r"""(n,) $\alpha$, from the (n, n) inner products of n vectors.

    The shortest vector is the shortest of those between some of them for which it lies inside; few enough to try all.
    """
    count = len(products)
    best, least = np.full(count, 1 / count), np.inf
    for size in range(1, count + 1):
        for chosen in combinations(range(count), size):
            rows = list(chosen)
            border = np.ones((size + 1, size + 1))
            border[:size, :size], border[size, size] = products[np.ix_(rows, rows)], 0
            inside = np.linalg.pinv(border, hermitian=True)[:size, size]  # least where the weights sum to 1
            if (inside < 0).any():
                continue
            weights = np.zeros(count)
            weights[rows] = inside
            if (length := weights @ products @ weights) < least:
                best, least = weights, length
    return best


def common_descent(gradients: Sequence[Gradient]) -> Gradient:
    r"""$d$ of gradients brought to the length 1; those of length 0 have no say."""
    units = [gradient.unit() for gradient in gradients]
    heard = [unit for unit in units if unit.norm() > 0.5]
    if not heard:
        return units[0]
    weights = least_weights(np.array([[one.dot(other) for other in heard] for one in heard]))
    total = 0.0 * heard[0]
    for weight, unit in zip(weights, heard, strict=True):
        total = total + float(weight) * unit
    return total


@dataclass(frozen=True)
class MOLLM(Method):
    r"""Step along $d$."""

    paper = "pan2024multi"
    acts_on = "gradients"
    reference = "model"
    retain = "needed"
    remembers = False

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Three gradients in each step, made into one."""

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            unlearning = Gradient.of(unlearning_cross_entropy(*model.token_logits(batch.forget)), model)
            (before,) = batch.before.token_logits(batch.retain)
            near = Gradient.of(mean_kl(before, *model.token_logits(batch.retain)), model)
            keeping = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            return common_descent([unlearning, near, keeping])

        return run.minimize(step, model, data, reference=self.reference)
