r"""Targeted latent adversarial training (Targeted LAT).

Knowledge that a model has stopped saying is often one push of its hidden states away. So in each step an attacker first
finds the push that brings the forget answers back, and the model then unlearns them while it is pushed.

## Objective

Sheshadri et al., with shifts $\delta$ added to the hidden states after one layer:

$$
\min_\theta\ \mathcal L_{\mathrm{away}}(\theta; \delta^*) + \alpha\, L(\mathcal D_r; \theta),
\qquad
\delta^* = \arg\min_{\|\delta_t\|_2 \le \epsilon}\ L(\mathcal D_f; \theta, \delta),
$$

$$
\mathcal L_{\mathrm{away}}(\theta; \delta) = - \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|}
\sum_t \mathbf 1[\log p_t \ge -5]\, \log (1 - p_t), \qquad p_t = \pi_{\theta, \delta}(y_t \mid x, y_{<t}) .
$$

## Symbols

- $L(\mathcal D; \cdot)$: the mean negative log-likelihood of a set's answers. The attack is *targeted* since it lowers
  that of the very answers to forget.
- $\delta_t \in \mathbb R^d$: the shift at token $t$ of prompt and answer; $\epsilon$ (`radius`) bounds the length of
  each, relative to the median length of the states there.
- $\delta^*$: found by `attack_steps` steps of Adam from 0, each shift brought back into its ball after each step.
- `depth`: the layer, as a fraction of the depth.
- $\alpha$ (`retain_weight`): weight of the retain loss, whose states nobody shifts.

## Facts

- **$\epsilon = 0$ is unlearning without an attacker**, with a loss that has a floor:
  $\mathcal L_{\mathrm{away}} \ge 0$, and a token is let go once its probability is below $e^{-5}$.
- **A bounded pull**: the gradient at the logit of $y_t$ is $p_t$, at that of another token $v$
  $-p_t\, p_v / (1 - p_t)$. It is strongest where the answer is certain, and no weaker under attack, which makes $p_t$
  larger: tokens that look forgotten go on pulling.
- **`npo-sam` is its sibling**: there the worst point is one of the weights, in one step of the attacker's, here one of
  the hidden states of each text.
- No gradient goes through the search for $\delta^*$: for the model's step it is a constant.
- A step costs `attack_steps` passes forward and back more, from the last layer down to the attacked one.

## Differences

1. The paper bounds shifts by absolute lengths ($\epsilon = 2$ at layer 7 of Zephyr-7B); here the bound goes with the
   size of the states, and the attacker's steps with the bound.
2. The paper's loss has a third term, on general instructions. Here the retain set is all that is kept.
3. The released code takes four steps of the model for each attack; here each batch is attacked once.
4. The paper attacks RMU and Who's Harry Potter, too; here the form that goes away from the forget answers.
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
    away_loss,
    hyperparameter,
    mean_nll,
    shifted,
    worst_shift,
)


@dataclass(frozen=True)
class TargetedLAT(Method):
    r"""Find $\delta^*$, and minimise the loss under it."""

    paper = "sheshadri2024targeted"
    acts_on = "activations"
    retain = "optional"
    parts = ("blocks",)
    remembers = False

    radius: float = hyperparameter(
        0.3,
        "ε, how far a state may be shifted, relative to its length",
        source="ours; the paper's is absolute",
        minimum=0,
    )
    attack_steps: int = hyperparameter(16, "steps of the attacker", source="released notebook for WMDP", minimum=1)
    depth: float = hyperparameter(
        0.226, "attacked layer as a fraction of the depth", source="layer 7 of Zephyr-7B's 32", minimum=0, maximum=1
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released notebook for WMDP",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the loss with the run's recipe."""
        return run.minimize(self.loss, model, data, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """Attack the forget texts of one batch, then tell the loss."""
        layer = model.layer_at(self.depth)
        shift = worst_shift(model, batch.forget, layer, mean_nll, self.radius, self.attack_steps)
        with shifted(model, layer, shift):
            (forget,) = model.token_logits(batch.forget)
        (retain,) = model.token_logits(batch.retain)
        return away_loss(forget) + self.retain_weight * mean_nll(retain)
