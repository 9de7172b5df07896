r"""Meta-unlearning with disruption masking and normalization (MUDMAN).

An adversary, a copy of the model, keeps relearning what is to be forgotten, and it is there that the unlearning
gradient is taken: where the knowledge is back. Of this gradient only those entries are used whose step would lower the
retain loss, too, and its length is fixed.

## Objective

Sondej et al.: with main weights $\theta$ and adversary's weights $\varphi$, in each step

$$
m \leftarrow \mu\, m + (1 - \mu)\, \nabla L(\mathcal D_r; \theta), \qquad
\varphi \leftarrow \varphi - \eta_a\, \nabla L(\mathcal D_f; \varphi), \qquad
g = \nabla \mathcal L_u(\mathcal D_f; \varphi),
$$

$$
\theta \leftarrow \theta - \eta \Big(
\frac{g \odot \mathbf 1[\mathrm{sign}(g) = \mathrm{sign}(m)]}{\lVert g \rVert} + \alpha\, m \Big) .
$$

## Symbols

- $L$: the mean negative log-likelihood of a set's answers.
- $\mathcal L_u$ (`objective`): minus the `entropy` of what is expected at the answers' tokens; or their
  log-`likelihood`,
  which is gradient ascent; or their `logit`, less the mean of all logits.
- $m$: a moving average of the retain gradient, with $\mu$ (`momentum`).
- $\eta$: the recipe's learning rate, so that the unlearning part of a step is at most $\eta$ long; $\alpha$
  (`retain_weight`): how much of $m$ is added. $\eta_a$ (`adversary_rate`): the adversary's rate.
- `fork_every`: after how many steps the adversary begins anew from $\theta$.

## Facts

- **No entry of the unlearning step goes against the retain gradient**: $\langle g \odot \mathbf 1[\cdot], m \rangle \ge
  0$, entry by entry. `gru` promises it for the sum alone, and so may leave more of $g$; here entries of opposite signs
  cannot make up for each other.
- **The length is fixed before the mask**: $\lVert g \rVert$ is that of all entries, so the more of them are masked, the
  shorter is the step; and a loss that grows, as ascent's does, makes no longer ones.
- Where $m$ is exactly 0 nothing is unlearned.
- With `fork_every` at 1 and $\eta_a = 0$ the adversary is the model itself, and what is left is masked and normalized
  unlearning.
- Plain descent, without an optimizer's scaling: with AdamW's the mask would hold and the length would not.

## Differences

1. The paper trains the gate projections of the MLPs only; here all weights.
2. The released code takes $g$ from the pass that was made before the adversary's step; here it is taken after it.
3. The retain step and the unlearning step are one here, so that $\nabla L(\mathcal D_r)$ is taken before both.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_nll,
)


def unlearning_loss(objective: str, out: TokenLogits) -> Tensor:
    r"""() $\mathcal L_u$ from logits at the tokens of answers to forget."""
    logprobs = torch.log_softmax(out.logits, dim=1)
    if objective == "entropy":
        return out.mean((logprobs.exp() * logprobs).sum(dim=1))
    if objective == "likelihood":
        return -mean_nll(out)
    return out.mean(out.logits.gather(1, out.targets[:, None])[:, 0] - out.logits.mean(dim=1))


def undisruptive(unlearning: Gradient, retaining: Gradient) -> Gradient:
    r"""$g \odot \mathbf 1[\mathrm{sign}(g) = \mathrm{sign}(m)] / \lVert g \rVert$."""
    return unlearning.unit().masked([g * m > 0 for g, m in zip(unlearning.parts, retaining.parts, strict=True)])


@dataclass(frozen=True)
class MUDMAN(Method):
    r"""Unlearn at an adversary that relearns, in the entries that cost nothing."""

    paper = "sondej2025robust"
    acts_on = "gradients"
    retain = "needed"
    copies = 1
    weighs_weights = True

    retain_weight: float = hyperparameter(
        0.01,
        "α, how much of the retain gradient's average is added",
        source="released example, where the two rates are 0.001 and 0.1",
        minimum=0,
        trade_off=(0.01, 0.03, 0.1, 0.3),
    )
    momentum: float = hyperparameter(
        0.9, "μ of the retain gradient's average", source="released example", minimum=0, below=1
    )
    adversary_rate: float = hyperparameter(
        0.001, "η_a, learning rate of the adversary", source="released example", minimum=0
    )
    fork_every: int = hyperparameter(
        32, "after how many steps the adversary begins anew", source="released example", minimum=1
    )
    objective: str = hyperparameter(
        "entropy", "what unlearning minimises", source="released example", choices=("entropy", "likelihood", "logit")
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Keep an adversary beside the model, and step along what it shows."""
        adversary = model.copy()
        average: Gradient | None = None
        taken = 0

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            nonlocal average, taken
            retaining = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            average = (1 - self.momentum) * retaining + self.momentum * (average or 0.0 * retaining)
            if taken % self.fork_every == 0:
                adversary.model.load_state_dict(model.model.state_dict())
            taken += 1
            relearning = Gradient.of(mean_nll(*adversary.token_logits(batch.forget)), adversary)
            relearning.step(self.adversary_rate)
            loss = unlearning_loss(self.objective, *adversary.token_logits(batch.forget))
            unlearning = Gradient(average.weights, Gradient.of(loss, adversary).parts)
            return undisruptive(unlearning, average) + self.retain_weight * average

        return run.minimize(step, model, data, optimizer=torch.optim.SGD)
