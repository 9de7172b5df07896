r"""Conditional clamping of sparse-autoencoder features (Clamp Prime).

Features that show in what is to be forgotten are clamped as in `sae-clamping`, but only where they are plainly active.
What fires a little in a text about something else is left alone, and so is the text.

## Objective

Khoriaty et al.: with features $z = \mathrm{enc}(h)$ of a state $h$ and their directions $d_i$,

$$
h \leftarrow h - \sum_{i \in S} \mathbf 1_{z_i > \theta_i}\, (z_i + c_i)\, d_i .
$$

## Symbols

- $S$: as in `sae-clamping`, the `features` that are active at most of the forget set's tokens, of those that are so at
  less than `retain_threshold` of the retain set's.
- $c_i$, $\theta_i$: to which value below 0 a feature is set, and from where on; `strength` and `least` times the mean
  of what it is on the forget set when active.
- The block is at a fraction of the depth (`depth`).

## Facts

- **With $\theta = 0$ it is `sae-clamping`**, and with a large one nothing happens, to the bit. For $z = 2$ and
  $\theta = 1$ a state loses $(2 + c)\, d$; for $z = 1$ nothing.
- **It is a step**: just above $\theta_i$ a feature falls by $\theta_i + c_i$ at once.
- **Who clamps only what is plainly active keeps more and forgets less**: on `authors`, behind the first block with
  `retain_threshold` 0.003, forget answers go from 0.96 to 0.41 with `least` 0 and to 0.48 with 1 (the retrained model
  has 0.45), retain answers from 0.98 to 0.87 and 0.94, and utility from 0.65 to 0.61 and 0.64. With 1.5 hardly anything
  is clamped.
- The paper finds it on a par with `rmu` on hazards where others, with no condition, had found clamping to be worse.
- Each token is changed by itself; `dsg` looks at the whole question first.

## Differences

1. As in `sae-clamping`: features are learned from the two sets where no published autoencoder is named, and values are
   relative to what features are. In the released code values and thresholds are those of a table, written by hand.
2. How $S$ is found is `sae-clamping`'s, which the paper builds on.
3. Their other clamp, which switches on a feature of refusing where the features are active, is left out: how that
   feature is found could not be verified, and models that never refused have none.
4. The paper was read in its abstract and its code. There the condition is a threshold on each feature; the abstract's
   condition, that the features fire at all, is the one with $\theta = 0$.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from reference_impls.toolkit import (
    Clamped,
    Kept,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    clamp_of,
    features_of,
    hyperparameter,
)


@dataclass(frozen=True)
class ClampPrime(Method):
    """Choose features, and clamp them where they are plainly active."""

    paper = "khoriaty2025don"
    acts_on = "activations"
    retain = "needed"
    trains = "nothing"
    parts = ("blocks",)
    reads_features = "blocks"

    features: int = hyperparameter(20, "n, how many features are clamped", source="as sae-clamping", minimum=1)
    strength: float = hyperparameter(
        5.0, "c, in multiples of what a feature is when active", source="as sae-clamping", minimum=0
    )
    least: float = hyperparameter(
        0.5,
        "θ, from where on it is clamped, in such multiples",
        source="ours; code: a table",
        minimum=0,
        trade_off=(0.0, 0.25, 0.5, 1.0),
    )
    retain_threshold: float = hyperparameter(
        0.01, "τ, share of retain tokens that is too much", source="as sae-clamping", above=0, maximum=1
    )
    depth: float = hyperparameter(0.5, "the block, as a fraction of the depth", source="ours", minimum=0, maximum=1)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> Clamped:
        """Learn the features of one block, and look how active they are."""
        (of,) = features_of(model, [model.layer_at(self.depth)], data, run)
        clamp = clamp_of(of, self.features, self.retain_threshold, self.strength, self.least)
        return Clamped(model, of.layer, clamp)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> Clamped:
        """The model with the features that were clamped, and from where on."""
        return Clamped(*Clamped.kept_parts(model, kept))
