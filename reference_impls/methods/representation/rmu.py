r"""Representation misdirection for unlearning (RMU).

Steer the model's inner states on what is to be forgotten towards a fixed random direction, so that later layers have
nothing to work with, and pin its states on everything else to where they were. Only a few layers learn.

## Objective

Li et al. (section 4 of the WMDP paper):

$$
\mathcal L_f = \mathbb E_{x_f} \frac{1}{|x_f|} \sum_{t} \left\| M_\theta(t) - c\, u \right\|_2^2,
\qquad
\mathcal L_r = \mathbb E_{x_r} \frac{1}{|x_r|} \sum_{t} \left\| M_\theta(t) - M_{\theta_0}(t) \right\|_2^2,
$$

$$
\mathcal L = \mathcal L_f + \alpha\, \mathcal L_r .
$$

## Symbols

- $M_\theta(t) \in \mathbb R^d$: the residual stream after layer $\ell$ at token $t$; $M_{\theta_0}$ that of the model
  before unlearning.
- $u$: a random unit vector with entries drawn uniformly from $[0, 1)$ before normalization; drawn once per run.
- $c$ (`steering`): how long the target is; it must exceed the states' usual length to have an effect.
- $\alpha$ (`retain_weight`): weight of the pinning term.
- $\ell$: a fraction of the depth (`depth`); the MLP down-projections of layers $\ell-2$ to $\ell$ are trained.

## Facts

- Bounded below by 0; $\mathcal L_r$ has value and gradient 0 at the start.
- Weights above layer $\ell$ get no gradient: RMU changes the tensors named above and nothing else.
- All entries of $u$ are positive, so two random draws of it point much the same way (cosine about 3/4).

## Differences

1. States are taken where the answer's tokens are predicted; the paper takes every token of a text.
2. The released code averages over the $d$ entries too, padding included: its losses are smaller by $d$, which leaves
   the balance of the two terms as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    random_direction,
    steered_weights,
    steering_loss,
)


@dataclass(frozen=True)
class RMU(Method):
    r"""Minimise $\mathcal L_f + \alpha \mathcal L_r$ in the down-projections of three layers."""

    paper = "li2024wmdp"
    acts_on = "activations"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("feed-forward",)
    remembers = False
    published = {
        "learning_rate": 5e-5,
        "steps": 150,
        "batch_size": 4,
        "source": "released code, WMDP with Zephyr-7B; 150 batches of each subject",
    }

    steering: float = hyperparameter(
        6.5,
        "c, length of the target",
        source="published Zephyr-7B run",
        above=0,
        trade_off=(6.5, 20.0, 50.0, 100.0, 300.0),
    )
    retain_weight: float = hyperparameter(
        1200.0, "α, weight of the pinning term", source="published Zephyr-7B run", minimum=0
    )
    depth: float = hyperparameter(
        0.226, "layer ℓ as a fraction of the depth", source="layer 7 of Zephyr-7B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Draw the direction, then train the chosen weights towards it."""
        target = self.steering * random_direction(model.width, run.seed).to(model.device)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            return steering_loss(model, batch, target, self.depth, self.retain_weight)

        return run.minimize(loss, model, data, steered_weights(model, self.depth), reference=self.reference)
