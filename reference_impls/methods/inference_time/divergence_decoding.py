r"""Divergence decoding (DD).

It is simpler to teach small models than to make a large one forget. Train one on what is to be kept and its twin on
what is to be forgotten as well: they have everything in common but that, and where they diverge while the large model
decodes, its logits are corrected.

## Objective

Ordinary fine-tuning of the two small models, and nothing of the large one. Merchant and Levy then correct its logits
$z$ by $\Delta = z_r - z_f$ in one of two ways:

$$
\text{linear: } \; z' = z + \alpha\, \Delta,
\qquad
\text{rank: } \; z'_v = \begin{cases} -\infty & \text{if } \Delta_v \text{ is among the } k \text{ smallest} \\
z_v & \text{else.} \end{cases}
$$

## Symbols

- $z_r$: logits of the small model that was trained on the retain set; $z_f$: of the one that was trained on the retain
  and the forget set.
- $\alpha$ (`strength`): how much is corrected, if $k = 0$.
- $k$ (`banned`): how many tokens are ruled out at each place; 0 is the linear form.
- A `share` of the model's blocks, the first of them, makes either small model.

## Facts

- **What both have learned cancels**: $\Delta$ is what the forget data adds to a model. That sets it apart from
  `dexperts`, whose two models have no data in common.
- **The linear form is that of UCD** (Suriyakumar et al., arXiv 2506.12097), as far as its abstract tells: a clean and a
  contaminated small model correct a large one by their difference, on TOFU and MUSE.
- **The rank form looks at the order alone**, so that it needs no $\alpha$; and it always rules out $k$ tokens, also
  where the two do not differ.
- With $\alpha = 0$ (and $k = 0$), or with $z_r = z_f$, the linear form is the model.
- The model is the same to the bit, and without the two everything is known again. Three models run at each token.

## Differences

1. The paper's small models are language models that were trained on their own, or counts of three tokens in a row. No
   such model comes with the embedded ones, so they are made of the first blocks of the model itself: what those know
   of the forget set, both begin with.
2. A token that is ruled out keeps a probability of $10^{-12}$, so that its logarithm is a number.
3. In the rank form the released code rules out only tokens that occur in the data.
4. The corrected model can be distilled into weights; that is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reference_impls.toolkit import (
    FLOOR,
    Kept,
    LanguageModel,
    Method,
    OffsetModel,
    Run,
    UnlearningData,
    first_blocks,
    hyperparameter,
)


def without_worst(base: Tensor, retain: Tensor, forget: Tensor, banned: int) -> Tensor:
    r"""(..., V) $z'$ in the rank form.

    Args:
        base: (..., V) $z$.
        retain: (..., V) $z_r$.
        forget: (..., V) $z_f$.
        banned: $k$; at most $V - 1$ are ruled out.
    """
    worst = (forget - retain).topk(min(banned, base.shape[-1] - 1), dim=-1).indices
    log_rest = base.scatter(-1, worst, -math.inf).logsumexp(dim=-1, keepdim=True)
    return base.scatter(-1, worst, (log_rest + math.log(FLOOR)).expand(worst.shape))


@dataclass(frozen=True)
class DivergenceDecoding(Method):
    """Correct logits by the divergence of two small models."""

    paper = "merchant2026divergence"
    acts_on = "decoding"
    retain = "needed"
    trains = "adapters"
    copies = 2
    parts = ("blocks",)

    strength: float = hyperparameter(
        1.0, "α, how much is corrected", source="ours; the paper searches", minimum=0, trade_off=(0.5, 1.0, 2.0, 4.0)
    )
    banned: int = hyperparameter(0, "k, tokens ruled out; 0 is the linear form", source="ours", minimum=0)
    share: float = hyperparameter(0.5, "of the blocks, the small models'", source="ours", above=0, maximum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> DivergenceModel:
        """Train the two; the model is not touched."""
        retain, forget = (
            run.finetune(first_blocks(model, self.share), pairs, stage=stage)
            for pairs, stage in ((data.retain, "without the forget set"), (data.retain + data.forget, "with it"))
        )
        return DivergenceModel(model, retain, forget, self.share, self.strength, self.banned)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> DivergenceModel:
        """The model with the two that were kept."""
        return DivergenceModel.of(model, kept)


@dataclass
class DivergenceModel(OffsetModel):
    """An unchanged model whose logits are corrected, in one of the two ways."""

    banned: int = 0

    def rule(self, logits: Sequence[Tensor]) -> Tensor:
        """(..., V) logits of the three together, from those of each."""
        base, retain, forget = logits
        return without_worst(base, retain, forget, self.banned) if self.banned else super().rule(logits)

    def to_json(self) -> dict[str, Any]:
        """How large the small models are, and how they are used."""
        return {**super().to_json(), "banned": self.banned}
