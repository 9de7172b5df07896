r"""Selective knowledge negation (SKU).

Bring up a bad model first: one that gives the unwanted answers, gives them to other unwanted questions as well, and has
drifted away on everything else. What it was changed by is then taken off the model as it was.

## Objective

Liu et al., two stages. The bad model learns (*guided distortion*, *random disassociation*, *preservation divergence*)

$$
\theta_{\mathrm{bad}} = \arg\min_\theta\;
\epsilon_1\, \mathbb E_{(x,y) \sim \mathcal D_f} \bar\ell(y \mid x)
+ \epsilon_2\, \mathbb E_{x \sim \mathcal D_f} \mathbb E_{y' \sim \mathcal Y_f \setminus \{y\}} \bar\ell(y' \mid x)
- \epsilon_3\, \mathbb E_{(x,y) \sim \mathcal D_r} \frac{1}{|y|} \sum_t
\mathrm{KL}\!\left(p_{\theta_0}(\cdot \mid x, y_{<t}) \,\middle\|\, p_\theta(\cdot \mid x, y_{<t})\right),
$$

and its task vector is negated,

$$
\theta = \theta_0 - \lambda\, (\theta_{\mathrm{bad}} - \theta_0) .
$$

## Symbols

- $\bar\ell(y \mid x)$: the mean negative log-likelihood of an answer's tokens.
- $\mathcal Y_f$: all answers of the forget set. For every prompt one that is not its own is drawn, anew in every
  batch.
- $\epsilon_1$ (`distortion_weight`), $\epsilon_2$ (`disassociation_weight`), $\epsilon_3$ (`retain_weight`): weights
  of the three.
- $\lambda$ (`scale`): how far to walk back.

## Facts

- **With $\epsilon_1 = 1$ and $\epsilon_2 = \epsilon_3 = 0$ it is `task-vector`.** $\lambda = 0$ changes nothing.
- The first stage is `llmu` with the signs of ascent and divergence turned, and random answers from the other side.
- **The divergence pushes away**, so that little of what is known about the rest is in the vector. Whether the way back
  keeps the rest is not in the formula: at $\theta_0$ value and gradient of the divergence are 0, and to second order it
  is the same in a direction and in its opposite. With $\lambda = 1$ and a short vector the result is as far from
  $\theta_0$ on what must stay as the bad model is.
- On `authors`, at one learning rate and one seed, the divergence kept no more of the retain answers: as much forgetting
  cost somewhat more of them with $\epsilon_3 = 1$ than with $\epsilon_3 = 0$. What it is there for was not seen.
- **Unbounded below** for $\epsilon_3 > 0$: the divergence has no largest value. The other two terms stay at 0 or above.
- A model that knows the forget set by heart has little to learn from the first term; from the second it always has, for
  its answers are wrong.

## Differences

1. The paper starts from a model that was trained on no data of its own, on harmful questions with harmful answers; here
   the model knows the forget set already.
2. The released code draws five answers for all prompts of a batch, a right one possibly among them; here one for each
   prompt, never its own where there is another.
3. The released code takes the divergence at all places of the padded batch; here at the answers' places.
4. The released code trains LoRA modules for Llama 2; here, as for OPT, all weights.
5. The released code has no $\lambda$ other than 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
    subtract_task_vector,
    task_vector,
    with_answers_of_others,
)


def bad_loss(
    own: TokenLogits, others: TokenLogits, normal: TokenLogits, before: TokenLogits, weights: tuple[float, float, float]
) -> Tensor:
    r"""() What the bad model minimises.

    Args:
        own: its logits at the forget answers.
        others: at other forget answers to the same prompts.
        normal: at the retain answers.
        before: logits of $\theta_0$ at the same places as ``normal``.
        weights: $\epsilon_1$, $\epsilon_2$, $\epsilon_3$.
    """
    distortion, disassociation, divergence = weights
    return distortion * mean_nll(own) + disassociation * mean_nll(others) - divergence * mean_kl(before, normal)


@dataclass(frozen=True)
class SKU(Method):
    """Train a copy to be bad in three ways, and subtract what that changed."""

    paper = "liu2024safer"
    acts_on = "weights"
    retain = "optional"
    copies = 1
    published = {
        "learning_rate": 2e-5,
        "steps": 1000,
        "batch_size": 2,
        "source": "defaults of the released code, OPT-1.3B",
    }

    distortion_weight: float = hyperparameter(
        0.5, "ε₁, weight of the forget answers", source="released code", minimum=0
    )
    disassociation_weight: float = hyperparameter(
        1.0, "ε₂, weight of other prompts' forget answers", source="released code", minimum=0
    )
    retain_weight: float = hyperparameter(
        1.0, "ε₃, how strongly the bad model is driven away on what must stay", source="released code", minimum=0
    )
    scale: float = hyperparameter(
        1.0, "λ, how far to walk back", source="released code", minimum=0, trade_off=(0.25, 0.5, 1.0, 2.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Bring up the bad model beside the good one, then walk the other way."""
        weights = (self.distortion_weight, self.disassociation_weight, self.retain_weight)

        def loss(bad: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad():
                (before,) = model.token_logits(batch.retain)
            own, others, normal = bad.token_logits(batch.forget, batch.preferred, batch.retain)
            return bad_loss(own, others, normal, before, weights)

        mixed = replace(data, forget=with_answers_of_others(data.forget))
        bad = run.minimize(loss, model.copy(), mixed, alternates=True, retain=self.looks_at_retain)
        subtract_task_vector(model.model, task_vector(model.model, bad.model), self.scale)
        return model
