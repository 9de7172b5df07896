r"""Adversarial gating training with adaptive orthogonality (AGT-AO).

Forget while an attacker shifts the hidden states of each forget text to where forgetting is worst, but let him in only
when the model has settled: a gate looks at the length of the gradient. And prefer weights at which forgetting and
keeping pull less against each other: how much they conflict is a penalty of its own.

## Objective

Li et al.: with $\mathcal L_f$ the loss of negative preference optimization (`npo`) under shifts $\delta$ that are added
behind one block, in the model and in the one before unlearning,

$$
\min_\theta\ \max_{\lVert \delta \rVert_\infty \le \epsilon} \mathcal L_f(\theta; \delta)
+ \alpha\, L(\mathcal D_r; \theta) + \lambda\, \mathcal R(\theta),
\qquad
\mathcal R = \mathbf 1[\langle g_f, g_r \rangle < 0] \left( \frac{1 - \cos(g_f, g_r)}{2} \right)^{\gamma},
$$

where $g_f = \nabla_\theta \mathcal L_f$ and $g_r = \nabla_\theta L(\mathcal D_r)$. Nobody attacks over the first steps
(`warmup`), nor in any step whose gradient $g_f + \alpha\, g_r$ without an attack is longer than $\rho$ times the mean
over those.

## Symbols

- $\delta \in \mathbb R^{L \times d}$: for each text, found from 0 by `attack_steps` steps of $\epsilon / 2$ along the
  sign of the gradient, each clamped to $\pm \epsilon$ (`radius`, relative to the states' root mean square).
- $\alpha$ (`retain_weight`), $\beta$ (`beta`): of the two losses.
- $\lambda$ (`orthogonality`), $\gamma$ (`focus`): weight and shape of the penalty.
- $\rho$ (`gate`): how settled the model has to be.

## Facts

- **With $\epsilon = 0$ and $\lambda = 0$ it is `npo`** with its retain term.
- **The penalty has a gradient of second order.** With unit vectors $u$, $r$ along $g_f$, $g_r$ and $c = \langle u, r
  \rangle$ it is $\mathcal R'(c) \big( H_f (r - c u) / \lVert g_f \rVert + H_r (u - c r) / \lVert g_r \rVert \big)$,
  and each product with a Hessian is the difference of two gradients, at the weights and a little way along the vector.
- It never asks for a right angle: where $c \ge 0$ it is 0, and at $c = 0$ it jumps to $2^{-\gamma}$.
- **What each part does** on `authors`, at the level to which `npo` forgets: with the penalty alone retain answers keep
  0.94 instead of 0.92, and with both parts half of the forget answers bring back less of the other half (0.11, `npo`:
  0.12). An attacker three times as strong does harm: 0.18, and 0.89 of what is kept. He may win by making the answers
  unlikely for the model before unlearning, which he shifts as well.
- **The gradient grows at first**, as answers become unlikely, so that with $\rho = 1$ the gate opens late.
- Beside `targeted-lat`: there the attacker lowers the loss of the answers themselves, in balls, at every step.

## Differences

1. In the released code the penalty is computed from gradients without a graph, so that adding it changes no update, and
   $g_f$ is there the gradient of the whole loss. Here it has its gradient, and $g_f$ is as the formula says. The code's
   page speaks of a projection as well; that is `gru`.
2. The code carries $\delta$ on to the next batch, also through steps whose gate is shut. Texts differ in length, so
   here each batch starts from 0, and where the gate is shut nobody attacks.
3. The code's bound on the gradient is a fixed 2, and $\epsilon = 0.01$; both here go with the size of what they bound.
4. The paper trains low-rank adapters; here all weights.
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
    UnlearningData,
    hyperparameter,
    mean_nll,
    npo_loss,
    shifted,
)

REACH = 1e-3
"""How far along a direction of length 1 a gradient is taken again, relative to the weights' length."""


def conflict(cosine: float, focus: float) -> tuple[float, float]:
    r"""$\mathcal R$ and $\mathcal R'$ at a cosine."""
    if cosine >= 0:
        return 0.0, 0.0
    half = (1 - cosine) / 2
    return half**focus, -focus / 2 * half ** (focus - 1)


@dataclass(frozen=True)
class AGTAO(Method):
    """Forget under a gated attack, away from conflicts of gradients."""

    paper = "li2026agt"
    acts_on = "gradients"
    reference = "model"
    retain = "needed"
    parts = ("blocks",)

    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="released code", above=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    beta: float = hyperparameter(0.1, "β of the preference loss", source="released code", above=0)
    orthogonality: float = hyperparameter(1.0, "λ, weight of the penalty", source="released code", minimum=0)
    focus: float = hyperparameter(1.0, "γ, shape of the penalty", source="released page; its code: 2", minimum=1)
    radius: float = hyperparameter(
        0.1, "ε, bound of each entry of a shift, relative to the states'", source="ours; code: absolute", minimum=0
    )
    attack_steps: int = hyperparameter(4, "of the attacker", source="released code", minimum=1)
    depth: float = hyperparameter(
        0.31, "attacked block as a fraction of the depth", source="block 10 of Llama-2's 32", minimum=0, maximum=1
    )
    gate: float = hyperparameter(1.0, "ρ, longest gradient that lets the attacker in", source="ours", minimum=0)
    warmup: int = hyperparameter(10, "steps without an attack", source="ours; paper: an epoch", minimum=1)

    def forgetting(self, model: LanguageModel, batch: Batch, shift: Tensor) -> Tensor:
        r"""() $\mathcal L_f$ under (B, L, d) shifts of the states."""
        layer = model.layer_at(self.depth)
        with shifted(model, layer, shift), shifted(batch.before, layer, shift):
            (now,), (before,) = model.token_logits(batch.forget), batch.before.token_logits(batch.forget)
        return npo_loss(now.sequence_logprobs(), before.sequence_logprobs(), self.beta)

    def attack(self, model: LanguageModel, batch: Batch) -> Tensor:
        r"""(B, L, d) $\delta$."""
        with torch.no_grad():
            (states,) = model.outputs(batch.forget, [model.blocks[model.layer_at(self.depth)]])
        read = batch.forget.attention_mask.bool()
        bound = self.radius * float(states[read].float().square().mean().sqrt())
        shift = torch.zeros_like(states, dtype=torch.float32)
        for _ in range(self.attack_steps if bound else 0):
            shift.requires_grad_(True)
            (up,) = torch.autograd.grad(self.forgetting(model, batch, shift), [shift])
            shift = (shift.detach() + bound / 2 * up.sign()).clamp(-bound, bound) * read[:, :, None]
        return shift.detach()

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Three gradients in each step, made into one."""
        lengths: list[float] = []

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            shift = torch.zeros(*batch.forget.input_ids.shape, model.width, device=model.device)

            def forgets() -> Gradient:
                return Gradient.of(self.forgetting(model, batch, shift), model)

            def keeps() -> Gradient:
                return Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)

            unlearning, retaining = forgets(), keeps()
            length = (unlearning + self.retain_weight * retaining).norm()
            if len(lengths) < self.warmup:
                lengths.append(length)
            elif self.radius and length <= self.gate * sum(lengths) / len(lengths):
                shift = self.attack(model, batch)
                unlearning = forgets()
            total = unlearning + self.retain_weight * retaining
            u, r = unlearning.unit(), retaining.unit()
            cosine = u.dot(r)
            _, slope = conflict(cosine, self.focus)
            if self.orthogonality and slope:
                reach = REACH * Gradient(total.weights, tuple(weight.detach() for weight in total.weights)).norm()
                for gradient, again, along in (
                    (unlearning, forgets, r - cosine * u),
                    (retaining, keeps, u - cosine * r),
                ):
                    with along.unit().ahead(reach):
                        ahead = again()
                    bend = self.orthogonality * slope * along.norm() / (reach * gradient.norm())
                    total = total + bend * (ahead - gradient)
            return total

        return run.minimize(step, model, data, reference=self.reference)
