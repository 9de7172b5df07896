r"""Forget data only loss adjustment (FLAT).

Pull the answer to forget and a template that may be said in its place as far apart as an f-divergence can tell them,
with the forget questions alone: no retain set, no reference model. The divergence decides how hard each half is pushed.

## Objective

Wang et al. (the empirical form of their loss adjustment, with its table of divergences):

$$
\mathcal L(\theta) = \mathbb E_{(x, y_f) \sim \mathcal D_f,\, y_e} \Big[ -g^*\big(P_\theta(x, y_e)\big)
+ f^*\big(g^*(P_\theta(x, y_f))\big) \Big],
\qquad
P_\theta(x, y) = \frac{1}{|y|} \sum_t p_\theta(y_t \mid x, y_{<t}).
$$

| Divergence | $g^*(v)$ | $f^*(g^*(v))$ |
|---|---|---|
| total variation | $\frac12 \tanh v$ | $\frac12 \tanh v$ |
| KL | $v$ | $e^{v - 1}$ |
| Jensen-Shannon | $\log \frac{2}{1 + e^{-v}}$ | $v + \log(1 + e^{-v}) - \log 2$ |
| Pearson | $v$ | $\frac{v^2}{4} + v$ |

## Symbols

- $y_f$: the answer to forget; $y_e$: a template to say instead, a refusal drawn from a list.
- $P_\theta(x, y) \in [0, 1]$: the *mean probability* of an answer's tokens, not of its logarithm.
- $g^*$: the variational function that is best for a divergence; $f^*$: the convex conjugate of its generator
  (`divergence`).

## Facts

- **Bounded on both sides**, since $P$ is: with total variation the loss lies between $\pm\frac12 \tanh 1 = \pm 0.381$.
  Gradient ascent has no floor.
- **A forgotten token stops pulling.** The gradient of $P$ at the logits of a token is
  $\frac{1}{|y|}\, p_t\, (\mathbf 1_{y_t} - p)$: it carries the factor $p_t$, that of a log-likelihood does not.
- **So does a template that nobody would say**, and a token of which the model is certain ($1 - p_t$). Where refusals
  are new to a model, all that acts at first is the push on the true answer.
- Under total variation both halves have the same form, so exchanging the two answers turns the sign of the loss. The
  slope is $\frac12 \mathrm{sech}^2 P$, between 0.21 and 0.5. The others weigh the two halves unlike each other: KL has
  a slope of 1 on the template and of $e^{P - 1}$, between 0.37 and 1, on the true answer; Pearson of 1 and of
  $1 + P/2$; Jensen-Shannon of $\frac{1}{1 + e^P}$ and $\frac{1}{1 + e^{-P}}$.
- Nothing holds the answers to other questions: a template shared by all questions may spread to them.

## Differences

1. The paper applies $g^*$ to each pair; the released code averages $P$ over the batch first, and over prompt and
   padding too, where it is taken to be 0. Here the answer's tokens count, and each pair by itself.
2. The released code knows four more divergences; the four of the paper's experiments are here.
3. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    with_refusals,
)


def mean_probability(out: TokenLogits) -> Tensor:
    r"""(B,) $P_\theta(x, y)$."""
    return out.mean_by_sequence(out.token_logprobs().exp())


def divergence_loss(template: Tensor, forget: Tensor, divergence: str) -> Tensor:
    r"""() $-g^*(P_\theta(x, y_e)) + f^*(g^*(P_\theta(x, y_f)))$, the mean over pairs.

    Args:
        template: (B,) mean probabilities of the answers to give instead.
        forget: (B,) those of the answers to forget.
        divergence: total-variation, kl, jensen-shannon or pearson.
    """
    if divergence == "total-variation":
        loss = (forget.tanh() - template.tanh()) / 2
    elif divergence == "kl":
        loss = torch.exp(forget - 1) - template
    elif divergence == "jensen-shannon":
        loss = F.softplus(-template) + F.softplus(forget) - 2 * F.softplus(torch.zeros_like(forget))
    else:
        loss = forget**2 / 4 + forget - template
    return loss.mean()


@dataclass(frozen=True)
class FLAT(LossMethod):
    """Minimise the adjusted loss on refusals and the answers to forget."""

    paper = "wang2024llm"
    acts_on = "loss"
    alternates = True
    retain = "unused"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 64,
        "weight_decay": 0.01,
        "source": "released code, TOFU",
    }

    divergence: str = hyperparameter(
        "total-variation",
        "the f-divergence that sets the two answers apart",
        source="released code, default",
        choices=("total-variation", "kl", "jensen-shannon", "pearson"),
    )

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Let refusals be the templates."""
        return with_refusals(data, run.rng)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, templates and true answers in one forward pass."""
        template, forget = model.token_logits(batch.preferred, batch.forget)
        return divergence_loss(mean_probability(template), mean_probability(forget), self.divergence)
