r"""Adaptive localization of knowledge negation (ALKN).

Requests to forget come one after another, and each task vector that is subtracted costs a little of everything else.
ALKN keeps the vectors small: tokens that the model does not know are not learned, hence not subtracted; gradients pass
through a mask that is chosen by what they do to the retain loss; and weights that earlier requests used are harder to
use again, and slower.

## Objective

For the $i$-th request, from the weights $\theta^{i-1}$, with $p_0(y_t)$ the probability of a token there:

$$
\mathcal L(\theta) = -\,\mathbb E_{(x,y) \sim \mathcal D_f^{(i)}}\, \frac{1}{|y|} \sum_t w_t
\log \pi_\theta(y_t \mid x, y_{<t}), \qquad
w_t = \min\!\big( 1,\; \sigma(k\,(p_0(y_t) - 0.8)) - \sigma(-0.8\,k) \big) .
$$

In step $s$, with $g = \nabla \mathcal L(\theta)$ and $\bar g_r = \nabla L(\mathcal D_r; \theta^{i-1})$:

$$
M \leftarrow M + \varsigma\, g \odot \bar g_r - \kappa\, \mathrm{std}(g \odot \bar g_r)\, m_{<i}, \qquad
m = \mathbf 1[M > q], \qquad g \leftarrow m \odot g ;
$$

and at the end, once, $\theta^i = \theta^{i-1} - \lambda\, (\theta^i_{\mathrm{ft}} - \theta^{i-1})$.

## Symbols

- $k$ (`sharpness`): how much more a token counts that the model knows; $L$: mean negative log-likelihood of answers.
- $M$: one number for every weight, 0 at the start of a request; $\varsigma$ is 1 with `keep` = "high", the released
  code's choice, and -1 with "low", the default.
- $q$: the value above which a share $\rho$ of a tensor's $M$ lies, found anew in each step of the first request and
  kept by the later ones. $\rho$ falls in five stairs from $\rho_0$ (`share`) towards its half.
- $m_{<i}$: the weights in the masks with which earlier requests ended; $\kappa$ (`penalty`). Tensors in the upper half
  by their share of such weights learn at `slow` times the rate.
- $\lambda$ (`scale`): how far to walk back. `requests`: in how many parts, by subject, the forget set comes.

## Facts

- With $\rho_0 = 1$, one request and $w_t$ constant it is `task-vector`.
- **The second time there is nothing to take.** $w$ grows with $p_0$ and is 0 at 0, so that what earlier requests took
  along is left alone. It is at most 0.343 ($k = 1.5$, $p_0 = 1$).
- **The sign is an open question.** The step on the forget set is $-\eta\, g$, what is subtracted therefore moves the
  weights by $+\lambda \eta\, g$, and the retain loss by $\lambda \eta \langle g, \bar g_r \rangle$ to first order. To
  spare it, weights with *small* products should move ("low"). The released code moves those with large ones: it spares
  the fine-tuned model, which is thrown away.
- **On `authors` the sign decides.** At a rate of 5e-4, four requests of 15 steps, 0.56 of the forget answers'
  probability is left with "low" ($\rho_0 = 0.4$, $\lambda = 1.5$) and with "high" ($\rho_0 = 0.8$, $\lambda = 0.5$);
  of the retain answers 0.92 and 0.62. `task-vector` leaves 0.56 and 0.88.
- Of the rest, the small mask does most: with $\rho_0 = 0.8$ and $\lambda = 2$ it is 0.47 and 0.87, without a mask 0.49
  and 0.91. Serving four requests in turn costs no more than one does: without mask and in one request 0.44 and 0.84
  are left ($\lambda = 1.5$).

## Differences

1. This is the released code's form. The paper's equations could not be read, only its abstract and accounts of it.
2. All requests are served in one run, which shares out its steps among them, since what one leaves for the next (masks
   and thresholds) is not part of a model. `--requests` would start without it each time.
3. The code finds $q$ on a straight line between the values at 15% from either end of a tensor's $M$, which is quick;
   here it is the quantile. It adds up products of gradients that are already clipped, and pools the tokens of a batch.
4. The code has a factor for $\lambda$ that shrinks from request to request, and sets it to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

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
    nll_gradient,
    shares_of_subjects,
    subtract_task_vector,
    task_vector,
    weighted_ascent_loss,
)

KNOWN = 0.8
"""The probability around which a token begins to count."""
STAIRS = 5
"""In how many steps the share of weights that may move falls to its half."""


def certainty(probabilities: Tensor, sharpness: float) -> Tensor:
    """$w_t$ of tokens' probabilities before the request."""
    known, unknown = (torch.sigmoid(sharpness * (one - KNOWN)) for one in (probabilities, probabilities.new_zeros(())))
    return (known - unknown).clamp(max=1)


def threshold(scores: Tensor, share: float) -> float:
    """$q$: as many of the scores are above it as the share says; minus infinity for all of them."""
    left_out = scores.numel() - round(share * scores.numel())
    return scores.flatten().kthvalue(left_out).values.item() if left_out else -math.inf


class Localizer:
    """$M$ of one request, and the masks that follow from it."""

    def __init__(self, retain: Gradient, settings: ALKN, steps: int, earlier: Localizer | None) -> None:
        self.retain, self.settings, self.steps, self.taken = retain, settings, steps, 0
        self.scores = [torch.zeros_like(part) for part in retain.parts]
        self.found: list[float] | None = earlier.thresholds if earlier else None
        self.thresholds: list[float] = self.found or [-math.inf] * len(self.scores)
        self.used: list[Tensor] | None = earlier.masks(earlier.used) if earlier else None

    def masks(self, more: Sequence[Tensor] | None = None) -> list[Tensor]:
        """$m$, or with the weights of other masks as well."""
        own = [score > bound for score, bound in zip(self.scores, self.thresholds, strict=True)]
        return [one | other for one, other in zip(own, more, strict=True)] if more else own

    def masked(self, gradient: Gradient) -> Gradient:
        """Take a step's gradient into account, and mask it."""
        sign = 1 if self.settings.keep == "high" else -1
        products = [sign * one * other for one, other in zip(gradient.parts, self.retain.parts, strict=True)]
        for row, (score, product) in enumerate(zip(self.scores, products, strict=True)):
            score += product
            if self.used:
                score -= self.settings.penalty * product.std(correction=0) * self.used[row]
        if self.found is None:
            share = self.settings.share * (1 - STAIRS * self.taken // self.steps / STAIRS / 2)
            self.thresholds = [threshold(score, share) for score in self.scores]
        self.taken += 1
        return gradient.masked(self.masks())

    def rates(self) -> list[float]:
        """For each tensor, the factor of its learning rate."""
        shares = [float(mask.float().mean()) for mask in self.used or ()]
        ranked = sorted(range(len(shares)), key=shares.__getitem__)
        often = set(ranked[len(ranked) // 2 :])
        return [self.settings.slow if row in often else 1.0 for row in range(len(self.scores))]


@dataclass(frozen=True)
class ALKN(Method):
    """Subtract what each request teaches known tokens, in weights that a mask lets move."""

    paper = "wuerkaixi2025adaptive"
    acts_on = "weights"
    reference = "log-probabilities"
    retain = "needed"
    copies = 1
    weighs_weights = True
    published = {
        "learning_rate": 2e-5,
        "epochs": 5,
        "batch_size": 64,
        "weight_decay": 0.01,
        "source": "released code, Llama-2-7B on TOFU",
    }

    scale: float = hyperparameter(
        1.0, "λ, how far to walk back", source="released code", minimum=0, trade_off=(0.5, 1.0, 2.0, 4.0)
    )
    share: float = hyperparameter(
        0.8, "ρ₀, share of the weights that may move at first", source="released code", above=0, maximum=1
    )
    keep: str = hyperparameter(
        "low",
        "which products of gradients may move",
        source="what follows from the aim; released code: high",
        choices=("high", "low"),
    )
    sharpness: float = hyperparameter(1.5, "k, how much more known tokens count", source="released code", above=0)
    penalty: float = hyperparameter(0.5, "κ, on weights used before", source="released code", minimum=0)
    slow: float = hyperparameter(0.1, "of the rate, for tensors used much before", source="released code", minimum=0)
    requests: int = hyperparameter(
        4, "requests in which the forget set comes, at most", source="ours; paper: streams of several", minimum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Serve the requests in turn."""
        earlier = None
        parts = shares_of_subjects(data.forget, self.requests)
        for part, stage in zip(parts, run.stages(len(parts)), strict=True):
            earlier = self._serve(model, replace(data, forget=tuple(part)), stage, earlier)
        return model

    def _serve(self, model: LanguageModel, data: UnlearningData, run: Run, earlier: Localizer | None) -> Localizer:
        localizer = Localizer(nll_gradient(model, data.retain), self, run.recipe.steps, earlier)

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            (out,) = model.token_logits(batch.forget)
            assert batch.forget.reference is not None
            weights = certainty(batch.forget.reference.exp(), self.sharpness)
            return localizer.masked(Gradient.of(-weighted_ascent_loss(out, weights), model))

        def optimizer(weights: Sequence[Tensor], lr: float, **options: Any) -> torch.optim.Optimizer:
            groups = [{"params": [one], "lr": lr * rate} for one, rate in zip(weights, localizer.rates(), strict=True)]
            return torch.optim.AdamW(groups, lr=lr, **options)

        learned = run.minimize(step, model.copy(), data, None, self.reference, retain=False, optimizer=optimizer)
        subtract_task_vector(model.model, task_vector(model.model, learned.model), self.scale)
        return localizer
