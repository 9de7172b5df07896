r"""Unified parameter-efficient unlearning: influence functions on an adapter (LLMEraser).

What a model learned of a set of data is all in one adapter. How it would differ without some of them, or with other
answers to them, is estimated from the loss's gradient and curvature where training ended, and added in one go: the
adapter has few weights, and the base is never touched.

## Objective

Ding et al., for adapter weights $\hat\phi$ trained on $N$ pairs:

$$
\phi = \hat\phi - H^{-1}\, \frac1N \Big( \sum_{i \in \mathrm{new}} \nabla \ell_i(\hat\phi)
- \sum_{i \in \mathrm{old}} \nabla \ell_i(\hat\phi) \Big),
\qquad
H = \frac1N \sum_{i=1}^N \nabla^2 \ell_i(\hat\phi) .
$$

## Symbols

- $\ell_i$: the mean negative log-likelihood of the tokens of answer $i$.
- *old*: the forget set. *new*: with `request` *removal* nothing; with *correction* the same questions with other
  answers, here refusals. A question that is changed is a removal and an addition of the same form.
- $H$: here the Gauss-Newton matrix, plus $\mu I$ with $\mu$ as a multiple (`damping`) of the curvature along the
  gradient itself, $g^\top H g / g^\top g$.
- The equation's change is taken $\gamma$ (`step`) times; 1 is the equation.

## Facts

- **Where it comes from**: a minimum of the mean loss moves, if the pairs' weights do, by $H^{-1}$ times the gradient
  that they add, to first order. **By hand**: for $\ell_i = \frac12 (\phi - x_i)^2$ and $x = (0, 1, 2, 5)$ training ends
  at 2; without 5 the equation goes to $2 - \frac34 = 1.25$, training anew to 1, for it has the curvature of the three
  that stay (`fisher-removal`).
- With the labels as they are, *correction* is no change: both sums are the same.
- **What is known by heart has neither gradient nor curvature.** The equation is about a minimum of a loss that is
  convex there; of a training that went on until answers were certain both sides are close to 0, and $\mu$ decides.
- **It is one step, and what its curvature has not seen it does not spare.** On `authors`, an adapter that gives forget
  and retain answers 0.72 and 0.70 gives them 0.57 and 0.69 after the change with $\mu = 0.1$; three times that change
  leaves 0.17 and 0.24. General facts, of which no pair is about, fall from 0.56 to 0.45 and 0.09. With $\mu = 1$
  the same forgetting takes three times the change and costs as much.

## Differences

1. The adapter is trained here, on forget and retain set, in a checkpoint from before: a target that was trained as a
   whole has none. Afterwards it is merged.
2. $H v = b$ is solved by conjugate gradients (`iterations` products on `sample` pairs). The paper minimises
   $\frac12 v^\top H v - b^\top v$ over batches; its code does so by Adam with the Hessian itself, which can have
   negative eigenvalues, and takes 20 steps of $10^{-5}$, so that no entry gets further than $2 \cdot 10^{-4}$.
3. In the released code the product $H v$ is not differentiated again, so that it would converge to $2 H^{-1} b$; and
   $b$, *new* less *old*, is added where the equation subtracts.
4. The paper is about recommendation and questions on pictures.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reference_impls.toolkit import (
    Gradient,
    LanguageModel,
    LoRA,
    Method,
    Pair,
    Run,
    UnlearningData,
    conjugate_gradients,
    gauss_newton_product,
    hyperparameter,
    nll_gradient,
    with_refusals,
)


@dataclass(frozen=True)
class AdapterInfluence(Method):
    """Train an adapter on everything, then change it as if the request had been heeded from the start."""

    paper = "ding2024unified"
    acts_on = "weights"
    access = "training"
    retain = "needed"
    trains = "adapters"
    earlier = "needed"
    copies = 1

    request: str = hyperparameter(
        "removal", "what is asked for", source="paper: both", choices=("removal", "correction")
    )
    step: float = hyperparameter(1.0, "γ, how many times the change is taken", source="paper: equation", minimum=0)
    damping: float = hyperparameter(
        0.1,
        "μ, least curvature, relative to that along the gradient",
        source="ours",
        above=0,
        trade_off=(0.03, 0.1, 0.3, 1.0),
    )
    iterations: int = hyperparameter(10, "how many products the solver takes", source="ours", minimum=1)
    sample: int = hyperparameter(128, "how many pairs the curvature is measured on", source="ours", minimum=1)
    rank: int = hyperparameter(8, "r, rank of the adapter", source="released code", minimum=1)
    alpha: float = hyperparameter(32.0, "α, scaling of the adapter", source="released code", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train on all, change, merge."""
        learner = run.earlier_than(model)
        adapted = run.adapt(learner, LoRA(self.rank, self.alpha))
        everything = [*data.forget, *data.retain]
        run.finetune(learner, everything)
        self.change(learner, data, run.rng.sample(everything, min(self.sample, len(everything)))).step(-self.step)
        adapted.merge()
        return learner

    def change(self, model: LanguageModel, data: UnlearningData, measured: Sequence[Pair]) -> Gradient:
        """What the equation adds to the weights that train."""
        share = len(data.forget) / (len(data.forget) + len(data.retain))
        gone = nll_gradient(model, data.forget)
        if self.request == "correction":
            drawn = with_refusals(data, random.Random(0), count=1).forget
            gone = gone - nll_gradient(model, [replace(pair, answer=pair.alternates[0]) for pair in drawn])
        bent = gauss_newton_product(model, measured, gone)
        damping = self.damping * gone.dot(bent) / max(gone.dot(gone), 1e-30)

        def product(vector: Gradient) -> Gradient:
            return gauss_newton_product(model, measured, vector) + damping * vector

        return conjugate_gradients(product, share * gone, self.iterations)
