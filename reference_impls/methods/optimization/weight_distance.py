r"""Weight distance regularization (Weight Dist Reg).

What resists relearning lies far from where the model was. So nothing is said of the forget set at all: the model is
sent away from its own weights, as far as it can go while it keeps answering what is to be kept.

## Objective

Siddiqui et al., as in their released code, with $n$ weights in all:

$$
\mathcal L = L(\mathcal D_r; \theta) - \alpha \sqrt{\tfrac1n \lVert \theta - \theta_0 \rVert_2^2 + 10^{-8}},
\qquad
\theta \leftarrow \theta_0 + s\, N \ \text{ before the first step.}
$$

## Symbols

- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers.
- $\theta_0$: the weights before unlearning. $\alpha$ (`distance_weight`): what it is worth to be far from them.
- $N$: normal noise, for each tensor with its own standard deviation; $s$ (`distortion`). With $s > 0$ and $\alpha = 0$
  it is the paper's *Weight Distortion*, with both 0 fine-tuning on what is kept.

## Facts

- **No example is unlearned.** What the retain set does not hold up is lost with the way, the forget set and all else:
  whatever is to stay has to be in the retain set, and on `authors` it is general facts that fall.
- **The paper's reason**: whoever is near $\theta_0$, or reaches it along a straight line without a rise of the loss,
  relearns from the retain set alone what it seemed to have forgotten.
- **What came off stays off**: on `authors`, with $\alpha = 100$, forget answers fall to 0.70 and retain answers to
  0.92; ten steps on half of the forget answers leave the other half at 0.73. But it forgets slowly.
- **At $\theta_0$ the distance has no gradient**; the retain loss, or noise, makes the first step.
- **Its gradient is $\alpha / \sqrt n$ long**, wherever the model is, so that what suits depends on the model's size;
  and unbounded below, though slowly: the recipe's rate and steps bound how far it goes.
- `undo` puts noise on weights as well, after unlearning, and learns from a teacher again.

## Differences

1. The paper is about classifiers of images. For language models this is ours: the loss is that of answers.
2. In the code all tensors get noise of one size (0.02); here it goes with each tensor's own. Tensors whose weights are
   all alike, such as gains that were never trained, get none.
3. The paper's forms by connectivity (a high loss halfway), attenuation and dropout of weights are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, Method, Run, UnlearningData, hyperparameter, mean_nll

AT_LEAST = 1e-8
"""Added under the root, as in the released code."""


def distance(weights: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    r"""() $\sqrt{\lVert \theta - \theta_0 \rVert^2 / n + 10^{-8}}$."""
    squares = torch.stack([(one - other).float().square().sum() for one, other in zip(weights, before, strict=True)])
    return (squares.sum() / sum(weight.numel() for weight in weights) + AT_LEAST).sqrt()


@dataclass(frozen=True)
class WeightDistance(Method):
    """Go far from where the model was, and keep what is to be kept."""

    paper = "siddiqui2025dormant"
    acts_on = "weights"
    retain = "needed"
    copies = 1
    weighs_weights = True

    distance_weight: float = hyperparameter(
        1.0,
        "α, weight of the distance",
        source="released code, for 11 million weights",
        minimum=0,
        trade_off=(1.0, 10.0, 100.0, 1000.0),
    )
    distortion: float = hyperparameter(
        0.0, "s, noise before the first step, relative to each tensor's spread", source="0 in this form", minimum=0
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Put noise on the weights if asked, and train on retain answers."""
        weights = list(model.model.parameters())
        before = list(model.frozen().model.parameters())
        with torch.no_grad():
            for weight in weights if self.distortion else ():
                weight += self.distortion * weight.float().std(correction=0) * torch.randn_like(weight)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            return mean_nll(*model.token_logits(batch.retain)) - self.distance_weight * distance(weights, before)

        return run.minimize(loss, model, data)
