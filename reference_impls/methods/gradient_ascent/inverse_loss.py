r"""Inverse loss (Effective Unlearning Loss).

Instead of ascending on the loss of what is to be forgotten, descend on one over it: the same direction, but the pull is
strongest where an answer is known by heart and fades as it goes. Nothing runs away, and no reference model is needed.

## Objective

Sun and Li (the loss as in their released code), with a retain loss:

$$
\mathcal L(\theta) = \frac{1}{\big(L(\mathcal D_f; \theta) + \epsilon\big)^k} + \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $L(\mathcal D; \theta)$: the mean negative log-likelihood per token of a set's answers, here of a batch of them.
- $k$ (`exponent`): 1 or 2; how fast the pull fades.
- $\epsilon$ (`offset`): keeps the pull finite where everything is known; 0 in the code.
- $\lambda$ (`retain_weight`): weight of the retain loss.

## Facts

- **Bounded below by 0**, and never there: the gradient is that of ascent times $k\,(L + \epsilon)^{-k-1}$. With $k = 2$
  and $\epsilon = 0$ that is 2000 at a loss of 0.1, 16 at 0.5, 0.25 at 2 and 0.002 at 10.
- **The weight is one of the batch**: an answer that is long gone is pushed as much as one still known beside it.
- **Adam sees the change of the pull, not its size**: its step is divided by what gradients have been, so that the
  first, enormous ones make later steps small. It fades the faster for it, and so does the pull of the retain term.
- It never stops by itself, but goes on ever more slowly.
- In its paper the loss has the abbreviation EUL, which is not that of `eul`.
- **It does not run away**: on `authors`, at a rate of $5 \cdot 10^{-4}$, the forget answers go from 0.96 to 0.05, the
  utility from 0.65 to 0.62, and retain answers stay at 0.95, where `grad-diff` leaves $10^{-11}$, 0.38 and 0.32. That
  is still below the retrained model's 0.45, since nothing says where to stop.

## Differences

1. The code has batches of one kind each, forget, retain and refusals, in random order; here forget and retain answers
   share a batch and the step. Its third kind, forget questions with refusals, is not in this file.
2. Its loss is a mean over all tokens of a batch, those of the question included; here over an answer's tokens, then
   over answers.
3. It trains low-rank adapters; here all weights learn. $\epsilon$ is added, off by default.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, hyperparameter, mean_nll


def inverse_loss(out: TokenLogits, exponent: int, offset: float) -> Tensor:
    r"""() $(L + \epsilon)^{-k}$ from logits at the tokens of answers to forget."""
    return (mean_nll(out) + offset) ** -exponent


@dataclass(frozen=True)
class InverseLoss(LossMethod):
    r"""Minimise the inverse loss plus the retain loss."""

    paper = "sun2025ishumei"
    acts_on = "loss"
    retain = "optional"
    published = {
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "source": "released code, OLMo-7B; its learning rate (1e-4) is for low-rank adapters",
    }

    exponent: int = hyperparameter(2, "k, how fast the pull fades", source="released code", minimum=1)
    offset: float = hyperparameter(0.0, "ε, added to the loss", source="released code: none", minimum=0)
    retain_weight: float = hyperparameter(
        1.0,
        "λ, weight of the retain loss",
        source="released code: batches of both kinds take turns",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return inverse_loss(forget, self.exponent, self.offset) + self.retain_weight * mean_nll(retain)
