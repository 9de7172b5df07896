r"""Reverse-KL distillation for unlearning (RKLD).

A copy that is trained further on the forget set shows which tokens that set wants. A teacher that turns just those
down is distilled into the model, with the student first in the divergence: what counts is that it drops what the
teacher has dropped, not that it covers all that the teacher would say.

## Objective

Wang et al. (equations 1 to 4 of the published version, which calls it RKLU):

$$
z^T = z^0 - \alpha\, \mathrm{ReLU}\big(z^+ - z^0\big), \qquad
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{KL}\big(p_\theta(\cdot \mid x, y_{<t}) \,\|\, \mathrm{softmax}(z^T_t)\big)
+ \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $z^0$, $z^+$: logits of the model before unlearning, and of a copy that was strengthened, that is trained further, on
  the forget set; $z^T$: those of the teacher.
- $\alpha$ (`strength`): how far tokens that rose are pushed down.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`; 0 in the form that needs no retain set).

## Facts

- **It converges**: the teacher never moves, and the loss is 0, its least value, where the student says what the
  teacher says.
- With $\alpha = 0$ the teacher is the model before unlearning: loss and gradient are 0 at the start.
- **Reverse, not forward.** The gradient at the logits is $p_\theta(v)\,\big(\log \frac{p_\theta(v)}{p_T(v)} - d\big)$
  with $d$ the divergence at that place: a token pulls as far as the *student* still says it. Forward KL has
  $p_\theta - p_T$ there.
- The teacher's logits are those of `whp`, which takes their one likeliest token as a label, and asks about generic
  stand-ins instead of names.
- Only tokens whose logit rose are turned down. Adding a constant to all of $z^+$ leaves its probabilities alone and
  changes the teacher: the two models' logits have to be on one scale, as they are where one was trained from the other.

## Differences

1. The strengthened copy is trained with the run's own recipe; the paper trains it ten epochs on TOFU, one on a book.
2. The retain term is a likelihood; the paper also has one that is a divergence from the model before unlearning.
3. A mean is over an answer's tokens, then over answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    generic_logits,
    hyperparameter,
    mean_kl,
    mean_nll,
)


@dataclass(frozen=True)
class RKLD(Method):
    """Strengthen a copy, make a teacher of the two, and distil it with reverse KL."""

    paper = "wang2024rkld"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    copies = 1
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.1,
        "source": "paper, TOFU with Llama-2-7B, at most ten passes; 2e-5 for Phi-1.5",
    }

    strength: float = hyperparameter(
        8.0,
        "α, how far strengthened tokens are pushed down",
        source="paper, TOFU experiments",
        minimum=0,
        trade_off=(2.0, 4.0, 8.0, 16.0),
    )
    retain_weight: float = hyperparameter(
        0.0, "λ, weight of the retain loss", source="paper, the form without a retain set", minimum=0
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train the copy, then the model towards the teacher."""
        strengthened = run.finetune(model.copy(), data.forget, stage="strengthening")

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad():
                (before,), (after,) = (source.token_logits(batch.forget) for source in (batch.before, strengthened))
                teacher = before.with_logits(generic_logits(before.logits, after.logits, self.strength))
            forget, retain = model.token_logits(batch.forget, batch.retain)
            return mean_kl(forget, teacher) + self.retain_weight * mean_nll(retain)

        return run.minimize(loss, model, data, reference=self.reference, retain=self.looks_at_retain)
