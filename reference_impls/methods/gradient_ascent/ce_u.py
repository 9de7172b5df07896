r"""Cross-entropy unlearning (CE-U).

At every place of an answer ask the model what it would say if the true token were ruled out, and train it to say that:
ordinary cross-entropy, towards its own second thoughts. No reference model and no retain data.

## Objective

Yang (section 3): with logits $z_t$ at the place that predicts $y_t$,

$$
q_t = \mathrm{sg}\!\left[\mathrm{softmax}\left(z_t \;\text{with}\; z_{t,y_t} = -\infty\right)\right],
\qquad
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|T|} \sum_{t \in T}
\Big( -\sum_j q_{t,j} \log p_\theta(j \mid x, y_{<t}) \Big).
$$

## Symbols

- $q_t$: the current model's distribution without the true token, $q_{t,j} = \frac{p_j}{1 - p_{y_t}}$; $\mathrm{sg}$: no
  gradient flows through it. With a one-hot $q_t$ the same formula is ordinary learning.
- $T$: the answer's tokens but the first few (`skip`), which the question alone does not settle: any answer has to begin
  somehow.

## Facts

- **Gradient at the logits** $p_t - q_t$: $p_{y_t}$ at the true token, $-\frac{p_j\, p_{y_t}}{1 - p_{y_t}}$ at any
  other. Its absolute values add up to $2 p_{y_t}$: never more than 2, and 0 when the token is forgotten. Gradient
  ascent has $2 (1 - p_{y_t})$ there: nothing for what is known by heart, most for what is long forgotten.
- It is **exactly the gradient of unlikelihood training**, $-\log(1 - p_{y_t})$, to which the loss adds the entropy of
  $q_t$, a constant of the step. So it is bounded below by 0, and the other tokens keep their odds.
- It pushes below chance: at a uniform distribution the true token still loses.
- **Certain tokens get all of the push**, whether they carry what is to be forgotten or only grammar. On the embedded
  task the model is certain of most words, shares them with the retain answers, and has nothing else to hold it: the
  retain answers fall with the forget answers and sentences break, sooner than under gradient ascent. That ascent
  explodes in the long run does not show there: the optimizer's steps have the same length however large the gradient.
- Nothing stops it but its own goal: at a learning rate that suits other methods the embedded model is soon wrecked.

## Differences

1. The mean is over an answer's tokens, then over answers; elsewhere it is over all tokens of a batch.
2. That the first token is left out is told of a footnote of the paper by the library that has its code; `skip` is 1
   there and here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, hyperparameter


def without_first_tokens(out: TokenLogits, skip: int) -> TokenLogits:
    """Logits at all but the first ``skip`` tokens of each answer."""
    place = torch.arange(len(out.sequence), device=out.sequence.device)
    place = place - torch.searchsorted(out.sequence, out.sequence)  # the first token of the same answer
    return out.chosen(place >= skip)


def ceu_loss(out: TokenLogits) -> Tensor:
    r"""() $-\sum_j q_{t,j} \log p_\theta(j)$, mean over tokens, then answers."""
    ruled_out = out.logits.detach().scatter(1, out.targets[:, None], -torch.inf)
    q = torch.softmax(ruled_out, dim=1)
    return -out.mean_by_sequence((q * torch.log_softmax(out.logits, dim=1)).sum(dim=1)).mean()


@dataclass(frozen=True)
class CEU(LossMethod):
    r"""Minimise $\mathcal L$ on the forget set alone."""

    paper = "yang2025ce"
    acts_on = "loss"
    retain = "unused"
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "source": "OpenUnlearning (arXiv 2506.12618), TOFU",
    }

    skip: int = hyperparameter(
        1,
        "how many tokens at an answer's beginning are left alone",
        source="OpenUnlearning, after the paper",
        minimum=0,
        trade_off=(0, 1, 2, 4),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch; the retain set is not looked at."""
        (forget,) = model.token_logits(batch.forget)
        return ceu_loss(without_first_tokens(forget, self.skip))
