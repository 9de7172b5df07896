r"""Saliency-based unlearning with a large learning rate (SURE).

Unlearning that moves weights by less than half of what rounding does is undone by storing the model in four bits.
Larger steps survive it, and would wreck the model: so only the few rows whose gradients on the forget data stand out
may take them.

## Objective

Zhang et al.: with a saliency $s_i$ of each row of the weights, and a threshold $\gamma$ over all of them,

$$
s_i = \lVert \nabla_{\theta_i} \mathcal L_f(\theta) \rVert_2, \qquad
m_i = \mathbf 1[s_i \ge \gamma], \qquad
\theta \leftarrow \theta + m \odot \Delta\theta ,
$$

where $\Delta\theta$ is the optimizer's step on
$\mathcal L = \mathcal L_f + \alpha\, L(\mathcal D_r; \theta)$ with
$\mathcal L_f = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \log \pi_\theta(y \mid x)$.

## Symbols

- $\theta_i$: a row of a matrix, which is what one neuron reads, or a single entry of a vector.
- $\gamma$: such that a share (`share`) of all rows is at or above it.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).

## Facts

- **The forget loss alone chooses; both losses move.** Rows that matter to retain answers and not to forget answers
  stay where they are, so they cannot repair anything either.
- With all rows chosen it is `grad-diff`.
- **It is the update that is masked.** A gradient set to 0 does not stop a row: momentum from steps in which it was
  chosen, and weight decay, go on moving it.
- Rounding to a grid of width $\Delta$ does not see a change below $\frac{\Delta}{2}$ around a point of the grid. A
  larger learning rate in fewer rows makes the same total change from fewer, larger ones.

## Differences

1. The paper's formula chooses once, before unlearning; the released code anew in every step, which is followed here.
2. In the released code the gradient of $\mathcal L_f$ is not cleared after the choice and enters the step twice, and
   the masking sits in a function that its trainer does not call.
3. The paper also takes `npo` for $\mathcal L_f$ and a divergence for the retain loss.
4. The large learning rate is the recipe's, as for every method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    holding,
    hyperparameter,
    mean_nll,
    most_salient,
)


def row_saliency(gradient: Tensor) -> Tensor:
    r"""(rows,) $s_i$ of each row of a matrix, or of each entry of a vector."""
    return gradient.norm(dim=-1) if gradient.ndim > 1 else gradient.abs()


@dataclass(frozen=True)
class SURE(Method):
    r"""Minimise $\mathcal L$ in the rows that stand out."""

    paper = "zhang2024your"
    acts_on = "gradients"
    retain = "optional"
    weighs_weights = True
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 2,
        "source": "released code, MUSE with Llama-2-7B",
    }

    share: float = hyperparameter(
        0.1, "share of the rows that may move", source="released code: 90th percentile", above=0, maximum=1
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Choose the rows, step, and put the others back."""
        put_back: Callable[[], None]

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            nonlocal put_back
            gradient = -1.0 * Gradient.of(mean_nll(*model.token_logits(batch.forget)), model)
            chosen = most_salient([row_saliency(part) for part in gradient.parts], self.share)
            put_back = holding(gradient.weights, chosen)
            if self.looks_at_retain:
                retaining = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
                gradient = gradient + self.retain_weight * retaining
            return gradient.masked(chosen)

        return run.minimize(step, model, data, after_step=lambda: put_back(), retain=self.looks_at_retain)
