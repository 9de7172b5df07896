r"""Collapse of irrelevant representations (CIR).

The update of a matrix is made of what it reads and of what is asked of its output, token by token. Much of both is the
same in all texts, and an update along it disturbs everything. So before the update is made, what is common is taken out
of either side: the mean, and the directions of largest variance.

## Objective

Sondej and Yang: for a matrix that reads $a_t$ and has the gradient $g_t$ of $\mathcal L_f$ at its output, at tokens $t$
of texts to forget,

$$
\Delta = \sum_t \Big( \prod_c (I - \hat g_c \hat g_c^\top)\, g_t \Big)
\Big( \prod_c (I - \hat a_c \hat a_c^\top)\, a_t \Big)^{\!\top} ,
\qquad
\theta \leftarrow \theta - \eta \Big( \frac{\Delta}{\lVert \Delta \rVert} + \alpha\, \nabla \mathcal L_r \Big) ,
$$

$$
\mathcal L_f = \operatorname*{mean}_{l,\, t}\; \frac{\max(0,\, m_t^\top m_t^0)}{\overline{\lVert m^0 \rVert}^{\,2}} ,
\qquad
\mathcal L_r = \operatorname*{mean}_t\; \frac{\lVert h_t - h_t^0 \rVert}{\overline{\lVert h^0 \rVert}} .
$$

## Symbols

- $\hat a_c$: the direction of the mean of all $a_t$, and their `inputs` $- 1$ principal directions; $\hat g_c$: the
  same of the $g_t$, with `outputs` in all. They are found anew after each pass over the forget set, from that pass; a
  first one is made for it before the first step.
- $m_t$: what the MLP of a block $l$ writes, in blocks from `first` to `last` (fractions of the depth); $m^0$: what it
  wrote before unlearning.
- $h$: the residual stream behind the last of these blocks, at retain texts; $h^0$: the same before unlearning.
- $\overline{\lVert \cdot \rVert}$: the mean length in a batch.
- $\eta$: the recipe's learning rate; $\lVert \Delta \rVert$ is over all matrices together. $\alpha$ (`retain_weight`).
- What learns: all matrices of the MLPs of the first to the `last` block.

## Facts

- **With nothing taken out $\Delta$ is the gradient of $\mathcal L_f$**, but for the first tokens' terms. It is a sum of
  one term for each token, and only that makes the projection possible: of the sum alone the two sides cannot be told.
- $\mathcal L_f$ is 1 before the first step, or somewhat more where outputs differ in length, and has its least value,
  0, where they are orthogonal to what they were: it breaks what MLPs write, and asks for nothing in its place. A token
  that is at 0 has no gradient.
- Every step of unlearning is $\eta$ long, whatever is left of the gradient; so what is taken out is not lost to the
  length, and with nearly all taken out noise is what is followed.
- The directions are those of texts to forget. What these share with all others has a large variance in them as well,
  which is why no other texts are needed to find it.
- **On `authors` it shows no gain**, where texts to keep are of the same kind as those to forget. At the rate 0.05 and
  $\alpha = 1$ forget answers go from 0.96 to 0.92 and retain answers from 0.97 to 0.95 with six directions of each
  taken out, to 0.79 and 0.88 with none: as much harm for what is forgotten. At 0.12 six leave 0.45 and 0.60. With the
  released 24 and 36, of 128 that the states have there, next to nothing moves at 0.05.
- $\mathcal L_r$ is a distance, not its square: its gradient does not fade near 0, and large $\alpha$ (5 at the rate
  0.1) hold everything in place.
- The mean is not orthogonal to the principal directions: projections are made one after another, the mean first.

## Differences

1. The released code takes the retain step after the other; here both gradients are of the same weights.
2. It ends where the loss on general text has risen by a thousandth, of which a task here has none: the recipe's steps
   are what ends it.
3. It leaves out the first token of texts to forget, and so does this; in some versions the last as well.
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
    breaking_loss,
    broken_mlps,
    hyperparameter,
)


def mean_breaking_loss(now: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    r"""() $\mathcal L_f$ from (N, d) outputs of each block's MLP."""
    return torch.stack([breaking_loss(*pair) for pair in zip(now, before, strict=True)]).mean()


@dataclass(frozen=True)
class CIR(Method):
    r"""Step along $\Delta$."""

    paper = "sondej2025collapse"
    acts_on = "gradients"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("memories",)

    retain_weight: float = hyperparameter(
        0.0015,
        "α, how much of the retain gradient is added",
        source="released code, where the two rates are 0.0003 and 0.2",
        minimum=0,
        trade_off=(0.0015, 0.015, 0.15, 1.5),
    )
    inputs: int = hyperparameter(
        24, "how many directions of what matrices read are taken out", source="released code", minimum=0
    )
    outputs: int = hyperparameter(36, "how many of the gradients at what they give", source="released code", minimum=0)
    first: float = hyperparameter(
        0.4, "first block that is broken, as a fraction of the depth", source="released code", minimum=0, maximum=1
    )
    last: float = hyperparameter(0.73, "last one", source="released code", minimum=0, maximum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Look at the forget set once, then step and look again after each pass over it."""
        broken = range(model.layer_at(self.first), model.layer_at(self.last) + 1)
        common = self.inputs, self.outputs
        return broken_mlps(model, data, run, broken, mean_breaking_loss, common, self.retain_weight)
