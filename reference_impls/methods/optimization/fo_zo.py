r"""Hybrid of first-order and zeroth-order steps (FO-ZO).

The cruder the optimizer, the harder it is to undo what it did: steps that know values of the loss alone, and no
gradient, end where the loss stays low for some way around. By themselves they forget too little, so they take turns
with ordinary steps, and come last.

## Objective

Lang et al., for any loss $\mathcal L$: $N$ steps of Adam along $\nabla \mathcal L$, then $N$ steps along an estimate of
it, and so on, so that the estimate has the last turn:

$$
\hat\nabla \mathcal L(\theta) = \frac{1}{q} \sum_{i=1}^{q}
\frac{\mathcal L(\theta + \mu u_i) - \mathcal L(\theta - \mu u_i)}{2 \mu}\, u_i,
$$

$$
m \leftarrow \beta_1 m + (1 - \beta_1)\, \hat\nabla \mathcal L, \qquad
v \leftarrow \beta_2 v + (1 - \beta_2)\, m \odot m, \qquad
\theta \leftarrow \theta - \eta\, \frac{m}{\sqrt{v} + \epsilon} .
$$

## Symbols

- $u_i$: random directions, all of one length, drawn anew in every step; $q$ (`directions`), $\mu$ (`smoothing`).
- $N$ (`period`): steps in a turn. $\eta$: the recipe's rate, in the zeroth-order steps times `zeroth_rate`.
- $m$, $v$: the estimate's moments, of the zeroth-order steps alone; $v$ is of what is averaged already, whose noise is
  less than the estimate's own. $\beta_1 = 0.9$, $\beta_2 = 0.99$.
- $\mathcal L$ (`objective`): `npo`, with $\beta$ (`beta`), or `ascent`, plus $\lambda$ (`retain_weight`) times the
  negative log-likelihood of retain answers.

## Facts

- **What is descended is a smoothed loss.** The mean of $\hat\nabla \mathcal L$ over directions is the gradient of
  $\mathbb E_u\, \mathcal L(\theta + \mu u)$: `npo-sam` with its smoothing `rs`, of which no gradient is taken.
- **An estimate from $q$ directions has an angle to the gradient of about $\arccos \sqrt{q / d}$**, with $d$ weights:
  a thousandth for a million weights and one direction. All but that of the step is noise, whose entries Adam makes as
  large as those of any other step; it is the noise that takes the weights to another basin.
- Exact for a loss that is quadratic, along $u$, whatever $\mu$.
- A zeroth-order step takes $2 q$ passes forward, none back, and no memory for any.
- **On `authors` none of the gain shows.** After 60 steps of `npo` (rate $2 \cdot 10^{-4}$, $\lambda = 5$) forget and
  retain answers are at 0.08 and 0.92, and twenty steps on half of the forget answers bring the other half to 0.24. With
  60 steps without gradients in between it is 0.09, 0.90 and 0.26; with these five times as long 0.09, 0.62 and 0.32;
  with ten times, at $\lambda = 1$, the model is gone. One direction among a million weights tells a thousandth of the
  gradient, so in tens of steps all that these add is noise: no longer than other steps, it does nothing; longer, it
  costs what is to stay. What the paper's models have that this one has not, and so would bear it, was not found out.

## Differences

1. The turns, the estimate and its use of spheres are those of public notes on the paper, which agree with each other.
   The released repository had no code where it could be seen. The notes do not say $\mu$, $q$ or the rates.
2. The notes call the optimizer AdaZO and give no formula; it is taken to be R-AdaZO (Shu et al., arXiv 2502.01014),
   checked against two public implementations. These leave $v$ as it starts, at 0, for which the first step would be
   $1 / \sqrt{1 - \beta_2} = 10$ times as long as others; here $v$ is corrected as Adam's is.
3. Directions are on the sphere of radius $\sqrt d$, not 1, so that the estimate is of the gradient's own length and
   $\mu$ means what it does for normal directions, the change of a weight.
4. Turns are counted from the last step, so that a recipe whose steps are no multiple of $2 N$ begins with less.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    ascent_or_npo,
    hyperparameter,
    mean_nll,
    trained_weights,
)

MEMORY, SQUARES, SQUARES_ZEROTH, EPSILON = 0.9, 0.999, 0.99, 1e-8
r"""$\beta_1$ of both, $\beta_2$ of Adam and of R-AdaZO, and $\epsilon$."""


def is_zeroth(turn: int, steps: int, period: int) -> bool:
    """Whether a step, counted from 0, is one without gradients: the last ``period`` are, and every other turn."""
    return (steps - 1 - turn) // period % 2 == 0


def estimated(value: Callable[[], Tensor], weights: Sequence[Tensor], smoothing: float, directions: int) -> Gradient:
    r"""$\hat\nabla \mathcal L$, from values of the loss at the weights as they are when it is called."""
    radius = math.sqrt(sum(weight.numel() for weight in weights))
    total = Gradient(tuple(weights), tuple(torch.zeros_like(weight) for weight in weights))
    for _ in range(directions):
        drawn = Gradient(total.weights, tuple(torch.randn_like(weight) for weight in weights))
        direction = radius * drawn.unit()
        values = []
        for distance in (smoothing, -smoothing):
            with torch.no_grad(), direction.ahead(distance):
                values.append(float(value()))
        total = total + (values[0] - values[1]) / (2 * smoothing * directions) * direction
    return total


class TwoOrders(torch.optim.Optimizer):
    """Adam and R-AdaZO in turns, each with moments of its own; ``turns`` are the arguments of :func:`is_zeroth`."""

    def __init__(self, weights: Iterable[Tensor], lr: float, weight_decay: float, **turns: Any) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay, **turns})
        self.turns = itertools.count()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step from the gradients as they are; the loop has no closure to evaluate again."""
        turn = next(self.turns)
        for group in self.param_groups:
            zeroth = is_zeroth(turn, group["steps"], group["period"])
            rate = group["lr"] * (group["zeroth_rate"] if zeroth else 1.0)
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - rate * group["weight_decay"])
                    mean, square = self._moments(weight, weight.grad, zeroth)
                    weight.addcdiv_(mean, square.sqrt() + EPSILON, value=-rate)

    def _moments(self, weight: Tensor, gradient: Tensor, zeroth: bool) -> tuple[Tensor, Tensor]:
        kept = self.state[weight].setdefault(
            "zeroth" if zeroth else "first", {"m": torch.zeros_like(weight), "v": torch.zeros_like(weight), "count": 0}
        )
        kept["count"] += 1
        mean = kept["m"].lerp_(gradient, 1 - MEMORY)
        decay = SQUARES_ZEROTH if zeroth else SQUARES
        square = kept["v"].lerp_((mean if zeroth else gradient).square(), 1 - decay) / (1 - decay ** kept["count"])
        return mean if zeroth else mean / (1 - MEMORY ** kept["count"]), square


@dataclass(frozen=True)
class FOZO(Method):
    """Take turns in steps along a gradient and along an estimate of it."""

    paper = "lang2025downgrade"
    acts_on = "gradients"
    reference = "log-probabilities"
    retain = "optional"

    period: int = hyperparameter(20, "N, steps in a turn", source="paper, ablation: 20 of each", minimum=1)
    directions: int = hyperparameter(1, "q, directions in a step without gradients", source="ours", minimum=1)
    smoothing: float = hyperparameter(
        1e-3, "μ, how far a weight is moved to look", source="ours, as of MeZO; the notes do not say", above=0
    )
    zeroth_rate: float = hyperparameter(
        1.0, "rate of steps without gradients, relative to that of the others", source="ours", above=0
    )
    objective: str = hyperparameter("npo", "what is minimised", source="paper, TOFU", choices=("npo", "ascent"))
    beta: float = hyperparameter(0.1, "β, npo's inverse temperature", source="NPO's paper", above=0)
    retain_weight: float = hyperparameter(
        1.0, "λ, weight of the retain loss", source="NPO's released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Count the turns as the optimizer does, and give it the gradient or the estimate that is due."""
        turns = itertools.count()

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            value = partial(self.loss, model, batch)
            if is_zeroth(next(turns), run.recipe.steps, self.period):
                return estimated(value, trained_weights(model), self.smoothing, self.directions)
            return Gradient.of(value(), model)

        optimizer = partial(TwoOrders, steps=run.recipe.steps, period=self.period, zeroth_rate=self.zeroth_rate)
        return run.minimize(
            step, model, data, reference=self.reference, retain=self.looks_at_retain, optimizer=optimizer
        )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        forgotten = ascent_or_npo(forget, batch.forget.reference, self.objective, self.beta)
        return forgotten + self.retain_weight * mean_nll(retain)
