r"""Dual optimizers for unlearning (DualOptim).

Forgetting and keeping never share a step. Steps on the one loss and on the other take turns, and each has an optimizer
of its own, which remembers only its own gradients: what forgetting has gathered does not lean on a step that keeps.

## Objective

Zhong et al.: for an objective $o$, forget or retain, with the gradient $g = \nabla \mathcal L_o$ of its turn, the state
$(m_o, v_o)$ of an AdamW that only this objective's turns change, and hats for what is corrected for a start at 0,

$$
m_o \leftarrow \beta_1 m_o + (1 - \beta_1)\, g, \qquad
v_o \leftarrow \beta_2 v_o + (1 - \beta_2)\, g^2, \qquad
\theta \leftarrow \theta - \eta_o \frac{\hat m_o}{\sqrt{\hat v_o} + \varepsilon} .
$$

The losses are those of `me-gd`: maximum entropy at the answers to forget, $\mathcal L_f = -\mathbb E_{(x,y) \sim
\mathcal D_f} \frac{1}{|y|} \sum_t \frac1V \sum_v \log p_\theta(v \mid x, y_{<t})$, and the likelihood of those to keep.

## Symbols

- $\eta_r$: the recipe's learning rate; $\eta_f = \rho\, \eta_r$ (`forget_rate` is $\rho$).
- `retain_steps`: how many turns of keeping follow each one of forgetting. Each is one of the recipe's steps.
- $\beta_1, \beta_2$: 0.9 and 0.999. $\varepsilon = 10^{-8}$.
- $V$: how many tokens there are.

## Facts

- **A weight of a loss has no effect.** AdamW's step does not change if all gradients of a state are multiplied by a
  number; with one state for two losses only their quotient counts, with two not even that. What takes its place is
  $\rho$, and how often each has its turn.
- **What one state does.** Scalar gradients 1 (forget), -0.5 (retain), 0.8 (forget) and betas of 0.9 and 0.95: one Adam
  steps by 1, 0.268, 0.542, so the turn that should keep goes on forgetting. Two step by 1, -1, 0.991.
- The paper's claim is less variance over seeds and settings. On `authors`, with $\rho = 3$ and the rate 0.0004, four
  seeds leave forget answers at 0.32 with a deviation of 0.015; with one state for the same turns they are at 0.43 with
  one of 0.023. At 0.0002 that is 0.50 (0.028) and 0.59 (0.032). So more is forgotten in as many steps, and seeds agree
  somewhat better on it; on what is kept (0.95 to 0.97) they do not.
- Against `me-gd`, whose losses are the same and added: with few turns of forgetting what is kept is kept better, not
  more is forgotten. At the rate 0.0002 and $\rho = 3$ forget answers end at 0.53 and retain answers at 0.97; with
  `me-gd` at 0.37 and 0.94. Where turns of forgetting are a third instead of a sixth, all is lost at that rate.
- It keeps four numbers for every weight where AdamW keeps two. A step looks at one of the two sets, and so costs half.

## Differences

1. The paper takes the losses as they are: also refusals with their preference over answers, and for images those of
   `scrub` and `salun`, with SGD for keeping. Here one pair of them.
2. How rates rise and fall is the recipe's matter; its warm-up counts both kinds of turn.
3. Batches hold examples of both sets; those that are not looked at in a turn are left out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from reference_impls.toolkit import (
    DualAdamW,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    loss_in_turns,
    mean_nll,
    uniform_loss,
)


@dataclass(frozen=True)
class DualOptim(Method):
    """Take turns in forgetting and keeping, each with its own optimizer."""

    paper = "zhong2025dualoptim"
    acts_on = "gradients"
    retain = "needed"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "weight_decay": 0.01,
        "source": "released scripts, TOFU with Phi-1.5",
    }

    forget_rate: float = hyperparameter(
        1.0,
        "ρ, learning rate of forgetting relative to that of keeping",
        source="released scripts",
        above=0,
        trade_off=(0.3, 1.0, 3.0, 10.0),
    )
    retain_steps: int = hyperparameter(
        5, "how many turns of keeping follow one of forgetting", source="released scripts", minimum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the loss that is due, by the optimizer whose turn it is."""
        optimizer = partial(DualAdamW, forget_rate=self.forget_rate, retain_steps=self.retain_steps, shared=False)
        return run.minimize(loss_in_turns(self.retain_steps, uniform_loss, mean_nll), model, data, optimizer=optimizer)
