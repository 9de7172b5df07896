r"""Distributionally robust unlearning: the worst mixture of forget examples (BalDRO).

Some answers are forgotten at once and then pushed on to no purpose, while others hardly move. Of all ways to weigh the
forget examples that are not too far from weighing them alike, the one is taken under which forgetting stands worst,
and the loss is that one's: what is still remembered counts, and what is gone does not.

## Objective

Shao et al.: a minimum over the model of a supremum over distributions $Q$ on the forget examples, with the uniform
distribution $P$ and npo's loss $\ell_i$ of each example. By the Donsker-Varadhan formula the supremum has a closed form
(BalDRO-DV),

$$
\sup_Q\ \mathbb E_Q[\ell] - \sigma\, \mathrm{KL}(Q \,\|\, P) = \sigma \log \frac1B \sum_{i=1}^B e^{\ell_i/\sigma},
\qquad Q_i \propto e^{\ell_i/\sigma},
$$

and in a coarser way (BalDRO-G) $Q$ is uniform on the share $\rho$ of a batch that is remembered best, by likelihood per
token. To it the retain loss is added, $\alpha\, L(\mathcal D_r; \theta)$.

## Symbols

- $\ell_i = -\frac2\beta \log \sigma(-\beta \log \frac{\pi_\theta}{\pi_{\mathrm{ref}}}(y_i \mid x_i))$: npo's loss
  of an answer, with $\beta$ (`beta`) and the logistic function $\sigma(\cdot)$; high where it is still likely.
- $\sigma$ (`temperature`): the price of leaving the uniform distribution.
- $\rho$ (`share`): how much of a batch the group is.
- $\alpha$ (`retain_weight`): weight of the mean negative log-likelihood of retain answers.

## Facts

- **Between the mean and the maximum.** $\sigma \to \infty$ gives the mean, npo itself; $\sigma \to 0$ the largest
  $\ell_i$. Both variants lie between, and `share` 1 is npo again.
- **Its gradient is npo's under other weights**, $\sum_i Q_i \nabla \ell_i$: where all answers stand alike, nothing
  changes. Of two of which one is $\sigma$ worse, that one counts $e = 2.7$ times as much.
- $\ell$ is at the start the same for every answer, $\frac2\beta \log 2$ (13.9 with 0.1): weights begin alike and part
  as answers do.

## Differences

1. The released code has the continuous variant with the other sign, $-\sigma \log \frac1B \sum_i e^{-\ell_i/\sigma}$:
   an infimum, in which what is *forgotten* counts most. That is the `released` variant; the paper's words, and this
   file's default, weigh what is hard.
2. The released code draws a part of the retain batch where a group is chosen; here all of it counts.
3. The paper puts the scheme on simnpo and SatImp as well; here on npo.
4. The formulas of the supremum are the known ones of the names that the paper gives; of the paper itself the abstract
   was read, and the code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, hyperparameter, mean_nll, npo_losses


def soft_maximum(losses: Tensor, temperature: float) -> Tensor:
    r"""() $\sigma \log \frac1B \sum_i e^{\ell_i/\sigma}$ of (B,) losses; the soft minimum for a temperature below 0."""
    return temperature * (torch.logsumexp(losses / temperature, dim=0) - math.log(len(losses)))


@dataclass(frozen=True)
class BalDRO(LossMethod):
    r"""Minimise the worst mixture of npo's losses, plus the retain loss."""

    paper = "shao2026baldro"
    acts_on = "loss"
    reference = "log-probabilities"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 16,
        "source": "released code, TOFU with Llama-2-7B-chat: the least rate of its grid",
    }

    variant: str = hyperparameter(
        "continuous",
        "how the worst mixture is found: by Donsker and Varadhan, as a group, or with the code's sign",
        source="paper: the first two",
        choices=("continuous", "group", "released"),
    )
    temperature: float = hyperparameter(1.0, "σ, price of uneven weights", source="released code", above=0)
    share: float = hyperparameter(0.5, "ρ, share of a batch that is the group", source="code", above=0, maximum=1)
    beta: float = hyperparameter(0.1, "β, npo's inverse temperature", source="as npo", above=0)
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="as npo", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        assert batch.forget.reference is not None
        forget, retain = model.token_logits(batch.forget, batch.retain)
        losses = npo_losses(forget.sequence_logprobs(), forget.sum_by_sequence(batch.forget.reference), self.beta)
        return self.worst(losses, forget.sequence_nll()) + self.retain_weight * mean_nll(retain)

    def worst(self, losses: Tensor, nll: Tensor) -> Tensor:
        """() the loss under the worst mixture, of (B,) losses and (B,) negative log-likelihoods per token."""
        if self.variant == "group":
            hardest = nll.topk(max(1, int(self.share * len(nll))), largest=False).indices
            return losses[hardest].mean()
        return soft_maximum(losses, -self.temperature if self.variant == "released" else self.temperature)
