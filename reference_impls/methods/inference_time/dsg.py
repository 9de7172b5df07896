r"""Dynamic sparse-autoencoder guardrails (DSG).

Features of a sparse autoencoder are clamped as in `sae-clamping`, but only where a question has many of them: how often
they show in it decides whether it is about what is to be forgotten. All other questions meet the model as it was.

## Objective

Muhamed et al.: with the mean $\bar z_f(i)$, $\bar z_r(i)$ of feature $i$ over the tokens of the forget and of the
retain set,

$$
F_f(i) = \bar z_f(i)^2, \qquad F_r(i) = \bar z_r(i)^2, \qquad
S = \mathrm{top}_n\; F_f(i) \ \text{ among those with } \ \frac{F_f(i)}{F_r(i)} \ge Q_q ,
$$

$$
\rho(x) = \frac{1}{|x|} \sum_t \mathbf 1\left[ \exists\, i \in S: z_i(t) > 0 \right], \qquad
h \leftarrow \begin{cases}
h - \sum_{i \in S} \mathbf 1_{z_i > 0}\, (z_i + c_i)\, d_i & \text{if } \rho(x) > \tau, \\
h & \text{otherwise.}
\end{cases}
$$

## Symbols

- $Q_q$: the percentile $q$ (`ratio_percentile`) of the ratio over all features. $n$ (`features`): how many are chosen.
- $\tau$: the percentile `percentile` of $\rho$ over the retain set's questions.
- $c_i$: to which value below 0 a feature is set, `strength` times the mean of what it is on the forget set when active;
  $d_i$ its direction.
- The block is at a fraction of the depth (`depth`). The autoencoder learns from the states behind it, at the tokens of
  both sets.

## Facts

- **Squares of activations stand for Fisher information**: how much an answer's likelihood hangs on a feature. The paper
  shows that the two go together.
- **What is let through is untouched, to the bit.** With `percentile` 95 one retain question in twenty, at most, is
  stopped; of retain questions with $\rho$ of 0, 0.1, 0.2 and 0.4 it is 0.37. With 0 every question that has more than
  the least is.
- **Since others are let through, the clamp may be hard**: the paper sets features to $-500$.
- **As a gate it is as good as the features.** On `authors` 20 features of the first block with
  $q = 99$ stop 65 % of the forget questions where `percentile` is 80, with 17 % of the others, and 31 % and 4 % where
  it is 95: questions are short, and people share names.
- The weights are the same to the bit, and without what is around them everything is known again.

## Differences

1. As in `sae-clamping`, the autoencoder is trained on the two sets where no published one is named, and $c$ is relative
   to what features are.
2. The released code counts over the whole text that is given, which while it writes, or is scored, would be more with
   every token. Here the question decides, once, so that an answer that is scored is treated as one that is written; of
   a plain text the beginning is the question (see `Pair.prompted` of the toolkit).
3. Its other two conditions are left out: at their defaults (the 5th percentile of $F_f$ at least, the 100th of $F_r$ at
   most) they exclude what is never active on the forget set, which is never chosen here.
4. It leaves a text's first token out of $\rho$; here it counts, as in all texts alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Clamp,
    Clamped,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearnedModel,
    UnlearningData,
    features_of,
    hyperparameter,
    token_states,
)

LEAST = 1e-21
"""Added to what is divided by, as in the released code."""


def chosen_features(forget: Tensor, retain: Tensor, count: int, percentile: float) -> Tensor:
    """(n,) $S$ of (m,) mean activations on the two sets, the most important first; at least one."""
    importance = forget.square()
    ratio = importance / (retain.square() + LEAST)
    likely = importance.masked_fill(ratio < torch.quantile(ratio, percentile / 100), 0)
    return likely.topk(min(count, max(1, int((likely > 0).sum())))).indices


@dataclass(frozen=True)
class DSG(Method):
    """Learn features, choose among them, and measure how often they show in what must stay."""

    paper = "muhamed2025saes"
    acts_on = "activations"
    retain = "needed"
    trains = "nothing"
    parts = ("blocks",)
    reads_features = "blocks"

    features: int = hyperparameter(20, "n, how many features are clamped", source="released code: 20 to 200", minimum=1)
    percentile: float = hyperparameter(
        95.0,
        "τ, as a percentile of ρ over retain questions",
        source="released code",
        minimum=0,
        maximum=100,
        trade_off=(80.0, 90.0, 95.0, 99.0),
    )
    ratio_percentile: float = hyperparameter(
        90.0, "q, of the features' ratio", source="released code, 90 and 95", minimum=0, maximum=100
    )
    strength: float = hyperparameter(
        10.0, "c, in multiples of what a feature is when active", source="ours; paper: 500 for all", minimum=0
    )
    depth: float = hyperparameter(
        0.12, "the block, as a fraction of the depth", source="layer 3 of Gemma-2-2B's 26", minimum=0, maximum=1
    )

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> Guarded:
        """Learn the features of one block, look where they are active, and set the gate."""
        (of,) = features_of(model, [model.layer_at(self.depth)], data, run)
        chosen = chosen_features(of.forget.mean, of.retain.mean, self.features, self.ratio_percentile)
        floor = (self.strength * of.forget.when_active[chosen]).float()
        clamp = Clamp(of.autoencoder, chosen.to(model.device), floor.to(model.device))
        found = Guarded(model, of.layer, clamp, 0.0)
        kept = torch.stack([found.share(pair.prompt) for pair in data.prompted().retain])
        return replace(found, threshold=float(torch.quantile(kept, self.percentile / 100)))

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> Guarded:
        """The model with the features that were clamped, behind the gate."""
        return Guarded(*Clamped.kept_parts(model, kept), float(kept.facts["threshold"]))


@dataclass
class Guarded(Clamped):
    """The unchanged model, of which features are clamped where a question has many of them."""

    threshold: float

    def share(self, question: str) -> Tensor:
        r"""() $\rho$."""
        (states,) = token_states(self.model, self.model.blocks[self.layer], [Pair(question, "", closed=False)])
        return self.clamp.active(states).double().mean().cpu()

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The changed model where the question has many of the features, and the model itself elsewhere."""
        return self.changed if float(self.share(query)) > self.threshold else self.model

    def to_json(self) -> dict[str, Any]:
        """Which block, and the gate."""
        return {**super().to_json(), "threshold": self.threshold}
