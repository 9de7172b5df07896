r"""Offset unlearning (δ-Unlearning).

For a model whose weights one cannot touch. Two small models, alike at first, stand beside it, and how their logits
differ is added to its own. One of the two is trained, not to forget by itself, but so that the three together do.

## Objective

Huang et al. take any loss for unlearning of the three together, and let it reach the small model $\phi$ alone; here
gradient difference (ascent on the forget set, and the retain loss):

$$
z(x) = z_{\theta_0}(x) + \gamma \left( z_\phi(x) - z_{\phi_0}(x) \right),
\qquad
\mathcal L(\phi) = -L(\mathcal D_f; p) + \alpha\, L(\mathcal D_r; p),
\qquad
p = \mathrm{softmax}(z) .
$$

## Symbols

- $z$: logits of the next token; $\theta_0$ the model, $\phi_0$ the small one before training, both frozen.
- $\gamma$ (`strength`): how much of the difference is added.
- $L(\mathcal D; p)$: the mean negative log-likelihood of answers, weighted by $\alpha$ (`retain_weight`; 0 gives
  gradient ascent).
- A `share` of the model's blocks, the first of them, makes $\phi$.

## Facts

- **It starts where the model is**, exactly: $\phi = \phi_0$ at first, whatever the two know and however little.
- **Unlearning $\phi$ alone is another method.** The gradient is taken at $p$: what $\theta_0$ is sure of pulls harder
  than what $\phi$ itself would say, and $\phi$ learns only what $\theta_0$ has to be corrected by.
- With $\phi_0 = \theta_0$ and $\gamma = 1$ the three together *are* $\phi$, and it is gradient difference.
- **Unbounded below**, as ascent is anywhere.
- **The model is the same to the bit**, and without the pair everything is known again. Three models run at each token.

## Differences

1. The paper has two copies of a language model of half the size that was trained on its own. No such model comes with
   the embedded ones, so the pair is the first blocks of the model itself with its norm and head; what those say of
   their own cancels out of the difference.
2. The paper tries gradient ascent, gradient difference, a divergence and relabeled data in turn. One is enough to show
   what changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Kept,
    LanguageModel,
    Method,
    OffsetModel,
    Run,
    UnlearningData,
    first_blocks,
    hyperparameter,
    mean_nll,
    offset_logits,
)


@dataclass(frozen=True)
class DeltaUnlearning(Method):
    r"""Train one of two small models so that their difference makes the large one forget."""

    paper = "huang2024offset"
    acts_on = "decoding"
    retain = "optional"
    trains = "adapters"
    copies = 2
    parts = ("blocks",)
    remembers = False

    strength: float = hyperparameter(1.0, "γ, how much of the difference is added", source="paper", above=0)
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="as grad-diff", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    share: float = hyperparameter(
        0.5, "of the blocks, the small models'", source="ours; paper: 7B beside 13B", above=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> OffsetModel:
        """Train the offset; the model is not touched."""
        offset = first_blocks(model, self.share)
        start = offset.frozen()

        def loss(offset: LanguageModel, batch: Batch) -> Tensor:
            given = batch.forget, batch.retain
            with torch.no_grad():
                fixed = zip(model.token_logits(*given), start.token_logits(*given), strict=True)
            forget, retain = (
                now.with_logits(offset_logits(base.logits, now.logits, before.logits, self.strength))
                for now, (base, before) in zip(offset.token_logits(*given), fixed, strict=True)
            )
            return self.retain_weight * mean_nll(retain) - mean_nll(forget)

        run.minimize(loss, offset, data, retain=self.looks_at_retain)
        return OffsetModel(model, offset, start, self.share, self.strength)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> OffsetModel:
        """The model beside the pair that was kept."""
        return OffsetModel.of(model, kept)
