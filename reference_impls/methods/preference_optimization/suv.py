r"""Selective unlearning of verbatim data (SUV).

Have the model prefer a plausible continuation to the memorized one, and let this cost the rest as little as it can: no
step may change the retain loss, and weights that matter to anything but the text to forget are made to stay.

## Objective

Xu et al., as their code has it (the variant with both regularizers at once), in low-rank adapters:

$$
\mathcal L = -\mathbb E \log \sigma\!\left( \beta \log \frac{\pi_\theta(y' \mid x)}{\pi_{\mathrm{ref}}(y' \mid x)}
- \beta \log \frac{\pi_\theta(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)} \right)
+ \lambda\, \mathrm{mean}_i \log\!\left( 1 + \frac{\Delta_i^2}{D_i + \epsilon} \right),
\qquad
g \leftarrow g - \frac{\langle g, \bar g_r \rangle}{\lVert \bar g_r \rVert^2}\, \bar g_r
$$

with $D = \max(F_f - F_r + \epsilon, \epsilon)$, the step being taken along $g$, tensor by tensor.

## Symbols

- $y$: the memorized answer; $y'$: a plausible other one.
- $\pi_{\mathrm{ref}}$: the model before unlearning; its log-probabilities never change and are computed once.
- $\Delta = c B A$: by how much the adapters change the weights $W_0$ that they sit on; `rank`, `alpha`.
- $F_f$, $F_r$: the diagonal Fisher information of $W_0$ on the forget and on the retain answers, computed once.
- $\lambda$ (`fisher_weight`); $\epsilon = 10^{-6}$.
- $g$: the gradient of $\mathcal L$ by a tensor; $\bar g_r$ that of the retain loss, a running mean of which a batch's
  own has the weight $1 - m$, with $m$ (`memory`).

## Facts

- **Without $\lambda$ and projection it is DPO** (`dpo`) with another answer for the winning half.
- **The projection is there always**, not only where the two gradients are at odds, as in `gru`: whatever would help the
  retain answers is taken away as well.
- **The penalty selects.** A weight with $D_i = \epsilon$ pays from a thousandth on, one that matters to the forget
  answers alone pays later. But a logarithm is flat far out: it does not say how far a weight may go that has gone
  already. The factors begin at $B = 0$, where it is 0.
- **The two keep the rest**, as the paper says: on `authors`, at 1e-3, forget and retain answers end at 0.45 and 0.90,
  and at 0.37 and 0.79 without either. The value is then told in 3 of a hundred forget and 78 retain answers, without
  them in 1 and 43. At 5e-4 the projection by itself keeps a little (0.72 and 0.96, after 0.70 and 0.96 without).

## Differences

1. The penalty is a mean over weights; the code sums, so that with $\lambda = 0.1$ nothing else would count in a large
   model. Its $\lambda$ also decays while the preference loss falls; here it is constant.
2. The paper has a language model write the continuations, and finds what is recited by a sliding window. Here the
   task's alternates are taken, or else other subjects' answers; all of the forget set is trained on.
3. $\bar g_r$ begins with the first batch; the code begins with the mean of a hundred.
4. $F$ is the mean over answers of squared gradients; the code sums over a dimension, so that rows share a value.
5. The other variant, which trains two adapters with one regularizer each and adds them up, is left out.
6. Adapters sit on every linear layer of the blocks; the code has them on attention's projections.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    AdaptedLayer,
    Batch,
    Gradient,
    LanguageModel,
    LoRA,
    Method,
    Run,
    UnlearningData,
    adapted_layers,
    diagonal_fisher,
    dpo_loss,
    false_answers,
    hyperparameter,
    log_ratio,
    mean_nll,
    trained_weights,
)

EPSILON = 1e-6
r"""$\epsilon$, as released."""


def room(forgotten: Tensor, kept: Tensor) -> Tensor:
    r"""$D + \epsilon$ of each weight, from $F_f$ and $F_r$."""
    return (forgotten - kept + EPSILON).clamp(min=EPSILON) + EPSILON


def without(gradient: Gradient, kept: Gradient) -> Gradient:
    r"""Each tensor's part less what of it lies along $\bar g_r$."""
    parts: list[Tensor] = []
    for weight, part, other in zip(gradient.weights, gradient.parts, kept.parts, strict=True):
        alone, along = Gradient((weight,), (part,)), Gradient((weight,), (other,))
        parts += (alone - alone.projected(along)).parts
    return replace(gradient, parts=tuple(parts))


def penalty(layers: list[AdaptedLayer], rooms: list[Tensor]) -> Tensor:
    r"""() The mean over weights of $\log(1 + \Delta_i^2 / (D_i + \epsilon))$; ``rooms`` as :func:`room` gives them."""
    total = [
        torch.log1p((layer.scale * layer.up @ layer.down).square() / free).sum()
        for layer, free in zip(layers, rooms, strict=True)
    ]
    return torch.stack(total).sum() / sum(free.numel() for free in rooms)


@dataclass(frozen=True)
class SUV(Method):
    """Prefer another continuation, along steps that change little else."""

    paper = "xu2025suv"
    acts_on = "gradients"
    reference = "log-probabilities"
    retain = "needed"
    trains = "adapters"
    published = {"learning_rate": 1e-4, "batch_size": 4, "source": "released code; 1e-5 in its README"}

    beta: float = hyperparameter(0.1, "β, inverse temperature", source="released code: its library's default", above=0)
    fisher_weight: float = hyperparameter(
        0.1, "λ, weight of the penalty", source="released code, for a sum", minimum=0, trade_off=(0.01, 0.1, 1.0, 10.0)
    )
    memory: float = hyperparameter(
        0.9, "m, how much of the mean retain gradient stays at a step", source="released code", minimum=0, below=1
    )
    projection: str = hyperparameter(
        "always", "whether gradients are projected", source="released code", choices=("always", "never")
    )
    rank: int = hyperparameter(8, "rank of the adapters", source="released code", minimum=1)
    alpha: float = hyperparameter(16.0, "scaling of the adapters", source="released code", above=0)
    continuations: int = hyperparameter(3, "other answers to each prompt", source="paper: three genres", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Weigh the weights, then train adapters along projected gradients."""
        asked = data.prompted()
        told = replace(
            asked,
            forget=tuple(
                replace(pair, alternates=false_answers(pair, asked.others, self.continuations, run.rng))
                for pair in asked.forget
            ),
        )
        fishers = zip(diagonal_fisher(model, asked.forget), diagonal_fisher(model, asked.retain), strict=True)
        free = {id(weight): room(*both) for weight, both in zip(trained_weights(model), fishers, strict=True)}
        adapted = run.adapt(model, LoRA(self.rank, self.alpha))
        layers = adapted_layers(model.model)
        rooms = [layer.by_output(free[id(layer.base)]) for layer in layers]
        average: Gradient | None = None

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            nonlocal average
            better, worse = model.token_logits(batch.preferred, batch.forget)
            ratios = log_ratio(better, batch.preferred.reference), log_ratio(worse, batch.forget.reference)
            preferred = self.beta / 2 * dpo_loss(*ratios, self.beta)
            gradient = Gradient.of(preferred + self.fisher_weight * penalty(layers, rooms), model)
            if self.projection == "never":
                return gradient
            kept = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            average = kept if average is None else self.memory * average + (1 - self.memory) * kept
            return without(gradient, average)

        run.minimize(step, model, told, reference=self.reference, alternates=True)
        adapted.merge()
        return model
