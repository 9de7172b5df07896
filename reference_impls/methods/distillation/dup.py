r"""Detection-guided unlearning for purification (DUP).

Distillation turned around: what a detector marks as the work of an attacker, an adapter learns to answer otherwise than
the model does without it, whatever otherwise is, while the right answers to all else are trained on.

## Objective

Hu et al., in one sum, over the weights $\phi$ of an adapter:

$$
\mathcal L(\phi) = \alpha\, L(\mathcal D_r; \phi) -
\lambda\, \mathbb E_{x \sim \mathcal D_f} \mathrm{KL}\big(p_{\theta_0}(\cdot \mid x) \,\|\, p_\phi(\cdot \mid x)\big) .
$$

## Symbols

- $p_{\theta_0}$: the teacher, the model without the adapter; $p_\phi$: the student, with it.
- $L(\mathcal D_r; \phi)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).
- $\mathcal D_f$: the forget set, in place of what a detector marks; weighted by $\lambda$ (`forget_weight`).
- $r$ (`rank`), `alpha`: of the adapter, which becomes part of the weights.

## Facts

- **It is SCRUB's max pass and half of its min pass in one step**: the same divergence is left behind on the forget set,
  and the retain set has the likelihood without a divergence. There is no pass of following alone to end with.
- **It starts by itself only where the retain loss moves it.** At the teacher the divergence is at its least and its
  gradient 0; from there it grows by itself, for the gradient at the logits is $\lambda (p_{\theta_0} - p_\phi)$.
- **Unbounded below**, at the rate of `gradient-ascent` where the teacher is certain; $\alpha$ and the steps bound it.
- With the same steps and rate, $\lambda$ and $\alpha$ count by their quotient alone for an optimizer that scales its
  steps.
- On `authors` (rate 1e-3, $\alpha = 5$) forget answers end at a probability of 0.46 of 0.96, where retraining has 0.45,
  and utility goes from 0.653 to 0.637. By forget quality ($10^{-10.7}$, before $10^{-19.1}$) the result is still told
  from retraining with ease: the divergence grows whatever takes the answers' place.

## Differences

1. Who unlearns on request knows what is to go, so the paper's first half does not run: a detector that weighs up how
   far features lie from those of clean texts, and how they change from layer to layer. What it would mark is given.
2. The paper's are classifiers, with one divergence for each text; here it is a mean over an answer's tokens, then over
   answers.
3. The released code trains again from its best state, at a higher rate each time, until the attacker's label is seldom
   given; here the recipe decides. Its adapters sit on attention alone and drop out a tenth of what they read.
4. The code's weights lie in settings that could not be read; those here are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LoRA,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
)


@dataclass(frozen=True)
class DUP(Method):
    """Train an adapter away from the model that it is in, on what must go."""

    paper = "hu2025dup"
    acts_on = "loss"
    retain = "needed"
    trains = "adapters"
    remembers = False

    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="ours", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    forget_weight: float = hyperparameter(1.0, "λ, weight of the divergence", source="ours", minimum=0)
    rank: int = hyperparameter(32, "r, rank of the adapter", source="released code", minimum=1)
    alpha: float = hyperparameter(64.0, "scaling of the adapter", source="released code", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train the adapter, which becomes part of the weights."""
        adapted = run.adapt(model, LoRA(self.rank, self.alpha))
        # No copy: what the model was before is what it is without the adapter.
        run.minimize(self.loss, model, data, reference="model")
        adapted.merge()
        return model

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        r"""() $\mathcal L$ of one batch."""
        with torch.no_grad():
            (teacher,) = batch.before.token_logits(batch.forget)
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return self.retain_weight * mean_nll(retain) - self.forget_weight * mean_kl(teacher, forget)
