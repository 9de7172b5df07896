r"""Maximum entropy with gradient descent (ME+GD).

Ask the model for nothing in particular in place of the answers to forget: every token of the vocabulary is to be as
likely as any other, which is the same for all models and all data, so that nothing has to be made up that could be
another false answer. What must stay is trained as usual.

## Objective

Yuan et al. (ME+GD), with the divergence as in their released code:

$$
\mathcal L(\theta) = \gamma\, \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{KL}\big(\mathcal U \,\|\, p_\theta(\cdot \mid x, y_{<t})\big) + \alpha\, L(\mathcal D_r; \theta),
\qquad
\mathrm{KL}(\mathcal U \,\|\, p) = -\log V - \frac1V \sum_v \log p_v .
$$

## Symbols

- $\mathcal U$: the uniform distribution over the $V$ tokens of the vocabulary; $y_{<t}$: the *true* tokens before
  place $t$.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers.
- $\gamma$ (`forget_weight`), $\alpha$ (`retain_weight`): the weights of the two terms.
- `first`: which distribution comes first in the divergence. With `prediction` it is $\mathrm{KL}(p \,\|\, \mathcal U)
  = \log V - H(p)$, so that the entropy $H$ itself is what grows.

## Facts

- **Bounded below by 0**, which is reached where all logits are alike, and only there. It has an end, where gradient
  ascent has none.
- **The gradient on the logits is $p - \frac1V \mathbf 1$**: the expected one of `random-labels`, whose noise it does
  without. The targets are equal, one is drawn and the other computed.
- **Entropy itself cannot wake a model that is certain**: the gradient of $\mathrm{KL}(p \,\|\, \mathcal U)$ is
  $p_v (\log p_v + H)$, and goes to 0 as $p$ becomes one-hot, where that of $\mathrm{KL}(\mathcal U \,\|\, p)$ goes to
  $1 - \frac1V$ on the one token. A forget set that is known by heart is such a case.
- $\mathrm{KL}(p \,\|\, \mathcal U)$ is at most $\log V$; $\mathrm{KL}(\mathcal U \,\|\, p)$ has no ceiling.
- **Uniform is not ignorant**: a model that never read the answer expects words of its language. This one is taken past
  it, to a probability of $1/V$ for each token.
- The true tokens do not enter but as what was said before: the answer is not singled out.

## Differences

1. The released code trains ME with `mask` off: the questions' tokens count as well, and the padding of the batch,
   which are most of its places. Here the answers' tokens alone.
2. A mean is over an answer's tokens, then over answers; the released code averages over all places of a batch.
3. The paper says that the divergence between the predicted and the uniform distribution is minimised. Which of the two
   comes first there could not be checked; `uniform` is what the released code computes.
4. The released code adds a constant to probabilities before the logarithm; here logarithms are taken of logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, by_token, hyperparameter, mean_nll


def uniform_first(logits: Tensor) -> Tensor:
    r"""(N,) $\mathrm{KL}(\mathcal U \,\|\, p)$ from (N, V) logits."""
    return -torch.log_softmax(logits, dim=1).mean(dim=1) - math.log(logits.shape[1])


def prediction_first(logits: Tensor) -> Tensor:
    r"""(N,) $\mathrm{KL}(p \,\|\, \mathcal U) = \log V - H(p)$ from (N, V) logits."""
    logprobs = torch.log_softmax(logits, dim=1)
    return (logprobs.exp() * logprobs).sum(dim=1) + math.log(logits.shape[1])


DIVERGENCES = {"uniform": uniform_first, "prediction": prediction_first}


@dataclass(frozen=True)
class MaximumEntropy(LossMethod):
    r"""Minimise the divergence from the uniform distribution plus the retain loss."""

    paper = "yuan2024closer"
    acts_on = "loss"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "source": "released code, TOFU with Llama-2-7B-chat: 4 x 4 on two GPUs",
    }

    forget_weight: float = hyperparameter(0.1, "γ, weight of the forget term", source="released code, TOFU", above=0)
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    first: str = hyperparameter(
        "uniform",
        "which distribution comes first in the divergence",
        source="released code",
        choices=("uniform", "prediction"),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        divergence = forget.mean(by_token(DIVERGENCES[self.first], (forget,)))
        return self.forget_weight * divergence + self.retain_weight * mean_nll(retain)
