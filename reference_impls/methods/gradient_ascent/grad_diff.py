r"""Gradient difference (GradDiff).

Ascend on the forget set and descend on the retain set at the same time, so that what must stay is trained while
what must go is untrained. The plainest way to hold gradient ascent back, and the base of most later objectives.

## Objective

TOFU ("Gradient Difference" of its baseline methods):

$$
\mathcal L_{\mathrm{diff}}(\theta) = -\gamma\, L(\mathcal D_f; \theta) + \alpha\, L(\mathcal D_r; \theta),
\qquad
L(\mathcal D; \theta) = \frac{1}{|\mathcal D|} \sum_{(x,y) \in \mathcal D} \bar\ell(y \mid x; \theta).
$$

## Symbols

- $\mathcal D_f$, $\mathcal D_r$: forget and retain set; one random retain example is drawn per forget example.
- $\bar\ell$: the mean negative log-likelihood of the answer's tokens.
- $\gamma$ (`forget_weight`), $\alpha$ (`retain_weight`): 1 and 1 in the paper.

## Facts

- **Unbounded below**, like gradient ascent: the retain term stays at 0 or above, the forget term has no floor.
- **The balance drifts.** The forget gradient grows as the answers become unlikely, the retain gradient shrinks as
  they are kept; fixed weights stop balancing, and the forget set ends far *below* the retrained model's level.
- With one batch in both roles and $\gamma = \alpha$ the gradient is exactly 0.

## Differences

1. TOFU and later papers credit Liu, Liu and Stone, *Continual Learning and Private Unlearning* (2022). That paper's own
   scheme is an exact one (temporary networks that are deleted); the difference loss is written down by TOFU, which is
   what this file follows.
2. TOFU's code averages over all tokens of the batch, its formula over answers; here the formula.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, hyperparameter, mean_nll


@dataclass(frozen=True)
class GradDiff(LossMethod):
    r"""Minimise $\mathcal L_{\mathrm{diff}}$."""

    paper = "maini2024tofu"
    acts_on = "loss"
    retain = "needed"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.2,
        "source": "paper, Llama-2-7B; 2e-5 for Phi-1.5",
    }

    forget_weight: float = hyperparameter(
        1.0, "γ, weight of the forget term", source="TOFU, baseline methods", minimum=0
    )
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain term", source="TOFU, baseline methods", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return -self.forget_weight * mean_nll(forget) + self.retain_weight * mean_nll(retain)
