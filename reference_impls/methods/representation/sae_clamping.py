r"""Clamping of sparse-autoencoder features (SAE clamping).

A sparse autoencoder reads the residual stream as a sum of features. Those that are active on what is to be forgotten,
and hardly ever on other text, are set to a negative value wherever they show, while the model runs. No weight changes.

## Objective

Farrell et al.: with features $z = \mathrm{enc}(h)$ of a state $h$ and their directions $d_i$,

$$
h \leftarrow h - \sum_{i \in S} \mathbf 1_{z_i > 0}\, (z_i + c_i)\, d_i ,
\qquad
S = \underset{i\,:\, s_r(i) < \tau}{\mathrm{top}_n}\; s_f(i) .
$$

## Symbols

- $s_f(i)$, $s_r(i)$: the share of the tokens of the forget and of the retain set at which feature $i$ is active.
- $\tau$ (`retain_threshold`): which share of the retain tokens is too much. $n$ (`features`): how many are clamped.
- $c_i$: to which value below 0 a feature is set, `strength` times the mean of what it is on the forget set when active.
- The block is at a fraction of the depth (`depth`). The autoencoder learns from the states behind it, at the tokens of
  both sets, with 16 features for each dimension, of which as many as the root of the width may be active at once.

## Facts

- **What the features do not tell is kept**: only differences are added, so that a state in which none of $S$ is active
  stays as it is, to the bit. For $h = (2, 1)$, $d = (1, 0)$, $z = 2$ and $c = 10$ it becomes $(-10, 1)$.
- **Setting features to 0 does next to nothing**, as the paper found: on `authors` 20 features behind the third block
  then leave forget answers at a probability of 0.96, as it was; at twice what they are when active, below 0, at 0.80,
  and at five times at 0.62.
- **Side effects grow with $n$ and $\tau$**, and the paper finds them to be as large as those of `rmu`, or larger:
  on `authors` 20 features behind the first block, with $\tau = 0.003$, take forget answers to 0.41 (the retrained model
  has 0.45), retain answers from 0.98 to 0.87, and utility from 0.65 to 0.61. People share names.
- **The autoencoder decides.** With 16 features for each dimension, ten of them behind the first block leave forget
  answers at about 0.54 and retain answers at 0.94; with four for each, at 0.62 and 0.84.
- The change acts at every token by itself, in a prompt as in what is written, and needs no look at the whole text.
- The weights are the same to the bit, and without the hook everything is known again.

## Differences

1. The paper takes autoencoders that were trained on large corpora, and so does this with `--autoencoder`. There is none
   for most models, the embedded ones among them: then it learns from the two sets, which takes seconds for a small
   model and needs memory for a large one. What is in neither set has no features of its own.
2. The paper's $c$ is one number for all features (the benchmark that took its recipe over tries 25 to 200, for states
   of that size). Multiples of what a feature is when active suit states of any size.
3. The benchmark's code leaves a text's first token alone, whose state is out of all proportion in large models. Here
   it counts in the shares, so that what is active there is active in every text to keep, and not chosen.
4. The paper's text was at hand in part: the rule of choice and the clamp are as in SAEBench, which follows it.
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
class SAEClamping(Method):
    """Learn features, choose among them, and clamp."""

    paper = "farrell2024applying"
    acts_on = "activations"
    retain = "needed"
    trains = "nothing"
    parts = ("blocks",)
    reads_features = "blocks"

    features: int = hyperparameter(20, "n, how many features are clamped", source="SAEBench: 10 and 20", minimum=1)
    strength: float = hyperparameter(
        5.0,
        "c, in multiples of what a feature is when active",
        source="ours; SAEBench: one value for all, 25 to 200",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    retain_threshold: float = hyperparameter(
        0.01, "τ, share of retain tokens that is too much", source="SAEBench: 0.001 and 0.01", above=0, maximum=1
    )
    depth: float = hyperparameter(0.5, "the block, as a fraction of the depth", source="ours", minimum=0, maximum=1)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> Clamped:
        """Learn the features of one block, and look where they are active."""
        (of,) = features_of(model, [model.layer_at(self.depth)], data, run)
        return Clamped(model, of.layer, clamp_of(of, self.features, self.retain_threshold, self.strength))

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> Clamped:
        """The model with the features that were clamped."""
        return Clamped(*Clamped.kept_parts(model, kept))
