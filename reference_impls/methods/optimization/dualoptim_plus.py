r"""Bridging shared and decoupled optimizer states for better unlearning (DualOptim+).

Steps that forget and steps that keep take turns, as in `dualoptim`, but what both have in common is remembered once: a
base that every turn changes. Each objective's own state holds but what departs from it. Where their gradients agree,
the two share a memory; where they conflict, the base holds nothing and each has its own.

## Objective

Zhong et al., as released: for an objective $o$, forget or retain, with the gradient $g = \nabla \mathcal L_o$ of its
turn, the base $(\bar m, \bar v)$ from before the step, and hats for what is corrected for a start at 0,

$$
m_o \leftarrow \beta_1 m_o + (1 - \beta_1)(g - \hat{\bar m}), \qquad
v_o \leftarrow \beta_2 v_o + (1 - \beta_2)(g^2 - \hat{\bar v}), \qquad
\theta \leftarrow \theta - \eta_o \frac{\hat m_o + \hat{\bar m}}{\sqrt{|\hat v_o + \hat{\bar v}|} + \varepsilon} ,
$$

and only then $\bar m \leftarrow \beta_1 \bar m + (1 - \beta_1)\, g$ and
$\bar v \leftarrow \beta_2 \bar v + (1 - \beta_2)\, g^2$. The losses are those of `me-gd`.

## Symbols

- $\eta_r$: the recipe's learning rate; $\eta_f = \rho\, \eta_r$ (`forget_rate` is $\rho$).
- `retain_steps`: how many turns of keeping follow each one of forgetting. Each is one of the recipe's steps.
- $\beta_1, \beta_2$: 0.9 and 0.95 in all three states. $\varepsilon = 10^{-8}$.

## Facts

- **Gradients that stay the same are followed as by two optimizers**: with $g_f$ in each turn of forgetting and $g_r$ in
  each of keeping, offset and base add up to the square and the mean of the objective's own gradient. So what
  `dualoptim` says holds in the long run: a weight of a loss has no effect.
- **What differs is whose gradients a memory is made of.** If $g_f = g_r$, offsets die away and all turns are one AdamW;
  if $g_f = -g_r$ in turns of equal number, the base is close to 0 and offsets are the states of `dualoptim`. That is
  the bridge by conflict that the paper speaks of; no factor measures the conflict.
- **By hand**: scalar gradients 1 (forget), -0.5 (retain), 0.8 (forget) give steps of 1, -1, 0.942, with two states of
  their own 1, -1, 0.991. Where all gradients are 1 they are 1, 1, 1.208: an offset that was learned before there was a
  base takes time to die away.
- $\hat v_o + \hat{\bar v}$ may fall below 0 where an objective's gradients become short all at once, hence the absolute
  value; near such a place a step is long.
- It keeps six numbers for every weight, `dualoptim` four, AdamW two.
- On `authors`, with $\rho = 3$: at the rate 0.0002 forget answers end at 0.68, retain answers at 0.98 and use at 0.648;
  at 0.0004 at 0.43, 0.96 and 0.630. `dualoptim` forgets more at the same rate (0.53, 0.97, 0.641; 0.33, 0.95, 0.626).
  Where both have forgotten as much they have kept as much: of the better balance that the paper reports nothing is to
  be seen in 60 turns, 10 of which forget.

## Differences

1. Verified against the optimizer's released step in 32 bits; the paper itself was read in its abstract only. The
   release has an $\alpha$ for the share of the base, which its step does not use: it is 1 here as there.
2. The variant with states of 8 bits is left out.
3. The released scripts also teach refusals in place of the maximum of entropy.
4. Batches hold examples of both sets; those that are not looked at in a turn are left out of it.
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
class DualOptimPlus(Method):
    """Take turns in forgetting and keeping, with a memory in common and two of what departs from it."""

    paper = "zhong2026dualoptim"
    acts_on = "gradients"
    retain = "needed"
    published = {
        "learning_rate": 1e-5,
        "steps": 300,
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
        optimizer = partial(DualAdamW, forget_rate=self.forget_rate, retain_steps=self.retain_steps, shared=True)
        losses = loss_in_turns(self.retain_steps, uniform_loss, mean_nll)
        return run.minimize(losses, model, data, optimizer=optimizer)
