r"""Saliency unlearning (SalUn).

Find the weights that the forget set pulls at the most, once, before unlearning, and relabel at random in these alone:
to each forget prompt the model learns another prompt's answer. All other weights stay to the bit.

## Objective

Fan et al., with a mask $m$ over all weights:

$$
m = \mathbf 1\big[\, |\nabla L(\mathcal D_f; \theta_0)| \ge t \,\big], \qquad
\theta = m \odot (\theta_0 + \Delta\theta) + (1 - m) \odot \theta_0, \qquad
\mathcal L(\theta) = \mathbb E_{x \sim \mathcal D_f,\, \tilde y \ne y}\, L\big((x, \tilde y); \theta\big)
+ \alpha\, L(\mathcal D_r; \theta) .
$$

## Symbols

- $L$: the mean negative log-likelihood of a set's answers.
- $t$: the threshold above which a share of all weights lies (`share`).
- $\tilde y$: the answer to another pair, drawn anew in every step from a few that were drawn before.
- $\alpha$ (`retain_weight`): weight of the retain loss.

## Facts

- **The gradient is summed before its size is taken**: a weight that half of the answers pull up and the others down by
  as much is not salient. So it is not the Fisher information of `ssd`, which squares each answer's gradient first.
- **The sign does not matter**, so the mask is that of gradient ascent.
- `share` = 1 is relabeling without a mask. There is one threshold for all weights; one for each tensor would be another
  mask.
- **The loss is a likelihood and bounded below.** The false answer has to be learned for the true one to go, and behind
  the words that both share the true one stays likely.
- `wagle` adds to this score what the rest would lose.

## Differences

1. The paper relabels images with another class; here the labels are whole answers of the retain set.
2. Older released code masks gradients, so that momentum and weight decay leak; newer code puts the weights back, as is
   done here after each step.
3. The paper's threshold is the median; here it is a share.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    holding,
    hyperparameter,
    mean_nll,
    most_salient,
    nll_gradient,
)

LABELS = 8
"""How many answers of other pairs are drawn for each forget pair."""


def relabeled(data: UnlearningData, rng: random.Random) -> UnlearningData:
    """Every forget pair with answers of retain pairs as its alternates; its own answer is none of them."""
    asked = data.prompted()
    answers = sorted({pair.answer.strip() for pair in asked.retain})

    def with_labels(pair: Pair) -> Pair:
        wrong = [answer for answer in answers if answer != pair.answer.strip()]
        drawn = rng.sample(wrong, min(LABELS, len(wrong)))
        return replace(pair, alternates=tuple(pair.spaced(label) for label in drawn))

    return replace(asked, forget=tuple(with_labels(pair) for pair in asked.forget))


@dataclass(frozen=True)
class SalUn(Method):
    """Relabel at random in the most salient weights."""

    paper = "fan2023salun"
    acts_on = "gradients"
    retain = "needed"
    weighs_weights = True
    remembers = False

    share: float = hyperparameter(
        0.5, "share of the weights that may move", source="paper, the median", above=0, maximum=1
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="paper, classification",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find the weights, then relabel in them."""
        saliency = nll_gradient(model, data.forget)
        chosen = most_salient([part.abs() for part in saliency.parts], self.share)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            relabeled, retain = model.token_logits(batch.preferred, batch.retain)
            return mean_nll(relabeled) + self.retain_weight * mean_nll(retain)

        put_back = holding(saliency.weights, chosen)
        return run.minimize(loss, model, relabeled(data, run.rng), alternates=True, after_step=put_back)
