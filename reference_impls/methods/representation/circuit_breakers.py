r"""Circuit breakers by representation rerouting (RR).

Turn the hidden states of what is to be forgotten until they are at right angles to what they were, and hold all other
states where they are. Nothing says where forget states should go instead: whichever circuit read the old direction
finds nothing there.

## Objective

Zou et al. (algorithm 1), at step $t$ of $N$:

$$
\mathcal L = \Big(1 - \frac{t}{2N}\Big)\, \mathcal L_s + \frac{t}{2N}\, \alpha\, \mathcal L_r,
\qquad
\mathcal L_s = \mathbb E_{x \sim \mathcal D_f} \frac{1}{|x|} \sum_t
\mathrm{ReLU}\big(\cos(h_\theta(t), h_{\theta_0}(t))\big),
\qquad
\mathcal L_r = \mathbb E_{x \sim \mathcal D_r} \frac{1}{|x|} \sum_t \left\| h_\theta(t) - h_{\theta_0}(t) \right\|_2 .
$$

## Symbols

- $h_\theta(t) \in \mathbb R^d$: the residual stream at token $t$; $h_{\theta_0}$ that of the model before unlearning.
  $\mathcal L_s$ is the mean over two layers, at fractions of the depth (`shallow`, `deep`), $\mathcal L_r$ that over
  all layers.
- $\alpha$ (`retain_weight`): weight of the second term besides the schedule.
- $t / 2N$: the schedule. Keeping weighs nothing at the start and half at the end.

## Facts

- **Bounded below by 0**, and a forget state that is at a right angle or beyond pulls no more: its gradient is exactly
  0. So states are not led to the opposite direction, whose content a linear reader would still find.
- **The start is a stationary point.** Where nothing has moved, the cosine is at its largest and the distance at its
  least, so all gradients are 0. In half precision rounding may lead away. Here the weights that learn are moved a
  little at random first (a thousandth of their size), so that a run can be repeated elsewhere.
- $\mathcal L_r$ is a distance and not its square: once a state has moved, however little, it is pulled back with
  full strength.
- A state's length is free on the forget set: only its direction counts.
- Scaling the whole loss, as the paper's coefficient (5 to 10) does, changes nothing for AdamW; so it is left out.

## Differences

1. The paper trains low-rank adapters in all blocks up to the second layer; here the weights of these blocks learn.
   Blocks above stay as they are in both.
2. States are taken where the answer's tokens are predicted; the paper takes every token of a text.
3. The paper's retain set holds refusals of harmful requests, too, so that refusing is kept; here it is the task's.
"""

from __future__ import annotations

import itertools
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
    hyperparameter,
    mean_over_answers,
)

NUDGE = 1e-3
"""How far the weights are moved before the first step, relative to their size."""


def rerouting_loss(states: Tensor, before: Tensor) -> Tensor:
    r"""(N,) $\mathrm{ReLU}(\cos(h_\theta, h_{\theta_0}))$ of (N, d) states."""
    return torch.cosine_similarity(states.float(), before.float(), dim=1).relu()


def circuit_breaker_loss(
    model: LanguageModel, batch: Batch, targets: Sequence[int], progress: float, retain_weight: float
) -> Tensor:
    r"""() $\mathcal L$ at one step.

    Args:
        model: what learns.
        batch: the step's data, with the model before unlearning.
        targets: the layers whose forget states are turned.
        progress: $t / 2N$.
        retain_weight: $\alpha$.
    """
    layers = range(model.layers)
    with torch.no_grad():
        forget_before = batch.before.layer_activations(batch.forget, targets)
        retain_before = batch.before.layer_activations(batch.retain, layers)
    turned = map(rerouting_loss, model.layer_activations(batch.forget, targets), forget_before)
    moved = zip(model.layer_activations(batch.retain, layers), retain_before, strict=True)
    lost = [mean_over_answers(rerouting, batch.forget) for rerouting in turned]
    kept = [mean_over_answers((now.float() - then.float()).norm(dim=1), batch.retain) for now, then in moved]
    return (1 - progress) * torch.stack(lost).mean() + progress * retain_weight * torch.stack(kept).mean()


@dataclass(frozen=True)
class CircuitBreakers(Method):
    r"""Minimise $\mathcal L$ in the blocks up to the deeper layer."""

    paper = "zou2024improving"
    acts_on = "activations"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("blocks",)

    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain term besides the schedule",
        source="paper, where both terms have one coefficient",
        minimum=0,
        trade_off=(0.03, 0.1, 0.3, 1.0),
    )
    shallow: float = hyperparameter(
        0.29,
        "one of the two layers, as a fraction of the depth",
        source="layer 10 of Llama-3-8B's 32",
        minimum=0,
        maximum=1,
    )
    deep: float = hyperparameter(
        0.61, "the other, the last that learns", source="layer 20 of Llama-3-8B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Keep a copy, leave the stationary point, and follow the schedule."""
        targets = sorted({model.layer_at(self.shallow), model.layer_at(self.deep)})
        weights = list(model.blocks[: targets[-1] + 1].parameters())
        counted = itertools.count()

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            if not (step := next(counted)):
                nudge(weights)
            return circuit_breaker_loss(model, batch, targets, step / (2 * run.recipe.steps), self.retain_weight)

        return run.minimize(loss, model, data, weights, reference=self.reference)


@torch.no_grad()
def nudge(weights: Sequence[Tensor]) -> None:
    """Move each weight at random by :data:`NUDGE` times the root mean square of its tensor."""
    for weight in weights:
        weight += NUDGE * weight.square().mean().sqrt() * torch.randn_like(weight)
