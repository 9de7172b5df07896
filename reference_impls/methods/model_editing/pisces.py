r"""Precise in-parameter concept erasure (PISCES).

What each neuron of an MLP writes is a vector, and a sparse autoencoder of the MLP's outputs reads that vector as
features. In the neurons that write the features of what is to be forgotten, these are set to the opposite, and the
vectors are put together again. Nothing is trained of the model, and there is no hook.

## Objective

Gur-Arieh et al., for the vector $v_j$ that neuron $j$ writes, and the encoder's row $w_f$ of a feature $f \in S$:

$$
e_{jf} = \langle w_f, v_j \rangle, \qquad
v_j \leftarrow v_j + \sum_{f \in S} \mathbf 1\left[\, |e_{jf}| > \tau \max_{j'} |e_{j'f}| \,\right]
\left( - \mu\, s_j \max_{j', f'} |e_{j'f'}| - z_f(v_j) \right) d_f .
$$

## Symbols

- $z(v_j)$: the features of the vector, as the autoencoder reads it; $d_f$: the direction of a feature.
- $\tau$ (`threshold`): how much of the most a neuron has to write of a feature to be changed.
- $\mu$ (`strength`): to what it is set, as a multiple of the most of all.
- $s_j$: the sign that the neuron mostly has where the features are active in texts to forget: what a neuron writes is
  its vector times its value, and has to come out against the feature.
- $S$: for each block, `features` at most that the forget set has the most more often than the retain set, as far as
  their mean there is at least `ratio` times as high. Blocks go from one fraction of the depth (`first`) to another.

## Facts

- **What the autoencoder does not tell of a vector is kept**: only multiples of $d_f$ are added, and other neurons stay
  as they are, to the bit. With $d_f = (1, 0)$, $z_f = 2$ and $\mu$ times the most of all 4, $(-6, 0)$ is added to the
  vector of a neuron that is mostly above 0.
- $\tau \ge 1$ changes nothing: no neuron writes more than the most.
- **A change of one neuron acts wherever it fires**, on other texts, too: specific are the features as far as the
  neurons are. In the embedded models neurons are not: those that write the most of five
  chosen features of the last block have values as large on retain as on forget texts of `authors` (0.276 and 0.278).
  So the specificity that the paper reports is not seen: with $\tau = 0.4$ they leave forget answers at a probability
  of 0.89 and retain answers at 0.96; 20 features in each of the last two blocks leave 0.40 and 0.55, ten in each of the
  first two 0.10 and 0.18 (measured on a part of both sets).
- Nothing is trained, and each text is read three times for each block.

## Differences

1. The paper finds features by the tokens whose logits their directions raise, and by people or a model who look at
   them; then it leaves out those whose erasure hurts. Here the two sets tell, by the rule of `crisp`.
2. It takes autoencoders that were trained on large corpora. Here they learn from the two sets where
   none are named; see `sae-clamping`.
3. The released code takes a neuron's sign at tokens that name the concept; here at all tokens of the forget set where
   a chosen feature is active. It has a second form without signs, and makes $\mu$ smaller in the first ten blocks of
   Gemma; neither is here.
4. It tries ten values of $\mu$ and $\tau$ for each concept, on questions of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Memory,
    Method,
    Pair,
    Run,
    SparseAutoencoder,
    UnlearningData,
    UsageError,
    by_place,
    contrasted,
    features_of,
    hyperparameter,
    watched,
)


def erased(
    vectors: Tensor, autoencoder: SparseAutoencoder, features: Tensor, signs: Tensor, threshold: float, strength: float
) -> Tensor:
    """(neurons, d) what neurons write, with features set to the opposite.

    Args:
        vectors: (neurons, d) what they write.
        autoencoder: of what they write together.
        features: (n,) which features.
        signs: (neurons,) of the neurons' values.
        threshold: τ.
        strength: μ.
    """
    written = vectors @ autoencoder.encoder[features].T
    most = written.abs().amax(dim=0)
    wanted = -strength * most.max() * signs[:, None]
    change = torch.where(written.abs() > threshold * most, wanted - autoencoder.encode(vectors)[:, features], 0.0)
    return vectors + change @ autoencoder.decoder[features]


@torch.no_grad()
def usual_signs(
    model: LanguageModel, memory: Memory, autoencoder: SparseAutoencoder, features: Tensor, pairs: Sequence[Pair]
) -> Tensor:
    """(neurons,) the sign that most values of each have at the tokens where a feature is active; 0 for a draw."""
    total = torch.zeros(memory.weight.shape[1], device=model.device)
    for batch in model.encoded(pairs):
        with watched([memory.module]) as seen:
            model.token_logits(batch)
        keys, given = (by_place(one, batch.input_ids.shape) for one in seen[memory.module])
        active = (autoencoder.encode(given)[..., features] > 0).any(dim=-1) & batch.attention_mask.bool()
        total += keys[active].float().sign().sum(dim=0)
    return total.sign()


@dataclass(frozen=True)
class PISCES(Method):
    """Learn features of what MLPs write, and set those of the forget set to the opposite in the neurons' vectors."""

    paper = "gurarieh2025precise"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)
    reads_features = "memories"

    strength: float = hyperparameter(
        10.0, "μ, multiple of the most of all", source="released code: 4 to 50", minimum=0, trade_off=(4.0, 10.0, 24.0)
    )
    threshold: float = hyperparameter(
        0.5, "τ, share of the most of a feature", source="released code: 0.2 to 0.95", minimum=0
    )
    features: int = hyperparameter(10, "features of each block, at most", source="ours", minimum=1)
    ratio: float = hyperparameter(3.0, "how many times the retain set's mean", source="as crisp", minimum=0)
    first: float = hyperparameter(
        0.0, "first block, as a fraction of the depth", source="paper, which looks at all", minimum=0, maximum=1
    )
    last: float = hyperparameter(1.0, "last one", source="paper, which looks at all", minimum=0, maximum=1)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """From the first block to the last; features and signs are those of the model before the first change."""
        layers = range(model.layer_at(self.first), model.layer_at(self.last) + 1)
        changes = []
        for of in features_of(model, layers, data, run, "memories"):
            features = contrasted(of.forget, of.retain, self.features, self.ratio).to(model.device)
            if len(features):
                memory, vectors = Memory(of.module), Memory(of.module).weight.T.float()
                signs = usual_signs(model, memory, of.autoencoder, features, data.forget)
                erasing = erased(vectors, of.autoencoder, features, signs, self.threshold, self.strength)
                changes.append((memory, erasing))
        if not changes:
            raise UsageError("No feature is of the forget set more than of the retain set; set a smaller ratio.")
        for memory, vectors in changes:
            memory.weight.copy_(vectors.T)
        return model
