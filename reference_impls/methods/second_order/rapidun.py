r"""Influence-driven reweighting for efficient unlearning (RapidUn).

Not every example bears on forgetting alike. How far a step on one example changes the loss of another is told by the
inner product of their gradients; from that each forget and each retain example gets a weight, once and for all, with
which its loss counts while an adapter unlearns.

## Objective

Zhao et al., as released: with the gradients $g_i$ of single examples' losses at the model before unlearning,

$$
I_{ij} = \langle g_i, g_j \rangle, \qquad
S_i = \operatorname*{median}_{j \in \mathrm{own}} I_{ij} - \operatorname*{median}_{j \in \mathrm{other}} I_{ij},
$$

where own and other are the set that $i$ is of and the other one of forget and retain set; from there to weights, by
what is robust against single large values,

$$
z_i = \frac{S_i - \operatorname{median} S}
{\max\big(\epsilon,\ 1.4826\, \operatorname{median} |S - \operatorname{median} S|\big)},
\qquad
w_i \propto \exp\big(\operatorname{clip}(z_i / \tau,\ \log w_{\min},\ \log w_{\max})\big),
$$

to a mean of 1 in each set, and

$$
\mathcal L = \mathbb E_{(x,y) \sim \mathcal D_f} w\, \big( b\, \ell(\tilde y \mid x) - \ell(y \mid x) \big)
+ \lambda\, \mathbb E_{(x,y) \sim \mathcal D_r} w\, \ell(y \mid x) .
$$

## Symbols

- $\ell(y \mid x)$: the mean negative log-likelihood of an answer's tokens. $\tilde y$: what is to be said instead, here
  a refusal; $b$ (`replacement_weight`).
- $\lambda$ (`retain_weight`): in the place of drawing three retain examples with each forget example.
- $\tau$ (`forget_temperature`, `retain_temperature`): the lower, the more weights differ; bounds `least`, `most`.
- $\epsilon$ (`floor`): what the deviation is held above.
- `top`: of each $j$, the largest this many $I_{ij}$ count; the others are taken for 0.
- `measured`: how many examples of each set are asked as $j$.

## Facts

- **What weighs more**: a forget example whose gradient is that of forget examples at large and not that of retain
  examples, so that ascent on it is felt where it should be and not elsewhere; and a retain example that stands for the
  others and is far from what is forgotten.
- **By hand**: $S = (1, 2, 3, 10)$ has the median 2.5 and the deviation 1, so that $z = (-1.012, -0.337, 0.337, 5.059)$;
  with $\tau = 1$, bounds of 0.2 and 3, weights before the mean is taken out are 0.364, 0.714, 1.401 and 3.
- **A scale does not matter as long as the deviation is above $\epsilon$**: gradients that are all twice as long give
  the same weights then. Scores much smaller than $\epsilon$ give weights near 1, and the loss is `grad-diff`'s with a
  refusal beside it.
- **Of a set much larger than `top`, most scores are 0**: an example that is among the `top` of fewer than half of the
  $j$ has a median of 0. The deviation is 0 then, $\epsilon$ takes its place, and the few examples that nearly all $j$
  lean on get weights of their own.
- **Bounds hold before the mean is taken out**: weights may differ by the factor $w_{\max} / w_{\min} = 15$ at most.
- Ascent has no floor, whatever its weights.
- **What weights there are on `authors`** (seed 0): of forget examples a fifth count 2.28 and a seventh 0.15, of retain
  examples one in eight 2.5, one in nine 0.17, and most 0.85. With the released $\epsilon$ and `top` all but a few would
  count 1: of 720 retain examples six have a score other than 0, and four in five forget examples are near 1.

## Differences

1. Verified against the released code (`influence_to_weights.py`, `trainer.py`, the pipeline's configuration); the paper
   itself was read in abstract and introduction only.
2. Gradients are those of the adapter's weights before its first step, where only the factors that begin at 0 have any:
   each is a layer's own gradient, projected by the other, random factor. The paper keeps random projections of the
   gradients of all weights that are not quantized, to the same end.
3. The released $\epsilon$ of 0.001 and `top` of 40 are for a large model's gradients, and for 40 and 120 examples. A
   small model that knows all by heart has scores of some 0.0001, and the embedded tasks hold hundreds of examples:
   their searches lower $\epsilon$ to 0.00001 and raise `top` to the same third of the retain set.
4. It is made to remove answers that were planted, with the clean ones as $\tilde y$.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LoRA,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    nll_gradient,
    with_refusals,
)


def adapter_gradient(model: LanguageModel, pair: Pair) -> Tensor:
    """(P,) The gradient of one answer's loss by all weights that train."""
    return torch.cat([part.flatten() for part in nll_gradient(model, [pair]).parts])


def influence(products: Tensor, top: int) -> Tensor:
    r"""(n,) The median of $I_{ij}$ over j, from (n, m) products, of which the largest of each column count."""
    if top < len(products):
        least = products.topk(top, dim=0).values[-1]
        products = torch.where(products >= least, products, 0.0)
    return products.quantile(0.5, dim=1)


def influence_weights(scores: Tensor, floor: float, temperature: float, least: float, most: float) -> Tensor:
    r"""(n,) $w_i$, from $S_i$; where half of the scores or more are the same, by distances in units of the floor."""
    apart = scores - scores.quantile(0.5)
    deviation = (1.4826 * apart.abs().quantile(0.5)).clamp(min=floor)
    weights = (apart / deviation / temperature).clamp(math.log(least), math.log(most)).exp()
    return weights / weights.mean()


@dataclass(frozen=True)
class RapidUn(Method):
    r"""Weigh the examples, then minimise $\mathcal L$ in an adapter."""

    paper = "zhao2025rapidun"
    acts_on = "loss"
    retain = "needed"
    trains = "adapters"
    alternates = True
    published = {
        "learning_rate": 6e-5,
        "epochs": 2,
        "batch_size": 1,
        "warmup": 0.0,
        "source": "released configuration, Llama-3-8B with LoRA",
    }

    retain_weight: float = hyperparameter(
        3.0, "λ, weight of the retain loss", source="released mixture, 3:1", above=0, trade_off=(1.0, 3.0, 6.0, 10.0)
    )
    replacement_weight: float = hyperparameter(
        0.5, "b, weight of the answers to be given instead", source="released configuration", minimum=0
    )
    forget_temperature: float = hyperparameter(0.7, "τ of forget examples", source="released configuration", above=0)
    retain_temperature: float = hyperparameter(1.2, "τ of retain examples", source="released configuration", above=0)
    least: float = hyperparameter(0.2, "w_min", source="released configuration", above=0, maximum=1)
    most: float = hyperparameter(3.0, "w_max", source="released configuration", minimum=1)
    floor: float = hyperparameter(1e-3, "ε, least deviation of scores", source="released code", above=0)
    top: int = hyperparameter(40, "how many influences on each example count", source="released code", minimum=1)
    measured: int = hyperparameter(32, "how many examples of each set are asked", source="ours", minimum=1)
    rank: int = hyperparameter(16, "r, rank of the adapter", source="released configuration", minimum=1)
    alpha: float = hyperparameter(16.0, "scaling of the adapter", source="released configuration", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Put an adapter in, weigh, train, merge."""
        adapted = run.adapt(model, LoRA(self.rank, self.alpha))
        forgotten, kept = self.weights(model, data, run)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            gone, said, stays = model.token_logits(batch.forget, batch.preferred, batch.retain)
            forgetting = self.replacement_weight * said.sequence_nll() - gone.sequence_nll()
            weighted = (forgotten[batch.forget.rows] * forgetting).mean()
            return weighted + self.retain_weight * (kept[batch.retain.rows] * stays.sequence_nll()).mean()

        run.minimize(loss, model, with_refusals(data, run.rng), alternates=self.alternates)
        adapted.merge()
        return model

    def weights(self, model: LanguageModel, data: UnlearningData, run: Run) -> tuple[Tensor, Tensor]:
        """(forget pairs,) and (retain pairs,), each with a mean of 1."""
        with model.evaluating():
            asked = [
                torch.stack([adapter_gradient(model, pair) for pair in self._measured(pairs, run)])
                for pairs in (data.forget, data.retain)
            ]
            products = [
                torch.stack([torch.cat(asked) @ adapter_gradient(model, pair) for pair in pairs])
                for pairs in (data.forget, data.retain)
            ]
        count = len(asked[0])
        by_forget, by_retain = (
            [influence(one, self.top) for one in (both[:, :count], both[:, count:])] for both in products
        )
        bounds = self.least, self.most
        return (
            influence_weights(by_forget[0] - by_forget[1], self.floor, self.forget_temperature, *bounds),
            influence_weights(by_retain[1] - by_retain[0], self.floor, self.retain_temperature, *bounds),
        )

    def _measured(self, pairs: Sequence[Pair], run: Run) -> Sequence[Pair]:
        return run.rng.sample(pairs, min(self.measured, len(pairs)))
