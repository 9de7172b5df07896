r"""Weak-to-strong unlearning (W2SDefense).

Against what a model was taught that should not have been there: a small teacher learns the task anew from what is
clean, and an adapter in the large model is trained to solve it as the teacher does, down to the features that the head
reads. What the teacher has no features for is to go.

## Objective

Zhao et al., as the released code has it, for a teacher $q$ with features $h_q$ beside the model's own $h_\theta$; the
part that $\lambda$ weighs is ours:

$$
\mathcal L(\theta) = \alpha\, L(\mathcal D_r; \theta) + D(\mathcal D_r; \theta) + \lambda\, D(\mathcal D_f; \theta),
\qquad
D = \beta\, T^2\, \mathrm{KL}\!\left( q_T \,\middle\|\, p_{\theta,T} \right) + \gamma\, \lVert h_q - h_\theta \rVert^2 .
$$

## Symbols

- $q$: the first blocks (a `share`) of the model from before it met the forget set, with its norm and head, all of it
  trained on the retain set, at `teacher_rate` times the recipe's learning rate and for half of its steps.
- $L$: the mean negative log-likelihood of answers, weighted by $\alpha$ (`retain_weight`).
- $q_T$, $p_{\theta,T}$: of logits divided by $T$ (`temperature`). $\beta$ (`distill_weight`) weighs their divergence.
- $h$: what the head reads at the token before. $\gamma$ (`feature_weight`). $D$ is a mean over an answer's tokens.
- $\lambda$ (`forget_weight`): how much the questions to forget count, which the teacher answers without having read
  about them.
- $r$ (`rank`), `alpha`: of the adapter, which alone trains and becomes part of the weights.

## Facts

- **With $\lambda = 0$ it is the paper's**: who defends against a backdoor has clean texts and knows no trigger, so that
  the forget set is not looked at. What is known and not asked for then stays: on `authors` (rate 2e-3, 240 steps)
  forget answers keep a probability of 0.955 of 0.961.
- **With $\lambda > 0$ the target is what retraining gives**, a base that has read only what is kept, as far as a small
  teacher can tell. With 480 steps on `authors` forget answers end at 0.59, where retraining has 0.45, retain answers at
  0.98, and utility goes from 0.653 to 0.602: general facts, of which the teacher is not asked, fall from 0.45 to 0.40.
  Forget quality is $10^{-2.6}$, where `dup`, which has no target, is at $10^{-10.7}$.
- **Features cost more than they bring here**: with the code's $\gamma$, ten times as large, as much is forgotten (0.59)
  and utility is 0.555. A teacher that was trained anew has features of its own for everything.
- **Bounded below by 0**, where the model says what the teacher says and knows the retain set by heart. That is an end
  to arrive at, which the ascent of `dup` has not.
- **Features alone fix the answers** where both heads are the same, and how they are said: the second term asks for more
  than the first.
- The square of $T$ keeps the gradient of the divergence as long as it is for $T = 1$.

## Differences

1. Checked against the released code. It is a classifier's: one label, one vector of features for each text; here all of
   it is a mean over an answer's tokens, then over answers.
2. $\lambda$ is ours, in multiples of the other weights. The code's are $\alpha = 3$, $\beta = 0.01$ and
   $\gamma = 0.001$ against sentences, and $5$, $0.001$ and $0.001$ against words, for one loss on clean texts.
3. The code's teacher is BERT with a layer that widens its features to the model's. Blocks of the same model have its
   width.
4. The code trains the teacher on all clean texts and the adapter on the same; here either has half of the steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    LoRA,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    first_blocks,
    hyperparameter,
    mean_nll,
    softened_kl,
)


def features(model: LanguageModel, batch: Encoded) -> Tensor:
    """(N, d) what the head reads where it predicts the answers' tokens."""
    return model.normed(model.activations(batch, 1.0))


@dataclass(frozen=True)
class W2SDefense(Method):
    """Train a clean teacher, then an adapter that takes after it."""

    paper = "zhao2024unlearning"
    acts_on = "loss"
    retain = "needed"
    trains = "adapters"
    earlier = "needed"
    copies = 2
    parts = ("blocks",)
    remembers = False
    published = {
        "learning_rate": 2e-4,
        "epochs": 5,
        "batch_size": 32,
        "source": "released code, SST-2",
    }

    forget_weight: float = hyperparameter(
        100.0, "λ, weight of the forget set", source="ours; paper: 0", minimum=0, trade_off=(30.0, 100.0, 300.0, 1000.0)
    )
    retain_weight: float = hyperparameter(3.0, "α, weight of the retain loss", source="released code", minimum=0)
    distill_weight: float = hyperparameter(0.01, "β, weight of the divergence", source="released code", minimum=0)
    feature_weight: float = hyperparameter(
        0.0001, "γ, weight of the features", source="ours; released code: 0.001", minimum=0
    )
    temperature: float = hyperparameter(2.0, "T, of the divergence", source="released code", above=0)
    share: float = hyperparameter(
        0.5, "of the blocks, the teacher's", source="ours; paper: BERT beside 7B", above=0, maximum=1
    )
    teacher_rate: float = hyperparameter(
        1.0, "the teacher's learning rate, as a multiple of the recipe's", source="ours", above=0
    )
    rank: int = hyperparameter(16, "r, rank of the adapter", source="ours; released code: 512 in 7B", minimum=1)
    alpha: float = hyperparameter(16.0, "scaling of the adapter", source="released code: as r", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train the teacher, then the adapter, which becomes part of the weights."""
        teaching, learning = run.stages(2)
        faster = replace(teaching.recipe, learning_rate=self.teacher_rate * teaching.recipe.learning_rate)
        base = first_blocks(run.earlier_than(model), self.share)
        teacher = teaching.finetune(base, data.retain, faster, stage="teacher")
        adapted = run.adapt(model, LoRA(self.rank, self.alpha))

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            (kept,) = model.token_logits(batch.retain)
            staying = self.retain_weight * mean_nll(kept) + self.distance(model, teacher, batch.retain, kept)
            if not self.forget_weight:
                return staying
            (gone,) = model.token_logits(batch.forget)
            return staying + self.forget_weight * self.distance(model, teacher, batch.forget, gone)

        learning.minimize(loss, model, data)
        adapted.merge()
        return model

    def distance(self, model: LanguageModel, teacher: LanguageModel, batch: Encoded, own: TokenLogits) -> Tensor:
        """() $D$ of a batch, of which the model expects ``own``."""
        with torch.no_grad():
            (told,), wanted = teacher.token_logits(batch), features(teacher, batch)
        apart = (features(model, batch) - wanted).square().sum(dim=1)
        return self.distill_weight * softened_kl(told, own, self.temperature) + self.feature_weight * own.mean(apart)
