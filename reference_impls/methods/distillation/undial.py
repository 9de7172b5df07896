r"""Unlearning by self-distillation on adjusted logits (UNDIAL).

Let the model before unlearning say what it thinks of every next token, take something off the logit of the one to
forget, and train the model to say that. The target never moves, so there is a point to arrive at.

## Objective

Dong et al. (section 3), with the teacher's logits $z^0_t$ at the place that predicts $y_t$:

$$
\tilde z_t = z^0_t - \beta\, e_{y_t}, \qquad q_t = \mathrm{softmax}(\tilde z_t), \qquad
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\Big( -\sum_j q_{t,j} \log p_\theta(j \mid x, y_{<t}) \Big).
$$

## Symbols

- $e_{y_t}$: the one-hot vector of the token to forget.
- $\beta$ (`strength`): what is taken off its logit: its odds are divided by $e^\beta$.
- $q_t$: the adjusted distribution of the teacher, which is the model before unlearning.
- $\lambda$ (`retain_weight`): weight of the mean negative log-likelihood of retain answers; 0 in the paper.

## Facts

- **It converges.** The gradient at the logits is $p_t - q_t$, so it is bounded and vanishes at $p = q$, where
  $p(y_t) = \frac{p^0 e^{-\beta}}{p^0 e^{-\beta} + 1 - p^0}$ and all other tokens keep their odds among each other.
  However long one trains, nothing collapses; gradient ascent and NPO have no such point.
- The loss is at least the mean entropy of $q_t$. With $\beta = 0$ there is nothing to learn.
- $\beta$ has to be weighed against the model's certainty: a token with $p^0 = 0.999$ is still the likeliest at
  $\beta = 5$ (0.87), and gone at 10 (0.04).
- $\beta \to \infty$ gives the target of cross-entropy unlearning (`ce-u`), there from the current model, here from the
  fixed teacher.
- On the embedded task, too, it arrives and stays. What the model says instead is fluent and of the right kind, another
  city, another genre. The true answers still stand out from unseen ones (`membership`).

## Differences

1. The paper may give tokens of named entities more weight ("focus"); here every token of the answer counts alike.
2. The released code has no masks, as it trains on unpadded text; a library after it averages over prompt and padding
   too, where it lowers an unrelated token's logit. Here the answer's tokens count, and these alone.
3. A retain term is added, off by default.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, hyperparameter, mean_nll


def adjusted_distribution(teacher: TokenLogits, strength: float) -> Tensor:
    r"""(N, V) $q_t = \mathrm{softmax}(z^0_t - \beta\, e_{y_t})$."""
    lowered = torch.zeros_like(teacher.logits).scatter_(1, teacher.targets[:, None], strength)
    return torch.softmax(teacher.logits - lowered, dim=1)


def soft_cross_entropy(out: TokenLogits, distribution: Tensor) -> Tensor:
    r"""() $-\sum_j q_{t,j} \log p_\theta(j)$, mean over tokens, then answers; $q$ is (N, V)."""
    return -out.mean_by_sequence((distribution * torch.log_softmax(out.logits, dim=1)).sum(dim=1)).mean()


@dataclass(frozen=True)
class UNDIAL(LossMethod):
    r"""Minimise the cross-entropy to the adjusted teacher."""

    paper = "dong2024unmemorization"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    published = {
        "learning_rate": 1e-4,
        "epochs": 10,
        "batch_size": 32,
        "source": "OpenUnlearning (arXiv 2506.12618), TOFU",
    }

    strength: float = hyperparameter(
        5.0,
        "β, what is taken off the true token's logit",
        source="released code, default",
        minimum=0,
        trade_off=(3.0, 5.0, 10.0, 30.0),
    )
    retain_weight: float = hyperparameter(0.0, "λ, weight of the retain loss", source="paper: there is none", minimum=0)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        (teacher,) = batch.before.token_logits(batch.forget)
        forget, retain = model.token_logits(batch.forget, batch.retain)
        loss = soft_cross_entropy(forget, adjusted_distribution(teacher, self.strength))
        return loss + self.retain_weight * mean_nll(retain)
