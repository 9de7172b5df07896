r"""Ascent with an elastic anchor (LYA).

Ascent on what is to go moves all weights; some of them carry what is to stay. Each weight is tied to where it was, by a
spring as stiff as the weight matters to retain answers, so that the ascent goes where it does least harm.

## Objective

Kazemi et al. combine ascent on poisoned data with elastic weight consolidation (Kirkpatrick et al., arXiv 1612.00796):

$$
\mathcal L(\theta) = -L(\mathcal D_f; \theta)
+ \frac{\lambda}{2} \sum_i \frac{F_i}{\bar F}\, (\theta_i - \theta_{0,i})^2,
\qquad
F_i = \frac{1}{|\mathcal D_r|} \sum_{(x,y) \in \mathcal D_r}
\left( \partial_{\theta_i}\, \ell(y \mid x; \theta_0) \right)^2 .
$$

## Symbols

- $L(\mathcal D_f; \theta)$: the mean negative log-likelihood of answers to forget; $\ell$ that of one answer.
- $\theta_0$: the weights before unlearning; $F_i$: the Fisher information of retain answers there, a diagonal, and
  $\bar F$ its mean over all weights, so that $\lambda$ (`anchor_weight`) does not depend on how well they are known.

## Facts

- **No retain answer is looked at after the first step**: what is known of them is a number for each weight. So the
  anchor holds the weights, and what the answers become it does not see.
- At the start the anchor and its gradient are 0, and $\lambda = 0$ is `gradient-ascent`.
- **The loss is unbounded below only where $F_i = 0$ lets it be**: ascent pulls harder the more is forgotten, and the
  spring pulls back harder the further a weight has gone. A weight that no retain answer reaches is free.
- **The Fisher information of answers known by heart is small, and most of it is in few answers**: gradients of what the
  model already gets right vanish. The division by $\bar F$ makes up for the size, not for the noise.
- On `authors` it keeps a little more than ascent does: 60 steps at a rate of 1e-4 with $\lambda = 1$ take forget
  answers from 0.96 to 0.49 of probability and leave 0.86 of the retain answers' 0.98, utility 0.62 of 0.65, where
  ascent as far (0.51, at a rate of 6e-5) leaves 0.82. With $\lambda = 10$ hardly anything is forgotten.
- **That the Fisher information is what helps does not show there.** With all weights tied alike, $F_i = 1$, forgetting
  costs as much (0.55 and 0.88), and larger steps can be taken: at 3e-4 with $\lambda = 3$ it ends at 0.61 and 0.93,
  while with the Fisher information, which holds most weights hardly at all, little is left of either (0.05 and 0.10).

## Differences

1. The paper's models classify (BERT, CodeBERT), and what goes is a trojan: inputs with a trigger and the wrong label.
2. Its total loss has a term of the anchor for clean and one for poisoned data, as summaries tell; what the second does,
   and its sign, was not to be read. Here there is the first alone: elastic weight consolidation as it is known.
3. Division by $\bar F$ is ours, and so is $\lambda$. Of the retain set at most `points` answers are taken.
4. The paper ends the training where the poisoned loss passes a bound; here the recipe's steps do.
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
    Run,
    UnlearningData,
    diagonal_fisher,
    hyperparameter,
    mean_nll,
)


def elastic_penalty(weights: Sequence[Tensor], before: Sequence[Tensor], fisher: Sequence[Tensor]) -> Tensor:
    r"""() $\frac12 \sum_i F_i (\theta_i - \theta_{0,i})^2$ over all tensors."""
    each = [
        (stiffness * (weight - start).square()).sum()
        for weight, start, stiffness in zip(weights, before, fisher, strict=True)
    ]
    return torch.stack(each).sum() / 2


@dataclass(frozen=True)
class LYA(Method):
    """Gradient ascent from which the weights that matter to retain answers are held back."""

    paper = "kazemi2024unlearning"
    acts_on = "loss"
    retain = "needed"
    copies = 1
    weighs_weights = True

    anchor_weight: float = hyperparameter(
        1.0, "λ, stiffness of the anchor", source="ours", minimum=0, trade_off=(0.1, 1.0, 10.0, 100.0)
    )
    points: int = hyperparameter(200, "retain answers that say what matters", source="ours", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Weigh the weights once, then climb."""
        weights, before = list(model.model.parameters()), list(model.frozen().model.parameters())
        fisher = diagonal_fisher(model, run.rng.sample(list(data.retain), min(self.points, len(data.retain))))
        mean = sum(float(part.sum()) for part in fisher) / sum(part.numel() for part in fisher)
        fisher = tuple(part / mean for part in fisher) if mean else fisher

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            (forget,) = model.token_logits(batch.forget)
            return self.anchor_weight * elastic_penalty(weights, before, fisher) - mean_nll(forget)

        return run.minimize(loss, model, data, retain=False)
