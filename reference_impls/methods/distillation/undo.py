r"""Unlearn, noise, distill on outputs (UNDO).

What unlearning has hidden is still in the weights, and a few steps bring it back. What a model says can be taught to
another without what it hides: so the unlearned model becomes the teacher of a damaged copy of itself, on data to keep
alone.

## Objective

Lee et al., in three parts. First an unlearned model $\theta_T$, here by maximum entropy:

$$
\theta_T = \arg\min_\theta\; - \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t \frac{1}{V} \sum_v
\log p_\theta(v \mid x, y_{<t}) + \lambda\, L(\mathcal D_r; \theta) ;
$$

then noise, $\theta_S = (1 - \alpha)\, \theta_T + \alpha \beta N$; then the damage is repaired from what the teacher
says,

$$
\min_{\theta_S}\ \mathbb E_{(x,y) \sim \mathcal D_r} \frac{1}{|y|} \sum_t
\mathrm{KL}\big(p_{\theta_T}(\cdot \mid x, y_{<t}) \,\|\, p_{\theta_S}(\cdot \mid x, y_{<t})\big) .
$$

## Symbols

- $\alpha$ (`noise`): the share of the weights that noise takes over.
- $N$: noise of the size in which weights are initialized, uniform on $\pm\sqrt{6 / (\mathrm{in} + \mathrm{out})}$ in a
  matrix and 0 in a vector; $\beta$ (`scale`): how much of it.
- $V$: the number of tokens. $\lambda$ (`retain_weight`): weight of the retain loss in the first part.

## Facts

- **$\alpha = 0$ gives the teacher back**: its divergence from itself has value and gradient 0. $\alpha = 1$ is
  distillation into a model that was never trained.
- **The last part sees nothing of the forget set.** What the student knows of it is what is left of the weights, and
  what the teacher betrays on data to keep.
- **The first part is bounded below**, by $\log V$, where every token is as likely as any other: the loss is
  $\log V + \mathrm{KL}(\mathrm{uniform} \,\|\, p_\theta)$.
- Noise shrinks gains of norms, too, by $1 - \alpha$. A norm's output is as much smaller; distillation has to find it
  again.
- It costs what the first part does, and as many steps with a teacher again. The more noise, the more repair is needed.

## Differences

1. The paper also unlearns by `grad-diff` and `rmu` in the first part.
2. The paper distils until 95% of what the teacher can do on data to keep is back, on as much text as that takes; here
   both parts have the recipe's number of steps.
3. Distillation is at the answers' tokens; in the paper at all of a text.
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
    Run,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
    uniform_loss,
)


@torch.no_grad()
def add_noise(weights: Sequence[Tensor], noise: float, scale: float) -> None:
    r"""Make of each weight $(1 - \alpha)\, \theta + \alpha \beta N$, in place."""
    for weight in weights:
        drawn = torch.zeros_like(weight)
        if weight.dim() > 1:
            nn.init.xavier_uniform_(drawn)
        weight.mul_(1 - noise).add_(noise * scale * drawn)


@dataclass(frozen=True)
class UNDO(Method):
    """Unlearn, damage, repair."""

    paper = "lee2025distillation"
    acts_on = "weights"
    retain = "needed"
    copies = 1

    noise: float = hyperparameter(
        0.3,
        "α, share of the weights that noise takes over",
        source="within the paper's range, 0.1 to 0.8",
        minimum=0,
        maximum=1,
        trade_off=(0.1, 0.2, 0.3, 0.5, 0.7),
    )
    scale: float = hyperparameter(0.1, "β, size of the noise", source="released code", minimum=0)
    retain_weight: float = hyperparameter(1.0, "λ, weight of the retain loss in the first part", source="ours", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Unlearn, keep that model as the teacher, damage, and repair."""

        def unlearning(model: LanguageModel, batch: Batch) -> Tensor:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            return uniform_loss(forget) + self.retain_weight * mean_nll(retain)

        teacher = run.minimize(unlearning, model, data).frozen()
        add_noise(list(model.model.parameters()), self.noise, self.scale)

        def distilling(model: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad():
                (said,) = teacher.token_logits(batch.retain)
            (student,) = model.token_logits(batch.retain)
            return mean_kl(said, student)

        return run.minimize(distilling, model, data)
