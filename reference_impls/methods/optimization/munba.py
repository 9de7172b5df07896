r"""Machine unlearning via Nash bargaining (MUNBa).

Forgetting and keeping as two players who have to agree on one step. What each gains is how fast its loss falls along
it, and they settle where the product of both gains is largest: the point that Nash bargaining singles out.

## Objective

Wu and Harandi (equations 4 to 8): with the gradients $g_r$, $g_f$ of two losses that are both to be *lowered*,

$$
\max_{\tilde g}\; \log \langle g_r, \tilde g \rangle + \log \langle g_f, \tilde g \rangle
\;\text{ over a ball,}
\qquad
\tilde g = \alpha_r g_r + \alpha_f g_f ,
\qquad
G^\top G\, \alpha = 1 / \alpha, \quad G = [g_r \; g_f],
$$

$$
\alpha_i = \frac{1}{\lVert g_i \rVert} \sqrt{\frac{1 - \cos\varphi}{\sin^2 \varphi}}
= \frac{1}{\lVert g_i \rVert \sqrt{1 + \cos\varphi}} .
$$

Keeping is the mean negative log-likelihood of retain answers, forgetting that of labels drawn by lot in the place of
each token of the forget answers, anew in every step.

## Symbols

- $\varphi$: the angle between $g_r$ and $g_f$, over all weights together.
- $1 / \alpha$: entry by entry.

## Facts

- **Both gain, always**, and in the same measure: $\langle g_i, \tilde g \rangle = \lVert g_i \rVert \sqrt{1 +
  \cos\varphi}$. To first order plain descent lowers both losses, unless the two pull in opposite directions: there is
  no step then that both want.
- **There is no weight to choose.** Scaling either loss changes nothing. So a loss cannot fade out by itself either:
  labels drawn anew are a divergence from the uniform distribution (see `random-labels`), and near its least value its
  gradient is the noise of the draw, with half of the say as ever.
- $\tilde g$ halves the angle and has the length $\sqrt 2$ at every angle. Where gradients are shortened to the length
  1, as in the released code and here, every step of it is one long.
- **Against `ngdiff`**: the sum of both directions there is as long as they agree, and short where they conflict; this
  is that sum divided by $\sqrt{1 + \cos\varphi}$. So where they conflict the most, plain descent by `ngdiff` all but
  stands still, and by this goes on at full length. An optimizer that scales by past gradients hides that: with ascent
  in the place of random labels `authors` gave the numbers of `ngdiff`.
- On `authors`, at the rate 0.0005, retain answers keep a probability of 0.93 where forget answers fall to 0.01; with
  `random-labels`, whose losses are added, that is 0.89 at the same rate with the weight 1, and 0.95 at 0.05 with the
  weight 5. So it is as good as a weight that was searched, without the search, but it is not asked how much to forget:
  it goes on far past the retrained model, and at lower rates it costs the retain answers more (0.64 at 0.0001), for
  they have no time to come back.

## Differences

1. Made for images: classifiers, CLIP and diffusion models. Nothing in the bargain is about images, so that any two
   losses may come to the table; here those are the ones of its classifiers, with a token in the place of a class.
2. The paper adds $\xi$ to $\sin^2\varphi$, and takes other ways where the two gradients are parallel (remark 2.7). The
   right-hand form needs that only where they are opposite: $1 + \cos\varphi$ is held above $10^{-4}$.
3. The released code goes back to $g_r + 0.1\, g_f$ where rounding makes an $\alpha$ negative, which cannot happen
   here; and when its forget batches of an epoch are used up, it goes on with steps on $g_r$ alone.
4. Classifiers are trained by descent with momentum there, diffusion models by Adam. Here AdamW; the angles above hold
   for plain descent only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    mean_nll,
)

OPPOSED = 1e-4
"""What 1 + cos φ is held above: of exactly opposite gradients nothing is left to divide."""


def bargained(retaining: Gradient, forgetting: Gradient) -> Gradient:
    r"""$\tilde g$, from $g_r$ and $g_f$; a gradient of length 0 has no say."""
    keep, forget = retaining.unit(), forgetting.unit()
    return 1 / math.sqrt(max(1 + keep.dot(forget), OPPOSED)) * (keep + forget)


@dataclass(frozen=True)
class MUNBa(Method):
    r"""Step along $\tilde g$."""

    paper = "wu2024munba"
    acts_on = "gradients"
    retain = "needed"

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients in each step, made into one."""
        generator = torch.Generator().manual_seed(run.seed)

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            retaining = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            (forget,) = model.token_logits(batch.forget)
            drawn = torch.randint(forget.logits.shape[1], forget.targets.shape, generator=generator)
            relabeled = replace(forget, targets=drawn.to(forget.targets.device))
            return bargained(retaining, Gradient.of(mean_nll(relabeled), model))

        return run.minimize(step, model, data)
