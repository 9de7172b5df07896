r"""Minor component unlearning (MCU).

States of texts to forget vary much along few directions and little along all others. A loss on states is lowered
soonest along the few, and there relearning takes it back soonest, too. So the loss is asked of what is left of the
states without them: it can be lowered along the minor components alone.

## Objective

Xiao et al. put a projection $P_l$ before a loss on representations, here that of `cir`. With $m_t$ what the MLP of
block $l$ writes at token $t$ of a text to forget, and $m_t^0$ what it wrote before unlearning,

$$
P_l = \prod_c (I - \hat v_c \hat v_c^\top), \qquad
\mathcal L_f = \operatorname*{mean}_{l,\, t}\;
\frac{\max\big(0,\, (P_l m_t)^\top P_l m_t^0\big)}{\overline{\lVert P_l m^0 \rVert}^{\,2}} ,
$$

and steps along $\theta \leftarrow \theta - \eta \big( \Delta / \lVert \Delta \rVert + \alpha \nabla \mathcal L_r
\big)$, where $\Delta$ is `cir`'s update for this loss.

## Symbols

- $\hat v_c$: the direction of the mean of all $m^0$ of block $l$, and their `components` $- 1$ principal directions;
  found once, from the forget set.
- $\overline{\lVert \cdot \rVert}$: the mean length in a batch.
- $\Delta$: $\sum_t g_t a_t^\top$ over tokens, of the gradient $g_t$ at a matrix's output and what it reads, $a_t$, both
  without what is common to them (`outputs`, `inputs` directions each).
- $\mathcal L_r$: how far the states of retain texts behind the last of these blocks have moved, relative to their
  length, weighted by $\alpha$ (`retain_weight`).
- $l$: blocks from `first` to `last` (fractions of the depth). What learns: the MLPs of all blocks up to the last.

## Facts

- With `components` $= 0$ it is `cir`. $P_l$ belongs to what states are, and stays; what `cir` takes out belongs to one
  step's update, and is found anew in each pass. With `inputs` $=$ `outputs` $= 0$ it is plain descent on the loss.
- **What an MLP writes along $\hat v_c$ is no part of the loss**: it may stay as it is, and at a token that writes
  nothing else there is nothing to break. All that is lowered is a small part of the states.
- The gradient at an output is $P_l^\top P_l m_t^0$ times a number: orthogonal to the last principal directions, and
  to the mean as far as that is orthogonal to them.
- $\mathcal L_f$ is 1 before the first step, or somewhat more where what is left differs in length.
- **On `authors` it holds out longer than `cir`**, at the rate 0.2 with $\alpha = 1.5$, six directions taken out of the
  update and the blocks of `cir`: forget answers go from 0.96 to 0.25 with no component left alone, to 0.20, 0.23 and
  0.20 with 2, 4 and 8, and retain answers to 0.44, 0.43, 0.47 and 0.44. A tenth of the forget set, relearned in 20
  steps, brings the rest back to 0.57, and to 0.49, 0.47 and 0.43. What is kept is little, for either.

## Differences

1. Written from the released code, which takes `rmu`'s loss in place of `cir`'s as well: then $P_l$ is applied to the
   states of one block before their distance from the random vector is taken. One of the two is here. The paper's
   equations were not available to compare.
2. What departs from the code in `cir` does so here: the retain gradient is of the same weights as the other, and the
   recipe's steps end it, not the loss on general text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Common,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    breaking_loss,
    broken_mlps,
    but_first,
    hyperparameter,
)


def minor_breaking_loss(now: Sequence[Tensor], before: Sequence[Tensor], dominant: Sequence[Common]) -> Tensor:
    r"""() $\mathcal L_f$ from (N, d) outputs of each block's MLP, and what is taken out of them."""
    blocks = zip(now, before, dominant, strict=True)
    return torch.stack([breaking_loss(out.out_of(one), out.out_of(was)) for one, was, out in blocks]).mean()


@torch.no_grad()
def dominant_components(model: LanguageModel, broken: range, pairs: Sequence[Pair], count: int) -> list[Common]:
    r"""For each broken block ``count`` directions $\hat v_c$ of what its MLP writes at all tokens but first ones."""
    written: list[list[Tensor]] = [[] for _ in broken]
    for batch in model.encoded(pairs):
        for values, of_block in zip(model.outputs(batch, model.mlp_outputs(broken)), written, strict=True):
            of_block.append(values[but_first(batch)].float())
    return [Common.of(torch.cat(values), count) for values in written]


@dataclass(frozen=True)
class MCU(Method):
    r"""Step along $\Delta$ of a loss on minor components."""

    paper = "xiao2026robust"
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
    components: int = hyperparameter(
        8, "how many directions of what MLPs write are left alone, the mean's among them", source="code", minimum=0
    )
    inputs: int = hyperparameter(
        24, "how many directions of what matrices read are taken out of the update", source="code", minimum=0
    )
    outputs: int = hyperparameter(36, "how many of the gradients at what they give", source="code", minimum=0)
    first: float = hyperparameter(
        0.2, "first block that is broken, as a fraction of the depth", source="code", minimum=0, maximum=1
    )
    last: float = hyperparameter(
        0.355, "last one", source="code, layers 6 to 11 of Llama-3.1-8B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find the dominant components once, then break the others."""
        broken = range(model.layer_at(self.first), model.layer_at(self.last) + 1)
        dominant = dominant_components(model, broken, data.forget, self.components)

        def breaking(now: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
            return minor_breaking_loss(now, before, dominant)

        return broken_mlps(model, data, run, broken, breaking, (self.inputs, self.outputs), self.retain_weight)
