r"""Unlearning as an asymmetric two-task problem: sign-aligned gradients (SAGO).

To keep is the task, to forget an addition that must not harm it. Weight by weight, the gradient that forgets is
followed where it points the way in which retain answers would have the weight go, too; elsewhere theirs is followed.

## Objective

Xiao et al., with the gradients $g_f$, $g_r$ of a forget and a retain loss that are both to be lowered:

$$
\tilde g_i = \begin{cases}
\alpha\, g_{r,i} & g_{f,i}\, g_{r,i} < 0, \\
\gamma\, g_{f,i} & \text{otherwise.}
\end{cases}
$$

## Symbols

- The forget loss (`objective`): that of `npo` with $\beta$ (`beta`), or ascent.
- The retain loss: the mean negative log-likelihood of retain answers.
- $\alpha$ (`retain_weight`), $\gamma$ (`forget_weight`): how much of either.

## Facts

- **No entry goes against the retain gradient**: $\tilde g_i\, g_{r,i} \ge 0$ for all $i$, so that plain descent lowers
  the retain loss to first order. Projections as that of `gru` have that of the sum alone.
- **By hand**: $g_f = (1, -2, 3)$ and $g_r = (2, 1, 0)$ give $(1, 1, 3)$ with both weights 1.
- **Retain gradients are not added where there is no conflict.** They say where to forget, and act where to forget would
  harm; half of the entries, if signs are by chance.
- **Against `mudman`**, which uses the entries of equal sign as well and sets the others to 0: here those are taken for
  keeping, and what is compared is this step's gradient, no average.
- On `authors`, with $\alpha = \gamma = 1$, forget answers fall to 0.19 and 0.02 at the rates 0.0002 and 0.0005, and
  retain answers stay at 0.95 and 0.96, from 0.98. The sum of the same losses, with $\alpha = 5$, keeps 0.91 at 0.0002,
  where it forgets to 0.08: what the paper claims holds here, too.

## Differences

1. The paper also takes the loss of `sim-npo`, and PCGrad in the place of the rule (see `gru`).
2. The rule is that of the released code, in which an entry without a sign is no conflict; the released weights for
   `npo` are $\alpha = 1$ and $\gamma = 0.1$ with $\beta = 10^{-4}$ (WMDP-bio).
3. AdamW follows $\tilde g$, there as here; what holds for the signs of a step holds for plain descent alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

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
)


def sign_aligned(forgetting: Gradient, retaining: Gradient) -> Gradient:
    r"""$\tilde g$, from $\gamma g_f$ and $\alpha g_r$."""
    pairs = zip(forgetting.parts, retaining.parts, strict=True)
    return replace(
        forgetting, parts=tuple(torch.where(one.sign() * other.sign() < 0, other, one) for one, other in pairs)
    )


@dataclass(frozen=True)
class SAGO(Method):
    r"""Step along $\tilde g$."""

    paper = "xiao2026modeling"
    acts_on = "gradients"
    reference = "log-probabilities"
    retain = "needed"
    remembers = False
    weighs_weights = True
    published = {
        "learning_rate": 1e-5,
        "steps": 150,
        "batch_size": 32,
        "source": "released code, WMDP-bio with Zephyr-7B, NPO",
    }

    retain_weight: float = hyperparameter(
        1.0,
        "α, how much of the retain gradient",
        source="released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    forget_weight: float = hyperparameter(
        0.1, "γ, how much of the forget gradient", source="released code, NPO on WMDP-bio", minimum=0
    )
    objective: str = hyperparameter("npo", "the forget loss", source="paper", choices=("npo", "ascent"))
    beta: float = hyperparameter(0.1, "β of NPO", source="NPO's paper", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients in each step, made into one."""

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            (retain,) = model.token_logits(batch.retain)
            retaining = Gradient.of(mean_nll(retain), model)
            (forget,) = model.token_logits(batch.forget)
            loss = ascent_or_npo(forget, batch.forget.reference, self.objective, self.beta)
            forgetting = Gradient.of(loss, model)
            return sign_aligned(self.forget_weight * forgetting, self.retain_weight * retaining)

        return run.minimize(step, model, data, reference=self.reference)
