r"""Scalable remembering and unlearning unbound (SCRUB).

The model before unlearning is the teacher, and a student that starts as its copy obeys it selectively: in some passes
over the data it runs away from what the teacher says of the forget set, in the others it follows the teacher, and the
true answers, on the retain set. The two take turns, and in the last part only the following is left.

## Objective

Kurmanji et al., with the divergence of the student from the teacher at the answers' tokens:

$$
\min_\theta\;
\alpha\, \mathbb E_{x \sim \mathcal D_r} d(x; \theta) + \gamma\, L(\mathcal D_r; \theta)
- \mathbb E_{x \sim \mathcal D_f} d(x; \theta),
\qquad
d(x; \theta) = \mathrm{KL}\big(p_{\theta_0}(\cdot \mid x) \,\|\, p_\theta(\cdot \mid x)\big),
$$

not as one sum: a *max pass* minimises $-\mathbb E_{\mathcal D_f} d$ alone, a *min pass* the two terms on the retain
set.

## Symbols

- $p_{\theta_0}$: the teacher, the model before unlearning; $p_\theta$: the student.
- $\alpha$ (`divergence_weight`), $\gamma$ (`retain_weight`): weights of divergence and likelihood in min passes.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers.
- `max_share`: for what share of the training max passes take their turns.
- $T$ (`temperature`): with it $d$ is $T^2$ times the divergence of the distributions whose logits are divided by $T$.

## Facts

- **A max pass cannot begin.** Where the student is the teacher, $d$ is at its least, so its gradient is 0 on both sets
  and a max pass moves nothing. Here the first pass is a min pass: its likelihood term leads the student away.
- **Unbounded below**: nothing stops the divergence of a max pass. It is the number of these passes that bounds it.
- **Where the teacher is certain of an answer**, $d$ is that answer's negative log-likelihood, and a max pass is
  gradient ascent; where it is not, all that it expects becomes less likely, and not the answer alone.
- The gradient of $-d$ at the logits is $p_{\theta_0} - p_\theta$ (for $T = 1$): it grows as the student gets away, and
  is 0 at the start, where that of gradient ascent is not.
- Of the weights $\alpha$ and $\gamma$ only the quotient counts for an optimizer that scales its steps, as AdamW does.

## Differences

1. The paper's classifiers have one prediction for each image; here $d$ is a mean over an answer's tokens, then over
   answers.
2. A max pass comes first in the paper, where batch norm and noise move the student. A min pass has as many steps as a
   max pass; in the paper it is one over the whole retain set.
3. The released code's divergence has a temperature of 4 and sums over a batch's images; its weights
   ($\alpha = 0.001$, $\gamma = 0.99$) are for that.
4. Rewinding (SCRUB+R), which goes back to the checkpoint whose error on the forget set is that on unseen data, is left
   out: it needs such data.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    softened_kl,
)


def is_max_step(step: int, length: int, steps: int, max_share: float) -> bool:
    """Whether a step belongs to a max pass: min and max passes of ``length`` steps take turns, then min ones are left.

    Args:
        step: its number, from 0.
        length: how many steps a pass over the forget set has.
        steps: of the whole training.
        max_share: for what share of them there are max passes.
    """
    return (step // length) % 2 == 1 and step < max_share * steps


@dataclass(frozen=True)
class SCRUB(Method):
    """Take turns in leaving the teacher on the forget set and following it on the retain set."""

    paper = "kurmanji2023towards"
    acts_on = "loss"
    reference = "model"
    retain = "needed"

    max_share: float = hyperparameter(
        0.67,
        "for what share of the training max passes take their turns",
        source="released notebooks, 2 of 3 epochs",
        above=0,
        maximum=1,
        trade_off=(0.17, 0.33, 0.5, 0.67, 0.84),
    )
    divergence_weight: float = hyperparameter(
        1.0, "α, weight of the divergence in min passes", source="ours; the code's 0.001 is for images", minimum=0
    )
    retain_weight: float = hyperparameter(
        1.0, "γ, weight of the retain loss in min passes", source="released notebooks, 0.99", above=0
    )
    temperature: float = hyperparameter(
        1.0, "T, flattens the distributions that are compared", source="paper's text, which has none", above=0
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Count the steps, and minimise the loss of the pass that each belongs to."""
        length = max(1, len(data.forget) // run.recipe.batch_size)
        counted = itertools.count()

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            leaves = is_max_step(next(counted), length, run.recipe.steps, self.max_share)
            asked = batch.forget if leaves else batch.retain
            with torch.no_grad():
                (teacher,) = batch.before.token_logits(asked)
            (student,) = model.token_logits(asked)
            distance = softened_kl(teacher, student, self.temperature)
            return -distance if leaves else self.divergence_weight * distance + self.retain_weight * mean_nll(student)

        return run.minimize(loss, model, data, reference=self.reference)
