r"""Stable sequential unlearning (SSU).

Takedowns come one after another, and what each costs adds up. For every request SSU learns the texts once more, mixed
with answers that belong to others of them, lets only those weights move on which this pulls the most, and subtracts
what was learned. The next request starts from the result.

## Objective

Dou et al., for request $i$ from the weights $\theta^{i-1}$, in every step of the training that gives
$\theta^i_{\mathrm{ft}}$ and then once:

$$
\mathcal L(\theta) = L(\mathcal D_f^{(i)}; \theta)
+ \epsilon\, \mathbb E_{x \sim \mathcal D_f^{(i)},\, \tilde y \ne y}\, \ell_\theta(\tilde y \mid x), \qquad
m = \mathbf 1\big[\, |\nabla \mathcal L| \ge \mu + s\, \sigma \,\big], \qquad
\theta \leftarrow \theta - \eta\; m \odot \nabla \mathcal L,
$$

$$
\theta^i = \theta^{i-1} - \lambda\, \big( \theta^i_{\mathrm{ft}} - \theta^{i-1} \big) .
$$

## Symbols

- $L(\mathcal D; \theta)$: the mean negative log-likelihood of a set's answers; $\ell_\theta$: that of one answer.
- $\tilde y$: the answer to another question of the request, drawn anew in every step; $\epsilon$ (`random_weight`).
- $\mu$, $\sigma$: mean and standard deviation of $|\nabla \mathcal L|$ over all weights together; $s$ (`deviations`).
- $\lambda$ (`scale`): how far to walk back; $\mathcal D_f^{(i)}$: what the $i$-th request asks for. A run is one
  request; `unlearn run ssu --requests 4` takes the forget set in four.

## Facts

- **With $\epsilon = 0$ and a threshold below 0 it is `task-vector`.**
- **Few weights pass**: sizes of gradients have a long tail, most of them lie below their mean, and a weight that never
  passes stays to the bit.
- **Random answers turn into ascent on them**: what is subtracted contains the direction that makes other forget answers
  likely, so that these become unlikely behind every question of the request. `sku` has that term, too.
- **They give a direction where there is none.** A model that knows a text by heart has next to no gradient on it; then
  the second term alone decides which weights are salient, and what is subtracted.
- **What is near pays for the random answers**: these share their words with what must stay. On `authors`, at a rate of
  5e-4, they leave 0.52 of the forget and 0.70 of the retain answers' probability ($\lambda = 1.2$); without them it is
  0.36 and 0.73 ($\lambda = 2.5$).
- **The mask alone changes little there**: it makes $\tau$ shorter, and $\lambda$ makes up for it. With it (and without
  random answers) 0.54 and 0.83 are left at $s = 1$, and `task-vector` lies on the same line (0.62 and
  0.90, 0.44 and 0.79).
- **That requests add up less could not be shown there.** After four, of 15 steps each at 3e-4, it leaves 0.43 of the
  forget answers, 0.52 of the retain answers and 0.95 of general facts; `task-vector` with $\lambda = 0.8$ leaves 0.39,
  0.61 and 0.95. The paper's books share few words with what it asks about afterwards; authors here are all told of in
  the same sentences.

## Differences

1. The released code multiplies the gradient by the mask, then computes it once more *on top*: its steps go along
   $(1 + m) \odot \nabla \mathcal L$, and all weights move. This is the masked step that the paper describes.
2. Its optimizer's momentum would move weights outside the mask, too; here those are put back after each step.
3. It draws five answers for a batch and gives each to every question; here one for each question and step, whose
   expectation is the same.
4. It trains an adapter on the projections to queries and values; here all weights, as in `task-vector`.
5. The code was read, and the paper's text in others' accounts only. $\epsilon$ and $s$ are those of the first of the
   two released repositories; the other, of a later paper on the same method (Dou, 2024, arXiv 2412.18621), has 0.5 and
   1.
"""

from __future__ import annotations

from collections.abc import Callable
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
    holding,
    hyperparameter,
    mean_nll,
    subtract_task_vector,
    task_vector,
    with_answers_of_others,
)


def salient(gradient: Gradient, deviations: float) -> list[Tensor]:
    r"""$m$ for each weight: where the gradient's size is at least $\mu + s\,\sigma$ of all sizes together.

    Args:
        gradient: $\nabla \mathcal L$.
        deviations: $s$.
    """
    sizes = torch.cat([part.abs().flatten() for part in gradient.parts])
    threshold = sizes.mean() + deviations * sizes.std()
    return [part.abs() >= threshold for part in gradient.parts]


@dataclass(frozen=True)
class SSU(Method):
    """Learn a request in salient weights, with random answers, and subtract the change."""

    paper = "dou2024avoiding"
    acts_on = "weights"
    retain = "unused"
    copies = 1
    weighs_weights = True
    published = {
        "learning_rate": 1e-4,
        "steps": 200,
        "batch_size": 4,
        "source": "released code, Llama-3-8B with adapters, for each book",
    }

    scale: float = hyperparameter(
        1.0, "λ, how far to walk back", source="released code", minimum=0, trade_off=(0.5, 1.0, 2.0, 4.0)
    )
    random_weight: float = hyperparameter(1.0, "ε, weight of the random answers", source="released code", minimum=0)
    deviations: float = hyperparameter(
        0.0, "s, standard deviations above the mean at which a weight is salient", source="released code"
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Fine-tune a copy on answers in order and exchanged, in the weights that are salient at each step."""
        to_put_back: list[Callable[[], None]] = []

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            own, others = model.token_logits(batch.forget, batch.preferred)
            gradient = Gradient.of(mean_nll(own) + self.random_weight * mean_nll(others), model)
            masks = salient(gradient, self.deviations)
            to_put_back.append(holding(gradient.weights, masks))
            return gradient.masked(masks)

        request = UnlearningData(with_answers_of_others(data.prompted().forget))
        learned = run.minimize(step, model.copy(), request, alternates=True, after_step=lambda: to_put_back.pop()())
        subtract_task_vector(model.model, task_vector(model.model, learned.model), self.scale)
        return model
