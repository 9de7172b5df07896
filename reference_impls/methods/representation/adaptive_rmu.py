r"""Adaptive representation misdirection for unlearning (Adaptive RMU).

RMU leads hidden states to a target of fixed length, which is long in an early layer and short in a late one, where
states are longer. Here the target of every state is as many times as long as that state was before unlearning, so that
one setting suits any layer.

## Objective

Huu-Tien et al. (the adaptive form of RMU's objective):

$$
\mathcal L_f = \mathbb E_{x_f} \frac{1}{|x_f|} \sum_t
\left\| M_\theta(t) - \beta\, \| M_{\theta_0}(t) \|_2\, u \right\|_2^2,
\qquad
\mathcal L_r = \mathbb E_{x_r} \frac{1}{|x_r|} \sum_t \left\| M_\theta(t) - M_{\theta_0}(t) \right\|_2^2,
\qquad
\mathcal L = \mathcal L_f + \alpha\, \mathcal L_r .
$$

## Symbols

- $M_\theta(t) \in \mathbb R^d$: the residual stream after layer $\ell$ at token $t$; $M_{\theta_0}$ that of the model
  before unlearning, which never changes: a length taken from the model that learns would run away.
- $u$: a random unit vector with entries drawn uniformly from $[0, 1)$ before normalization; drawn once per run.
- $\beta$ (`scale`): how many times as long as the state its target is.
- $\alpha$ (`retain_weight`): weight of the pinning term.
- $\ell$: a fraction of the depth (`depth`); the MLP down-projections of layers $\ell-2$ to $\ell$ are trained.

## Facts

- **It does not depend on the size of the states**: in a model whose residual stream is $s$ times as large, both terms
  are $s^2$ times as large, and their balance is the same. RMU's length $c$ has to be found for each model and layer.
- **RMU is the special case** of states that are all of one length, with $c = \beta$ times that length.
- Bounded below by 0; $\mathcal L_r$ has value and gradient 0 at the start. At the start
  $\mathcal L_f$ is $\mathbb E\, \| M_{\theta_0}(t) \|^2 (1 + \beta^2 - 2 \beta \cos)$, with $\cos$ the cosine between
  the state and $u$.
- Long states weigh more: the first token of a text, whose state is often far longer than others', would outweigh all;
  it predicts no answer's token, and so is not looked at.

## Differences

1. The paper gives each forget sample a length of its own, the released code takes one for all from the mean length in
   the first batch. Here each state has its own.
2. States are taken where the answer's tokens are predicted; the paper takes every token of a text.
3. The released code averages over the $d$ entries too, padding included: its losses are smaller by $d$, which leaves
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


def adaptive_target(before: Tensor, direction: Tensor, scale: float) -> Tensor:
    r"""(N, d) $\beta\, \| M_{\theta_0}(t) \|_2\, u$.

    Args:
        before: (N, d) states of the model before unlearning.
        direction: (d,) $u$.
        scale: $\beta$.
    """
    target: Tensor = scale * before.norm(dim=1, keepdim=True) * direction
    return target


@dataclass(frozen=True)
class AdaptiveRMU(Method):
    r"""Minimise $\mathcal L_f + \alpha \mathcal L_r$ in the down-projections of three layers."""

    paper = "huutien2024effects"
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

    scale: float = hyperparameter(
        5.0,
        "β, how many times as long as a state its target is",
        source="released code, Zephyr-7B",
        above=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    retain_weight: float = hyperparameter(
        1200.0, "α, weight of the pinning term", source="released code, Zephyr-7B", minimum=0
    )
    depth: float = hyperparameter(
        0.226, "layer ℓ as a fraction of the depth", source="layer 7 of Zephyr-7B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Draw the direction, then train the chosen weights towards it."""
        direction = random_direction(model.width, run.seed).to(model.device)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            before = batch.before.activations(batch.forget, self.depth)
            target = adaptive_target(before, direction.to(before.dtype), self.scale)
            return steering_loss(model, batch, target, self.depth, self.retain_weight)

        return run.minimize(loss, model, data, steered_weights(model, self.depth), reference=self.reference)
