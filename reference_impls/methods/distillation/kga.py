r"""Knowledge gap alignment (KGA).

What was forgotten should be treated like what was never seen. How differently two models treat data, of which one has
seen it and the other has not, is a gap that can be measured; so make the gap on the forget data as large as
the gap on new data is for the original model.

## Objective

Wang et al., with $\mathrm{KL}_{\mathcal D}(A \,\|\, B)$ the mean divergence of the next-token distributions
at the answers of $\mathcal D$:

$$
\mathcal L_a = \left| \mathrm{KL}_{\mathcal D_f}(A_f \,\|\, A^*) - \mathrm{KL}_{\mathcal D_n}(A_n \,\|\, A_D) \right|,
\qquad
\mathcal L_r = \mathrm{KL}_{\mathcal D_r}(A_D \,\|\, A^*),
\qquad
\mathcal L = \mathcal L_a + \alpha\, \mathcal L_r .
$$

## Symbols

- $A_D$: the model before unlearning; $A^*$: the one that is trained, which starts as $A_D$.
- $\mathcal D_f$, $\mathcal D_r$: forget and retain set; $\mathcal D_n$: new data of the same distribution, unseen by
  $A_D$.
- $A_f$, $A_n$: auxiliary models, trained on $\mathcal D_f$ and on $\mathcal D_n$ alone.
- $g = \mathrm{KL}_{\mathcal D_n}(A_n \,\|\, A_D)$: the gap on new data, a constant.
- $\alpha$ (`retain_weight`): weight of the retain term.

## Facts

- **Bounded below by 0**, and its goal is a distance, not a direction: $A^*$ must be as far from $A_f$ on the forget set
  as $A_D$ is from $A_n$ on new data, whichever way it goes.
- **A push that turns round**: $\nabla \mathcal L_a = \mathrm{sign}(\mathrm{KL}_{\mathcal D_f} - g)\,
  \nabla \mathrm{KL}_{\mathcal D_f}(A_f \,\|\, A^*)$. At first the gap is small, and the step widens it; past $g$
  it closes it again. At the goal it swings to and fro with the length of a step.
- $\mathcal L_r$ has value and gradient 0 at the start.
- **The auxiliary models set the goal.** How well they learned their few data decides how large $g$ is.
- On `authors` the gap closes in part: the forget answers end between those of the target and the retrained model's, and
  what is to be kept stays.

## Differences

1. New data has to come from somewhere, and a method is given only what to forget and what to keep. Here the retain set
   is told of subjects that do not exist, whose names are put together from two known ones, and texts are put together
   from sentences of several. Where pairs have no subjects, prompts and answers of the retain set are paired at random.
2. The paper trains $A_f$ and $A_n$ from the start of its original model. Here both are copies of $A_D$, trained
   further: $A_f$ knows the forget set as $A_D$ does, $A_n$ the new data as well.
3. The number of steps is the recipe's; the paper stops once $\mathcal L_a$ is below a share of its first value. It
   takes several retain batches per alignment step, here one.
4. The released code sums the divergence over places, padding included, and divides by the batch; here it is a mean over
   an answer's tokens, then over answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    mean_kl,
    new_pairs,
)


def kga_loss(forget_gap: Tensor, new_gap: float, retain_divergence: Tensor, retain_weight: float) -> Tensor:
    r"""() $\mathcal L_a + \alpha \mathcal L_r$.

    Args:
        forget_gap: () $\mathrm{KL}_{\mathcal D_f}(A_f \,\|\, A^*)$.
        new_gap: $g$.
        retain_divergence: () $\mathcal L_r$.
        retain_weight: $\alpha$.
    """
    return (forget_gap - new_gap).abs() + retain_weight * retain_divergence


@dataclass(frozen=True)
class KGA(Method):
    r"""Align two gaps and hold the model on the retain set."""

    paper = "wang2023kga"
    acts_on = "loss"
    reference = "model"
    retain = "needed"
    copies = 2
    remembers = False

    retain_weight: float = hyperparameter(
        0.1, "α, weight of the retain divergence", source="released code", minimum=0, trade_off=(0.1, 0.3, 1.0, 3.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train the auxiliary models, measure the gap on new data, then match it on the forget set."""
        new = new_pairs(data.retain, len(data.forget), run.rng)
        knows_forget = run.finetune(model.copy(), data.forget, stage="auxiliary model of the forget set")
        knows_new = run.finetune(model.copy(), new, stage="auxiliary model of new data")
        new_gap = gap(knows_new, model, new)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad():
                (informed,) = knows_forget.token_logits(batch.forget)
            (before,) = batch.before.token_logits(batch.retain)
            forget, retain = model.token_logits(batch.forget, batch.retain)
            return kga_loss(mean_kl(informed, forget), new_gap, mean_kl(before, retain), self.retain_weight)

        return run.minimize(loss, model, data, reference=self.reference)


@torch.inference_mode()
def gap(informed: LanguageModel, model: LanguageModel, pairs: Sequence[Pair]) -> float:
    r"""$\mathrm{KL}_{\mathcal D}(A \,\|\, B)$ over all pairs; ``informed`` is $A$, which has read them."""
    values = []
    for encoded in model.encoded(pairs):
        (a,), (b,) = informed.token_logits(encoded), model.token_logits(encoded)
        values.append(float(mean_kl(a, b)) * len(encoded))
    return sum(values) / len(pairs)
