r"""Normalized gradient difference (NGDiff).

Gradient difference with both gradients brought to the same length before they are combined. However large one loss
is, and however it grows while the model forgets, both have the same say in where the step goes.

## Objective

Bu et al.: forgetting and keeping as two tasks; each step descends along

$$
g_{\mathrm{NGDiff}} = \frac{g_R}{\lVert g_R \rVert} - \frac{g_F}{\lVert g_F \rVert},
\qquad
g_R = \nabla L(\mathcal D_r; \theta), \quad g_F = \nabla L(\mathcal D_f; \theta).
$$

## Symbols

- $L$: the mean negative log-likelihood of a set's answers.
- $\lVert \cdot \rVert$: the length over all weights together.

## Facts

- **Right on both sides, always.** With the angle $\varphi$ between the two,
  $\langle g, g_R \rangle = \lVert g_R \rVert (1 - \cos\varphi) \ge 0$ and
  $\langle g, g_F \rangle = \lVert g_F \rVert (\cos\varphi - 1) \le 0$: to first order, descent never raises the retain
  loss and never lowers the forget loss. Fixed weights promise that for no pair of losses.
- **There is no weight to choose.** Scaling either loss changes nothing; `grad-diff` with the weights
  $1 / \lVert g_R \rVert$ and $1 / \lVert g_F \rVert$, anew in every step, is this method.
- The shorter the retain gradient, the more it is enlarged: once the retain examples are fitted, their noise has half
  of the say.
- Where both gradients point the same way the step is 0. The forget loss has no ceiling all the same: it is still
  ascent, and somebody has to stop it.

## Differences

1. The paper also sets the learning rate by itself, from a parabola through the retain loss along $g$. Here it is the
   recipe's, found as for every other method.
2. The optimizer is AdamW, as in the paper's runs; it scales each weight by itself, so the angles above hold for plain
   descent only.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_impls.toolkit import Batch, Gradient, LanguageModel, Method, Run, UnlearningData, mean_nll


def normalized_difference(retaining: Gradient, forgetting: Gradient) -> Gradient:
    r"""$g_R / \lVert g_R \rVert - g_F / \lVert g_F \rVert$; a gradient of length 0 counts as 0."""
    return retaining.unit() - forgetting.unit()


@dataclass(frozen=True)
class NGDiff(Method):
    r"""Step along $g_{\mathrm{NGDiff}}$."""

    paper = "bu2024unlearning"
    acts_on = "gradients"
    retain = "needed"
    remembers = False

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients in each step, made into one."""

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            retaining = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            forgetting = Gradient.of(mean_nll(*model.token_logits(batch.forget)), model)
            return normalized_difference(retaining, forgetting)

        return run.minimize(step, model, data)
