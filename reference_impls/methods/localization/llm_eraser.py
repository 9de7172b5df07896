r"""Unlearning through selective pruning (LLM-Eraser).

Cut, then heal. Neurons that general text can spare and the forget set cannot are removed; what is left is trained on
what is to stay, with a little ascent on the rest. (Not LLMEraser, which adapts adapters by influence functions.)

## Objective

Zhang et al., in the form of their released code. For a neuron $n$ of an MLP, whose weights are a row of each input
matrix and a column of the output matrix,

$$
s_n = I_{\mathcal D_r}(n) - \kappa\, I_{\mathcal D_f}(n),
\qquad
I_{\mathcal D}(n) = \sum_{w \in n} \left| w\, \frac{\partial L(\mathcal D; \theta)}{\partial w} \right| ,
$$

and in each block the share $q$ of neurons with the lowest $s_n$ is removed. Then the others are trained:

$$
\min_\theta \; L(\mathcal D_r; \theta) - \eta\, L(\mathcal D_f; \theta).
$$

## Symbols

- $I$: what the loss of a set would change by, to first order and weight by weight, if the neuron were not there.
- $L$: the mean negative log-likelihood of a set's answers.
- $\kappa$ (`forget_importance`), $q$ (`share`), $\eta$ (`forget_weight`).
- Blocks are those from a fraction of the depth (`shallow`) to another (`deep`).

## Facts

- **With $\kappa = 0$ it is ordinary pruning**: what general text needs least goes, whatever the forget set says. With
  $\kappa \to \infty$ nothing but the forget set is asked.
- **$I$ goes with the loss.** What is known for certain has small gradients and hence little importance, on both sides;
  $\kappa$ weighs two numbers of different sets, and 1 is not where they are even.
- Both signs of a gradient count alike: a neuron may be important because it is in the way.
- **What is cut stays cut**: the weights of a removed neuron are 0 and are held there while the others are trained. What
  was read from it has to be made by others, if the training asks for it; and $\eta$ is all that asks for the opposite.
- **On `authors`** the cut alone takes both: from 0.96 and 0.98, a tenth of the neurons leaves forget answers at 0.92
  and retain answers at 0.93; with $\kappa = 1$ and three tenths, 0.56 and 0.60. Healing gives what is kept more back:
  0.82 and 0.98, and 0.75 and 0.96. Against a cut with $\kappa = 0$, 0.85 and 0.98, and none at all, 0.87 and 0.98, that
  is little; answers at random, as in the paper, come of $\eta$. With $\eta = 0.1$ the tenth leaves 0.23 and 0.97, and
  no cut 0.18 and 0.97, which is `grad-diff`. Facts about single people have no neurons to themselves.

## Differences

1. The paper speaks of trainable soft masks beside the scores; the released code has none, and is followed.
2. The code also removes attention heads by the same score. Here neurons of MLPs alone.
3. Removed neurons are set to 0, not cut out of their matrices: the model computes the same, and is no smaller.
4. The code heals with low-rank adapters (of rank 8), which know nothing of what was removed, since it is not there.
   Here all other weights train.
5. $I_{\mathcal D_r}$ is taken on ten pieces of books in the code, and $I_{\mathcal D_f}$ on ten of the forget set; here
   on all pairs of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    by_output,
    holding,
    hyperparameter,
    mean_nll,
    most_salient,
    neuron_masks,
    nll_gradient,
)


def of_neurons(matrices: Sequence[nn.Module], values: Sequence[Tensor]) -> Tensor:
    """(neurons,) sums, over the weights of each neuron, of a value of each weight.

    Args:
        matrices: all that an MLP multiplies with, its output last.
        values: one tensor for each, in the layout of its weight.
    """
    *inputs, output = (by_output(module, one) for module, one in zip(matrices, values, strict=True))
    total = output.sum(dim=0)
    for one in inputs:  # gates and inputs may stand in one matrix, one above the other
        total = total + one.sum(dim=1).reshape(-1, len(total)).sum(dim=0)
    return total


def importances(model: LanguageModel, layers: Sequence[Sequence[nn.Module]], pairs: Sequence[Pair]) -> list[Tensor]:
    """(neurons,) of each MLP, $I$ on the pairs."""
    gradient = nll_gradient(model, pairs)
    taylor = {
        id(weight): (weight.detach() * part).abs()
        for weight, part in zip(gradient.weights, gradient.parts, strict=True)
    }
    return [of_neurons(matrices, [taylor[id(module.weight)] for module in matrices]) for matrices in layers]


@dataclass(frozen=True)
class LLMEraser(Method):
    """Score, remove, heal."""

    paper = "zhang2025llm"
    acts_on = "weights"
    retain = "needed"
    parts = ("memories",)
    weighs_weights = True
    remembers = False
    published = {
        "learning_rate": 1e-4,
        "epochs": 2,
        "source": "released code, Llama-2-7B; the healing, by low-rank adapters",
    }

    share: float = hyperparameter(
        0.1,
        "q, share of each block's neurons that is removed",
        source="released code, Llama-2-7B",
        minimum=0,
        below=1,
        trade_off=(0.05, 0.1, 0.2, 0.3, 0.5),
    )
    forget_importance: float = hyperparameter(
        0.2, "κ, weight of a neuron's importance for the forget set", source="released code", minimum=0
    )
    forget_weight: float = hyperparameter(0.01, "η, weight of the ascent", source="released code", minimum=0)
    shallow: float = hyperparameter(
        0.13,
        "the first pruned block, as a fraction of the depth",
        source="block 4 of Llama-2-7B's 32",
        minimum=0,
        maximum=1,
    )
    deep: float = hyperparameter(
        0.94,
        "the last pruned block, as a fraction of the depth",
        source="block 29 of Llama-2-7B's 32",
        minimum=0,
        maximum=1,
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients, a cut in each block, and a training that leaves it open."""
        layers = range(model.layer_at(self.shallow), model.layer_at(self.deep) + 1)
        matrices = [model.mlp_matrices([layer]) for layer in layers]
        needed, sought = (importances(model, matrices, pairs) for pairs in (data.retain, data.forget))

        def removed(layer: int, size: int) -> Tensor:
            place = layer - layers[0]
            (lowest,) = most_salient([self.forget_importance * sought[place] - needed[place]], self.share)
            return lowest & (self.share > 0)

        weights, masks = list(model.model.parameters()), neuron_masks(model, layers, removed)
        with torch.no_grad():
            for weight, mask in zip(weights, masks, strict=True):
                weight[mask] = 0
        return run.minimize(self.loss, model, data, after_step=holding(weights, [~mask for mask in masks]))

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of healing, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return mean_nll(retain) - self.forget_weight * mean_nll(forget)
