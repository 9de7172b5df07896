r"""Gradient rectified unlearning (GRU).

Before each step, ask whether unlearning would raise the loss on what must stay. If it would, take that part of the
gradient away, and keep the rest: the step that is nearest to the one wanted among those that do no harm.

## Objective

Wang et al.: with the gradient $g_u$ of an unlearning objective on forget examples and $g_r$ of the negative
log-likelihood of retain examples, step along the solution of

$$
\min_{g}\ \tfrac12 \lVert g - g_u \rVert^2 \ \text{ subject to }\ \langle g, g_r \rangle \ge 0 ,
\qquad
\tilde g = g_u - \frac{\min(0, \langle g_u, g_r \rangle)}{\lVert g_r \rVert^2}\, g_r .
$$

The objective is ascent on forget answers with weighted tokens, as in `wga`:
$\mathcal L_u = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t \mathrm{sg}[p_t^{\alpha}] \log p_t$.

## Symbols

- $\langle \cdot, \cdot \rangle$: the inner product over *all* weights together; tensor by tensor it is another method.
- $g_r$: a moving average, $\gamma\, g_r^{\text{now}} + (1 - \gamma)\, g_r^{\text{before}}$ (`gamma`).
- $p_t$: the probability of token $y_t$, raised to $\alpha$ (`exponent`): 0 is plain gradient ascent, 1 is `wga`.
- `retain_step`: how much of $g_r^{\text{now}}$ is added to $\tilde g$.

## Facts

- **To first order nothing is lost.** A small step of plain descent along $\tilde g$ does not raise the retain loss,
  for $\langle \tilde g, g_r \rangle = \max(0, \langle g_u, g_r \rangle)$. The optimizer scales every weight by itself,
  which keeps no angle: with it the promise is a tendency.
- **Nothing is done where there is no conflict**, and the length of $g_r$ never matters.
- $\tilde g$ is never longer than $g_u$, and still points up the forget loss:
  $\langle \tilde g, g_u \rangle = \lVert \tilde g \rVert^2$.
- Retain examples say where not to go. Unlike a retain term they are not learned, so what is lost to higher orders is
  not won back; that is what `retain_step` is for.

## Differences

1. The paper rectifies several objectives, `npo` and SimNPO among them; here those that weigh tokens.
2. The released code adds a retain gradient in its "+ce" variants alone; it can add one of a divergence as well.
3. The paper's variant without retain data, which puts task vectors in the place of $g_r$, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    weighted_ascent_loss,
)


def rectified(unlearning: Gradient, retaining: Gradient) -> Gradient:
    r"""$\tilde g$: the part of $g_u$ that goes against $g_r$ is taken away."""
    return unlearning if unlearning.dot(retaining) >= 0 else unlearning - unlearning.projected(retaining)


@dataclass(frozen=True)
class GRU(Method):
    r"""Step along $\tilde g$."""

    paper = "wang2025gru"
    acts_on = "gradients"
    retain = "needed"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "source": "released code, TOFU with Llama-2-7B; 2e-5 for Phi-1.5",
    }

    exponent: float = hyperparameter(
        1.0,
        "α, exponent of the tokens' weights: 0 is gradient ascent, 1 WGA",
        source="paper, base objectives",
        minimum=0,
    )
    gamma: float = hyperparameter(
        0.99, "γ, weight of the newest retain gradient", source="released launch script", above=0, maximum=1
    )
    retain_step: float = hyperparameter(
        0.0,
        "weight of the retain gradient added to the rectified one",
        source="paper; its released code adds it in the +ce variants",
        minimum=0,
        trade_off=(0.0, 0.5, 1.0, 2.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients in each step, made into one."""
        average: Gradient | None = None

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            nonlocal average
            (forget,) = model.token_logits(batch.forget)
            weights = (self.exponent * forget.token_logprobs()).exp()
            unlearning = Gradient.of(weighted_ascent_loss(forget, weights), model)
            retaining = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            average = retaining if average is None else self.gamma * retaining + (1 - self.gamma) * average
            return rectified(unlearning, average) + self.retain_step * retaining

        return run.minimize(step, model, data)
