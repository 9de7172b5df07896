r"""LLM unlearning via neural activation redirection (LUNAR).

A model has a way to be asked about what it does not know. Find the direction in which the states of such questions
differ from those of the questions to forget, and refit one matrix, the output projection of one MLP, so that it moves
the latter along it and leaves all others where they are.

## Objective

Shen et al.: with $a \in \mathbb R^{k}$ what the projection $W_0$ of block $\ell$ reads at a token of a prompt,

$$
r = \mathbb E_{x \sim \mathcal D_{\mathrm{ref}}}\, h(x) - \mathbb E_{x \sim \mathcal D_f}\, h(x),
\qquad
\min_W \sum_{a \in \mathcal D_f} \left\| W a - (W_0 a + c\, r) \right\|^2
+ \alpha \sum_{a \in \mathcal D_r} \left\| W a - W_0 a \right\|^2 .
$$

## Symbols

- $h(x) \in \mathbb R^d$: the residual stream after block $\ell$ at the last token of a prompt.
- $\mathcal D_{\mathrm{ref}}$: prompts that the model cannot answer: questions on subjects that do not exist.
- $c$ (`coefficient`): how many times the difference $r$ is added.
- $\alpha$ (`retain_weight`): weight of prompts to keep, beside there being more of them.
- $\ell$: a fraction of the depth (`depth`).

## Facts

- **It is linear least squares, so nothing is trained**, and the edit has rank one:
  $W = W_0 + c\, r\, s^\top (A_f + \alpha A_r)^{-1}$ with $s = \sum_{\mathcal D_f} a$ and
  $A = \sum a a^\top$. It does not depend on $W_0$.
- Where what the projection reads of forget prompts is orthogonal to what it reads of the others, both terms become 0;
  where the two share everything, the fit is a compromise that $\alpha$ decides.
- **Questions that differ in a name alone are hard to tell apart**: up to the name the projection reads the same of all,
  and what the fit adds there is added for every question. Then the shift costs the rest more than it would otherwise.
- **One matrix moves**, and $c = 0$ moves nothing: everything below the block is as before, and who exchanges the one
  matrix has undone it.
- Only prompts are looked at. What follows a forget prompt is changed through attention to it, and by as much of the
  edit as the answer's own tokens pick up.

## Differences

1. The paper also takes prompts that the model refuses for $\mathcal D_{\mathrm{ref}}$. A model without refusals has
   none, so here they are the retain set's questions on invented names. Where pairs name no subject, they are its
   questions as they are.
2. The released code approaches the solution by 20 epochs of AdamW from $W_0$; the paper says that there is a closed
   form, which is taken here, with a thousandth of its mean diagonal added to the matrix that is inverted.
3. The paper tries every layer, generates, and takes the one whose answers are most like a refusal; here it is given.
   It can edit several layers, here one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    IGNORE,
    LanguageModel,
    Memory,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    memories,
    new_pairs,
    with_ridge,
)


def redirection(forget: Tensor, retain: Tensor, shift: Tensor, retain_weight: float) -> Tensor:
    r"""(d, k) $W - W_0$.

    Args:
        forget: (N, k) what the projection reads of forget prompts.
        retain: (M, k) what it reads of retain prompts.
        shift: (d,) $c\, r$.
        retain_weight: $\alpha$.
    """
    read, kept = forget.double(), retain.double()
    moment = with_ridge(read.T @ read + retain_weight * kept.T @ kept)
    return torch.outer(shift.double(), torch.linalg.solve(moment, read.sum(dim=0)))


@dataclass(frozen=True)
class LUNAR(Method):
    r"""Find $r$, and refit one projection."""

    paper = "shen2025lunar"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)

    coefficient: float = hyperparameter(
        2.0, "c, how many times the difference is added", source="released configuration for Llama-3-8B", above=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of prompts to keep",
        source="paper, where all prompts count alike",
        minimum=0,
        trade_off=(0.1, 0.3, 1.0, 3.0, 10.0),
    )
    depth: float = hyperparameter(
        0.71, "block ℓ as a fraction of the depth", source="layer 22 of Llama-3-8B's 32", minimum=0, maximum=1
    )

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Read the states of three kinds of prompts, then change one matrix."""
        asked = data.prompted()
        layer = model.layer_at(self.depth)
        (memory,) = memories(model, [layer])
        unknown = new_pairs(asked.retain, len(asked.forget), run.rng)
        direction = last_state(model, layer, unknown) - last_state(model, layer, asked.forget)
        forget, retain = (prompt_keys(model, memory, pairs) for pairs in (asked.forget, asked.retain))
        change = redirection(forget, retain, self.coefficient * direction, self.retain_weight)
        memory.weight.add_(change.to(memory.weight.dtype))
        return model


def last_state(model: LanguageModel, layer: int, pairs: Sequence[Pair]) -> Tensor:
    """(d,) The residual stream after a block at the last token of the prompt, mean over pairs."""
    last_states = []
    for batch in model.encoded(pairs):
        (states,) = model.outputs(batch, [model.blocks[layer]])
        last_states.append(batch.at_prompt_ends(states).float())
    return torch.cat(last_states).mean(dim=0)


def prompt_keys(model: LanguageModel, memory: Memory, pairs: Sequence[Pair]) -> Tensor:
    """(N, k) What a projection reads at every token of the pairs' prompts."""
    keys = []
    for batch in model.encoded(pairs):
        places = batch.attention_mask.bool() & (batch.labels == IGNORE)
        keys.append(memory.keys(model, batch)[places].float())
    return torch.cat(keys)
