r"""Detecting and editing privacy neurons (DEPN).

Ask of every neuron how much of a secret's probability it accounts for, find the few that account for most in many
secrets, and silence them. Nothing is trained.

## Objective

Wu et al. (section 2.2): for a text with private tokens $y_1, \dots, y_n$, the neuron $k$ of layer $l$ with activation
$\beta_{l,i}^k$ where $y_i$ is predicted is attributed

$$
\mathrm{Att}(w_l^k) = \sum_{i=1}^{n} \beta_{l,i}^k \int_0^1
\frac{\partial P(y_i \mid X, \alpha \beta_{l,i})}{\partial w_l^k}\, d\alpha
\;\approx\; \sum_{i=1}^{n} \frac{\beta_{l,i}^k}{m} \sum_{j=0}^{m-1}
\frac{\partial P\!\left(y_i \mid X, \tfrac{j}{m} \beta_{l,i}\right)}{\partial w_l^k} .
$$

A text's privacy neurons have at least a share of the largest attribution, and those that most texts share are
silenced (sections 2.3 and 2.4):

$$
\mathcal N(X) = \left\{ (l, k) : \mathrm{Att}(w_l^k) \ge \rho \max_{l', k'} \mathrm{Att}(w_{l'}^{k'}) \right\},
\qquad
w_l^k \leftarrow 0 \;\text{ for the } z \text{ pairs } (l, k) \text{ in most of the } \mathcal N(X).
$$

## Symbols

- $\beta_l$: the activations that layer $l$'s down-projection reads; all of them are scaled by $\alpha$ together, the
  other layers compute as usual.
- $P(y_i \mid X, \cdot)$: the probability of the true token, with those activations put in.
- $m$ (`points`): points of the sum; $\rho$ (`share`): the threshold; $z$ (`neurons`): how many are silenced.
- What is private: see Differences.

## Facts

- **Complete**: as $m \to \infty$ the attributions of one layer sum to $P(y \mid X, \beta) - P(y \mid X, 0)$. The left
  sum is off by $O(1/m)$.
- Silencing is setting the neuron's column of the down-projection to 0. It is idempotent, and the order does not
  matter.
- The cost is layers times $m$ forward and backward passes, once; learning rate and steps of a recipe are not used.
- **Whether a neuron serves the secret alone is not asked.** On the embedded model nearly all of the chosen neurons
  are in the first layer, and the retain set, facts of the same kind about other people, needs them as much: both fall
  together, the more neurons are silenced. The paper's secrets are rare strings in mail, and what it keeps is mail.

## Differences

1. The paper treats masked language models, one masked token at a time; here each private token is attributed at the
   place that predicts it, and the activations at all of those places are scaled at once.
2. Which tokens are private is known in the paper (names, numbers). Here it is those of an answer that do not stand in
   the question and that few answers of the retain set have (`rarity`); with all tokens of an answer, neurons of the
   sentence's form come first.
3. In gated MLPs the neuron's activation is the product that the down-projection reads.
4. The paper adapts the threshold until some ten neurons per text are left; here neurons that are as frequent are told
   apart by their mean attribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Memory,
    Method,
    Run,
    UnlearningData,
    above_share,
    common_tokens,
    hyperparameter,
    memories,
    most_shared,
    neuron_attributions,
    private_labels,
    silence,
)


def shared_neurons(scores: Tensor, share: float, count: int) -> Tensor:
    r"""(z,) The neurons that are in most of the sets $\mathcal N(X)$; equally frequent ones by their mean score.

    Args:
        scores: (B, layers · d_ff) one text's attributions per row.
        share: $\rho$.
        count: $z$.
    """
    return most_shared(above_share(scores, share), scores.mean(dim=0), count)


@dataclass(frozen=True)
class DEPN(Method):
    """Attribute, aggregate, silence."""

    paper = "wu2023depn"
    acts_on = "weights"
    retain = "optional"
    trains = "nothing"
    parts = ("memories",)

    neurons: int = hyperparameter(20, "z, how many neurons are silenced", source="released code", minimum=1)
    share: float = hyperparameter(
        0.1,
        "ρ, share of a text's largest attribution",
        source="released code",
        above=0,
        maximum=1,
        trade_off=(0.1, 0.2, 0.3, 0.5),
    )
    points: int = hyperparameter(20, "m, points of the sum", source="released code", minimum=1)
    rarity: float = hyperparameter(
        0.05, "a token is private if at most this share of kept answers has it", source="here", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Score all neurons on all texts, then silence the most shared."""
        layers = memories(model, range(model.layers))
        scores = self.scores(model, layers, data, run)
        silence(layers, shared_neurons(scores, self.share, self.neurons))
        return model

    def scores(self, model: LanguageModel, layers: Sequence[Memory], data: UnlearningData, run: Run) -> Tensor:
        r"""(B, layers · d_ff) $\mathrm{Att}$ of all neurons on each text."""
        common = common_tokens(model, data.retain, self.rarity)
        rows = []
        for batch in model.encoded(data.forget):
            private = replace(batch, labels=private_labels(batch, common))
            rows.append(neuron_attributions(model, layers, private, self.points))
            run.progress("attributing", sum(map(len, rows)), len(data.forget))
        return torch.cat(rows)
