r"""Hardness-aware multi-objective unlearning (HAMU).

Each step has a duty: the forget loss has to rise by a fixed amount. Of all short steps that fulfil it, the one is taken
along which the retain loss falls most, or rises least. How much of the way forgetting leaves to keeping is told by the
inner product of both gradients: it is how hard the request is, and shows when harm can no longer be avoided.

## Objective

Chen et al.: with the gradients $g_f, g_r$ of the mean negative log-likelihood of forget and of retain answers, each
step $\delta$ solves the convex problem

$$
\min_{\delta}\ \langle g_r, \delta \rangle
\quad\text{subject to}\quad \langle g_f, \delta \rangle \ge Q, \quad \lVert \delta \rVert \le R .
$$

With $R = \eta\, \lVert g_r \rVert$ and $Q = c\, \eta$, as in the released code, the rate drops out of
$\delta = -\eta\, d$:

$$
d = \begin{cases}
g_r & \text{if } \kappa \le -c \\
-\dfrac{c}{\lVert g_f \rVert^2}\, g_f
  + \sqrt{\lVert g_r \rVert^2 - \dfrac{c^2}{\lVert g_f \rVert^2}}\; \dfrac{g_\perp}{\lVert g_\perp \rVert}
& \text{else,}
\end{cases}
\qquad
\kappa = \langle g_r, g_f \rangle, \quad g_\perp = g_r - \frac{\kappa}{\lVert g_f \rVert^2}\, g_f .
$$

Where even the longest step is too short, $c > \lVert g_r \rVert \lVert g_f \rVert$, only the first term is left.

## Symbols

- $c$ (`rise`): by how much the forget loss has to rise in a step, in learning rates.
- $\kappa$: the hardness. Where it is far below 0, keeping does all that forgetting asks for.
- `by_tensor`: each weight tensor $i$ solves a problem of its own, with the share
  $c_i = c\, \lVert g_{r,i} \rVert \lVert g_{f,i} \rVert \,/ \sum_j \lVert g_{r,j} \rVert \lVert g_{f,j} \rVert$.
- `duty`: with `keeping`, the two change places: the retain loss has to fall by $c\,\eta$, and the forget loss rises as
  it can within $R = \eta\, \lVert g_f \rVert$ (HAMU-U; the above is HAMU-Q).
- `stops`: end where no step within reach does its duty without harm to the other loss.

## Facts

- **What is asked for is done, to first order**: $-\langle d, g_f \rangle \ge c$, with equality but in the first case.
  So the forget loss rises by $c\,\eta$ in a step whether answers are known by heart or all but gone; with ascent it is
  $\eta \lVert g_f \rVert^2$, and with `blur` $\gamma$ times that, which is little where answers are known by heart.
- **The mirror image of `gru`**, which takes the forget gradient and asks that the retain loss should not rise.
- **By hand**: $g_r = (3, 4)$, $g_f = (2, 0)$, $c = 6$: $\kappa = 6$, $g_\perp = (0, 4)$, $d = (-3, 4)$, and the retain
  loss falls at the rate $7$. With $g_f = (-2, 0)$ the hardness is $-6 = -c$, and $d = g_r$ is enough.
- **When harm begins**: with $\kappa > 0$, $\langle d, g_r \rangle < 0$ just where
  $c^2 > \lVert g_r \rVert^2 \lVert g_f \rVert^2 - \kappa^2$.
- **Tensor by tensor** the duty is still done as a whole, for shares add up, and no step is longer; but what one tensor
  could do at less cost another does. All are in reach or none is, and the first case holds where the cosine of a
  tensor's two gradients is below $-c \,/ \sum_j \lVert g_{r,j} \rVert \lVert g_{f,j} \rVert$.
- **A model that knows all by heart has short gradients**, so that the duty is out of reach: there it ascends, and
  keeping has no say until both are longer. With `stops` such a run ends in its first steps.
- On `authors` at the rate 0.1, $c = 1$ leaves forget answers at 0.42 (retrained: 0.45) and retain answers at 0.97,
  where they were; $c = 0.5$ leaves 0.57 and 0.97, and at the rate 0.3 0.38 and 0.98. That is what `gru` (0.47, 0.98)
  and `blur` (0.44, 0.98) come to, with AdamW. Solved as a whole, $c = 1$ leaves 0.44 and 0.97. Some answers become
  repetitions of a word: nothing says what to say instead, and nothing ends the ascent but the number of steps.
- In 10 of those 60 steps harm could not be avoided; at the rate 0.03 with $c = 0.5$, which stays near the start for
  longer, in 24.

## Differences

1. Verified: the formula is that of the released code (`core.py`), and solves the problem by the conditions of Karush,
   Kuhn and Tucker; a test holds it against all steps on a grid. The paper itself was read in abstract and summary only.
2. The released code would end a run as soon as $c$ passes $\sum_i \sqrt{\lVert g_{r,i} \rVert^2 \lVert g_{f,i}
   \rVert^2 - \kappa_i^2}$; here it also has to be that $\kappa > 0$, for otherwise nothing is lost.
3. A run tells in how many steps harm could not be avoided; the code writes all of $\kappa$ to a log.
4. Plain descent, as released by default, and with gradients shortened to the length 1, as there. Adapters there; here
   whatever trains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
)

ROUNDING = 1e-6
"""Relative to the retain gradient, what is left of its part across the other one where there is none."""


def least_harm(retaining: Gradient, forgetting: Gradient, rise: float) -> Gradient:
    r"""$d$: within $\lVert g_r \rVert$, what lowers the retain loss most while the forget loss rises by $c$."""
    hardness, square = retaining.dot(forgetting), forgetting.dot(forgetting)
    if hardness <= -rise:
        return retaining
    if square == 0:
        return 0.0 * retaining
    due = -rise / square * forgetting
    across = retaining - retaining.projected(forgetting)
    if across.norm() <= ROUNDING * retaining.norm():
        return due
    left = max(0.0, retaining.dot(retaining) - rise**2 / square)
    return due + math.sqrt(left) * across.unit()


def single(gradient: Gradient) -> list[Gradient]:
    """The same, tensor by tensor."""
    return [Gradient((weight,), (part,)) for weight, part in zip(gradient.weights, gradient.parts, strict=True)]


def free_of_harm(pairs: list[tuple[Gradient, Gradient]]) -> float:
    r"""The largest $c$ at which no harm is done though the gradients agree: the sum over pairs of their areas."""
    return sum(math.sqrt(max(0.0, one.dot(one) * other.dot(other) - one.dot(other) ** 2)) for one, other in pairs)


@dataclass(frozen=True)
class HAMU(Method):
    r"""Step along $d$."""

    paper = "chen2026hard"
    acts_on = "gradients"
    retain = "needed"
    published = {
        "learning_rate": 1e-4,
        "epochs": 10,
        "batch_size": 50,
        "source": "released script, WaterDrum-TOFU with Llama-2-7B and LoRA",
    }

    rise: float = hyperparameter(
        0.5,
        "c, by how much the forget loss has to rise in a step, in learning rates",
        source="released script",
        minimum=0,
        trade_off=(0.1, 0.3, 0.5, 1.0),
    )
    by_tensor: bool = hyperparameter(
        True, "whether each weight tensor solves the problem by itself", source="released script"
    )
    duty: str = hyperparameter(
        "forgetting",
        "what has to be done in each step; the other is done as it can",
        source="released script",
        choices=("forgetting", "keeping"),
    )
    stops: bool = hyperparameter(
        False, "whether to end where harm can no longer be avoided", source="released code, which has it as an option"
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients in each step, made into one."""
        steps = harmful = 0

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            nonlocal steps, harmful
            forgetting = Gradient.of(mean_nll(*model.token_logits(batch.forget)), model)
            retaining = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            if self.duty == "keeping":
                retaining, forgetting = -1.0 * forgetting, -1.0 * retaining
            apart = self.by_tensor
            kept, lost = (single(one) if apart else [one] for one in (retaining, forgetting))
            pairs = list(zip(kept, lost, strict=True))
            hard = retaining.dot(forgetting) > 0 and self.rise > free_of_harm(pairs)
            steps, harmful = steps + 1, harmful + hard
            if hard and self.stops:
                return 0.0 * retaining
            lengths = [one.norm() * other.norm() for one, other in pairs]
            total = sum(lengths) or 1.0
            solved = [
                least_harm(one, other, self.rise * length / total)
                for (one, other), length in zip(pairs, lengths, strict=True)
            ]
            parts = tuple(part for one in solved for part in one.parts)
            return Gradient(retaining.weights, parts)

        run.minimize(step, model, data, finished=lambda done: self.stops and harmful > 0, optimizer=torch.optim.SGD)
        run.tell(
            f"In {harmful} of {steps} steps no step within reach would have spared the other loss." * (harmful > 0)
        )
        return model
