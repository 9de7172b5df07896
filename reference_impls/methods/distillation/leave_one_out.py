r"""Leave-one-out ensemble (LOO).

What would the model expect at this place, had it never read the text? Teachers that were trained on disjoint parts of
the data can tell, all but the one whose part holds it. Leave that one out, average what the others expect, and teach
the model just that.

## Objective

Liu and Kalinli, for teachers $p_1, \dots, p_M$ of the shards $\mathcal D^{(1)}, \dots, \mathcal D^{(M)}$ and $s(x, y)$
the shard that holds a pair:

$$
\mathcal L(\theta) = \mathbb E_{(x, y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{KL}\Big( \frac{1}{M - 1} \sum_{m \ne s(x, y)} p_m(\cdot \mid x, y_{<t}) \,\Big\|\,
p_\theta(\cdot \mid x, y_{<t}) \Big) + \lambda\, L(\mathcal D_r; \theta) .
$$

## Symbols

- $\mathcal D^{(m)}$: a part of the forget and the retain set together, by subject; $M$ (`shards`) of them.
- $p_m$: the model as it was before it met either set, fine-tuned on $\mathcal D^{(m)}$.
- $L$: the mean negative log-likelihood of retain answers; $\lambda$ (`retain_weight`).
- `teacher_rate`: how many times the recipe's learning rate the teachers learn with, who start from less.

## Facts

- **Bounded below by 0**, and reached where the model expects what the others do. It is a place to arrive at, and no
  place that the retrained model is known to be at: every teacher has read $M$ times less than that one.
- **No voter has read the text.** What several parts say (a city, a way of putting things) is rightly expected still.
- **Teachers vote as they are**: the mean is of probabilities, so that one who is sure and wrong counts once.
- With $M = 2$ there is one voter, and the more there are, the less each of them knows.
- **It ends where those are who were not told.** On `authors`, four teachers with 30 steps each at a rate of 0.002
  expect forget answers with 0.57, retain answers that they have not read with 0.55, and strangers' with 0.55. After
  120 steps towards them (0.0005, $\lambda = 2$) forget answers are at 0.60, with 0.96 before, and little else is lost:
  retain answers at 0.98, general facts at 0.42 of 0.45. `kga` leaves 0.57 and 0.97.
- **A retrained model is surer of what is not so** (0.45): it has read much more, and so have better teachers.
- Memory for $M$ further models; time for their trainings, which come before any request, and for $M$ passes over the
  forget sequences of each step.

## Differences

1. The paper's own equations could not be seen for this file. What it says of itself is kept to (disjoint parts, the one
   teacher left out, the predictions of the others aggregated, fine-tuning towards them); that they are averaged as
   probabilities, and the divergence, are the usual forms.
2. The paper's teachers start from nothing, and know no more than their part. Here they start from the base that the
   target itself was fine-tuned from; without such a checkpoint they would all know the forget set.
3. The retain term is ours, with $\lambda = 0$ to leave it out.
4. Shards are of subjects, and the teachers share the recipe's steps among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
    place_of,
    sharded,
)


def left_out(logits: Sequence[Tensor], own: Tensor) -> Tensor:
    r"""(N, V) logarithms of the mean of all teachers' probabilities but one's.

    Args:
        logits: of each of the $M$ teachers, (N, V).
        own: (N,) the number of the teacher who has no vote at each place.
    """
    logprobs = torch.stack([torch.log_softmax(each, dim=-1) for each in logits])
    silent = torch.arange(len(logits), device=own.device)[:, None] == own
    return torch.logsumexp(logprobs.masked_fill(silent[..., None], -torch.inf), dim=0) - math.log(len(logits) - 1)


@dataclass(frozen=True)
class LeaveOneOut(Method):
    """Train a teacher on each part of the data, then learn what those expect who have not read a text."""

    paper = "liu2023forgetting"
    acts_on = "loss"
    retain = "needed"
    copies = 4
    earlier = "needed"
    remembers = False
    weighs_weights = True

    shards: int = hyperparameter(4, "M, number of teachers", source="ours", minimum=2)
    retain_weight: float = hyperparameter(
        1.0, "λ, weight of the retain loss", source="ours", minimum=0, trade_off=(0.0, 1.0, 2.0, 5.0)
    )
    teacher_rate: float = hyperparameter(
        1.0, "learning rate of teachers, as a multiple of the recipe's", source="ours", above=0
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train the teachers, then the model."""
        teachers = self.teachers(model, data, run)
        own = torch.tensor([place_of(pair, self.shards)[0] for pair in data.forget], device=model.device)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            target = self.target(teachers, batch, own[batch.forget.rows])
            return mean_kl(target, forget) + self.retain_weight * mean_nll(retain)

        return run.minimize(loss, model, data)

    def teachers(self, model: LanguageModel, data: UnlearningData, run: Run) -> list[LanguageModel]:
        """One for each part, trained on it alone."""
        base = run.earlier_than(model)
        teachers = [base, *(base.copy() for _ in range(self.shards - 1))]
        parts = sharded([*data.forget, *data.retain], self.shards)
        for stage, teacher, part in zip(run.stages(self.shards), teachers, parts, strict=True):
            if part:
                faster = replace(stage.recipe, learning_rate=self.teacher_rate * stage.recipe.learning_rate)
                stage.finetune(teacher, part, faster, stage="teachers")
        return teachers

    @staticmethod
    @torch.no_grad()
    def target(teachers: Sequence[LanguageModel], batch: Batch, own: Tensor) -> TokenLogits:
        """What those expect of a batch's forget answers who have not read them; ``own`` is who has, by sequence."""
        told = [teacher.token_logits(batch.forget)[0] for teacher in teachers]
        return told[0].with_logits(left_out([one.logits for one in told], own[told[0].sequence]))
