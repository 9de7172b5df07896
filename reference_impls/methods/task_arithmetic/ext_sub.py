r"""Extraction before subtraction (Ext-Sub).

What a module learned from bad examples is not all bad: it has learned to speak, too. A second module that learned from
good examples tells which part that is. What both have in common stays; only the rest of the bad one is subtracted.

## Objective

Hu et al. take the updates of two modules on the same weights, the *expert* $W^+$ and the *anti-expert* $W^-$, row by
row. With $\mathrm{unit}(x) = x / \lVert x \rVert$,

$$
c_i = \mathrm{unit}\big( \mathrm{unit}(w_i^+) + \mathrm{unit}(w_i^-) \big), \qquad
e_i = \langle w_i^-, c_i \rangle\, c_i, \qquad
w_i = w_i^+ - \alpha\, \big( w_i^- - e_i \big),
$$

and the model's weight becomes $W_0 + W$.

## Symbols

- $W^\pm = \frac{s}{r} B^\pm A^\pm \in \mathbb R^{n \times m}$: what a module of rank $r$ (`rank`) with scaling $s$
  (`module_alpha`) adds to a weight: $W^+$ after training on the retain set, $W^-$ on the forget set; $w_i^\pm$ their
  rows.
- $c_i$: the direction between the two, in which they agree; $e_i$: the part of the bad row that lies in it.
- $w_i^- - e_i$: the *deficiency*, which is all that is subtracted; $\alpha$ (`scale`): how much of it.

## Facts

- **Modules that learned the same have no deficiency**: with $w^- = w^+$ the result is $w^+$, whatever $\alpha$.
- $\alpha = 0$ is the expert alone, a model that was fine-tuned on the retain set.
- **How long the expert's rows are plays no part in $e$**, and only their direction does.
- **At a right angle something is common all the same**, for $c$ is the bisector:
  $e = \frac12 ( w^- + \lVert w^- \rVert\, \mathrm{unit}(w^+) )$, and subtracting the deficiency adds to the expert.
- $\lVert e \rVert \ge \lVert w^- \rVert / \sqrt 2$ as long as the angle between the two is no more than a right one: at
  most half of the bad row's square is taken away, where `lora-negation` takes all of it.
- **An expert has to have something to learn.** On `authors` the model knows the retain set by heart, so that what the
  expert learns points anywhere, and what is common is little: there it trades forgetting for keeping as
  `lora-negation` does (0.50 and 0.80 of the forget and retain answers' probability with $\alpha = 4$, where negation
  has 0.54 and 0.84 with $\lambda = 2$, both at a learning rate of 0.002).
- Where a row is 0, or the two point in opposite directions, there is no direction between them: then nothing is
  common, and the whole bad row is subtracted.

## Differences

1. The paper makes a pretrained model truthful and harmless: its expert learns from good answers to the same questions.
   Here there are none, and the expert learns what must stay.
2. $\alpha$ is the task's recipe; the authors' code has 1.
3. The authors' code also has a form for (IA)³ modules, which subtracts something else; here LoRA alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from reference_impls.toolkit import LanguageModel, Method, Run, UnlearningData, adapted_layers, hyperparameter


def deficiency(expert: Tensor, anti: Tensor) -> Tensor:
    """(n, m) what the rows of the anti-expert's update do not have in common with the expert's.

    Args:
        expert: (n, m) the update of the module that learned what is good.
        anti: (n, m) that of the one which learned what is bad.
    """
    common = normalize(normalize(expert, dim=1) + normalize(anti, dim=1), dim=1)
    both = (expert.norm(dim=1, keepdim=True) > 0) & (anti.norm(dim=1, keepdim=True) > 0)
    shared: Tensor = both * (anti * common).sum(dim=1, keepdim=True) * common
    return anti - shared


@dataclass(frozen=True)
class ExtSub(Method):
    """Add what a module learned of the retain set, and subtract what only the forget set's has learned."""

    paper = "hu2023separate"
    acts_on = "weights"
    retain = "needed"
    trains = "adapters"

    scale: float = hyperparameter(
        1.0,
        "α, how much of the deficiency is subtracted",
        source="released code",
        minimum=0,
        trade_off=(0.5, 1.0, 2.0, 4.0),
    )
    rank: int = hyperparameter(8, "r, rank of the modules", source="customary", minimum=1)
    module_alpha: float = hyperparameter(16.0, "s, scaling of the modules", source="2r, customary", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Let two modules learn, each from where the model is; then put them together, row by row."""
        learned_badly: list[Tensor] = []

        def extract(adapted: torch.nn.Module) -> None:
            for layer in adapted_layers(adapted):
                learned_badly.append(layer.update)
                layer.settle()

        def subtract(adapted: torch.nn.Module) -> None:
            for layer, bad in zip(adapted_layers(adapted), learned_badly, strict=True):
                layer.settle(layer.update - self.scale * deficiency(layer.update, bad))

        run.finetune_lora(model, data.forget, self.rank, self.module_alpha, "anti-expert", extract)
        return run.finetune_lora(model, data.retain, self.rank, self.module_alpha, "expert", subtract)
