r"""Random noise augmentation (RNA).

After `rmu`, one word of the forget set in a question about something else is enough to lead the states of that question
away as well. The authors liken it to a backdoor that such words open, and defend it as one would there: retain states
are held not where they were but near it, each time somewhere else.

## Objective

Huu-Tien et al. (the released code's form), with $\mathcal L_f$ of `rmu`:

$$
\mathcal L = \mathbb E_{x_f} \frac{1}{|x_f|} \sum_t \left\| M_\theta(t) - c\, u \right\|_2^2
+ \alpha\, \mathbb E_{x_r} \frac{1}{|x_r|} \sum_t \left\| M_\theta(t) - M_{\theta_0}(t) - \delta_t \right\|_2^2,
\qquad \delta_t \sim \mathcal N(0, \nu^2 I) .
$$

## Symbols

- $M_\theta(t)$, $M_{\theta_0}$, $u$, $c$ (`steering`), $\alpha$ (`retain_weight`), $\ell$ (`depth`): see `rmu`.
- $\delta_t \in \mathbb R^d$: noise, drawn anew for each token in each step.
- $\nu$ (`noise`): the deviation of each of its entries, in multiples of the root mean square of a retain state's.

## Facts

- **With $\nu = 0$ it is `rmu`.**
- **In expectation it is `rmu` at any $\nu$**: the square opens to
  $\| M_\theta - M_{\theta_0} \|^2 + \| \delta \|^2 - 2 \langle M_\theta - M_{\theta_0}, \delta \rangle$, of which the
  last term has mean 0 and the second does not depend on the weights. So the loss is larger by $\alpha\, d\, \nu^2$, its
  minimum is where it was, and all that changes is that gradients are noisier, by $2 \alpha J_t^\top \delta_t$ for each
  token, with $J_t$ the Jacobian of its state.
- For $d = 4$ and $\nu = 0.1$ the second term is 0.04 at the start, where `rmu`'s is 0.
- **A name of the forget set in front of a retain question disturbs its answer less.** At `rmu`'s settings on `authors`
  (rate 0.003, $c = 50$, $\alpha = 10$; means of two seeds) such answers rise from 0.78 to 0.80 with `noise` 0.3 and to
  0.82 with 1. The model before unlearning has 0.83; with a name that is to stay it is 0.82 or 0.83 in all of them.
- **But less is forgotten as well**, for noise makes the optimizer's steps smaller: 0.36, 0.45 and 0.76 is left of the
  forget answers. A larger rate or a longer target brings that back, and the disturbance with it: with 0.3 at the rate
  0.0035 forget answers have 0.37 and such retain answers 0.78, as with `rmu`. So what noise gained here a smaller rate
  gains too, as the expectation says. The paper finds more, with a large model and one word in all questions.

## Differences

1. In the code $\nu$ is absolute (it is searched from 0.01 to 0.1 at layer 7 of Zephyr-7B, with $c = 6.5$). States of
   another model have another size, and so here $\nu$ goes with it.
2. States are taken where the answer's tokens are predicted, and squares are summed over $d$: see `rmu`.
3. The paper does the same to `adaptive-rmu`, and to preference optimization: there noise is added to a state inside the
   model before unlearning, whose output then holds the retain answers. That is left out.
4. The equations are those of the released code; of the paper, only its abstract and its reviews were at hand.
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
    hyperparameter,
    random_direction,
    steered_weights,
    steering_loss,
)


def noisy(states: Tensor, scale: float) -> Tensor:
    r"""(N, d) States with $\delta_t$ added to each.

    Args:
        states: (N, d) $M_{\theta_0}$.
        scale: $\nu$, in multiples of the root mean square of their entries.
    """
    # By torch's own generator, which a savepoint holds: a training that goes on draws what it would have drawn.
    noise = torch.randn(states.shape).to(states)
    return states + scale * states.square().mean().sqrt() * noise


@dataclass(frozen=True)
class RNA(Method):
    r"""Minimise $\mathcal L$ in the down-projections of three layers."""

    paper = "huutien2025improving"
    acts_on = "activations"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("feed-forward",)
    remembers = False
    published = {
        "learning_rate": 5e-5,
        "steps": 500,
        "batch_size": 4,
        "source": "released code, WMDP with Zephyr-7B",
    }

    steering: float = hyperparameter(
        6.5,
        "c, length of the target",
        source="released code, Zephyr-7B",
        above=0,
        trade_off=(6.5, 20.0, 50.0, 100.0, 300.0),
    )
    retain_weight: float = hyperparameter(
        1200.0, "α, weight of the pinning term", source="released code, Zephyr-7B", minimum=0
    )
    noise: float = hyperparameter(
        0.3, "ν, deviation of the noise, relative to the states'", source="ours; the code's is absolute", minimum=0
    )
    depth: float = hyperparameter(
        0.226, "layer ℓ as a fraction of the depth", source="layer 7 of Zephyr-7B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Draw the direction, then train the chosen weights towards it."""
        target = self.steering * random_direction(model.width, run.seed).to(model.device)

        def near(states: Tensor) -> Tensor:
            return noisy(states, self.noise)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            return steering_loss(model, batch, target, self.depth, self.retain_weight, near)

        return run.minimize(loss, model, data, steered_weights(model, self.depth), reference=self.reference)
