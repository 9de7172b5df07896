r"""Weight attribution-guided LLM unlearning (WAGLE).

Before unlearning, score every weight by how much it would help to change it, given what that costs the rest. Then run
an ordinary unlearning loss, in which only the weights with the highest scores may move.

## Objective

Jia et al.: forgetting is the upper and keeping the lower of two nested problems; solving the lower one for a weight
that is taken out gives the attribution

$$
S_i = \Big[ \theta_0 - \frac{1}{\gamma} \nabla L(\mathcal D_r; \theta_0) \Big]_i
\big[ \nabla \mathcal L_f(\theta_0) \big]_i ,
\qquad
m_i = \mathbf 1\big[\, |S_i| \text{ is among the highest} \,\big],
$$

and then $\mathcal L = \mathcal L_f + \alpha\, L(\mathcal D_r; \theta)$ is minimised over $m \odot \theta$ alone, with
$\mathcal L_f = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \log \pi_\theta(y \mid x)$.

## Symbols

- $\theta_0$: the weights before unlearning. All scores are taken there, once, from the whole of both sets.
- $\gamma$ (`curvature`): stands in for the diagonal of the retain loss's Hessian.
- $L(\mathcal D; \theta)$: the mean negative log-likelihood of a set's answers, of retain answers weighted by $\alpha$
  (`retain_weight`).
- `share`: how many weights may move.

## Facts

- **For $\gamma \to \infty$**, or where the retain gradient is 0, the score is $|\theta_i\, \partial_i \mathcal L_f|$,
  by which pruning at the start of training chooses its weights. For $\gamma \to 0$ only the order of
  $|\partial_i L_r\, \partial_i \mathcal L_f|$ counts.
- **Signs do not matter**: ascent on forget answers and descent on them give the same scores.
- A weight that the forget set does not reach has the score 0 whatever it means to the rest.
- The threshold is one for all weights; layer by layer it would be another choice.

## Differences

1. The paper guides `grad-diff`, `npo` and relabeling with its mask; here the first of them.
2. The released code sums its gradients over the sets, here they are means: its $\gamma$ is smaller by the number of
   batches.
3. Weights outside the mask are put back after each step, so that weight decay does not move them either.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    holding,
    hyperparameter,
    mean_nll,
    most_salient,
    nll_gradient,
)


def attribution(weight: Tensor, forgetting: Tensor, retaining: Tensor, curvature: float) -> Tensor:
    r"""$|S_i|$ of each weight, from the gradients of $\mathcal L_f$ and of the retain loss."""
    return ((weight.detach() - retaining / curvature) * forgetting).abs()


@dataclass(frozen=True)
class WAGLE(Method):
    r"""Minimise $\mathcal L$ over the weights with the highest $|S_i|$."""

    paper = "jia2024wagle"
    acts_on = "gradients"
    retain = "needed"
    weighs_weights = True
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "steps": 500,
        "source": "released configuration for WMDP, with NPO",
    }

    share: float = hyperparameter(
        0.95, "share of the weights that may move", source="released mask for TOFU", above=0, maximum=1
    )
    curvature: float = hyperparameter(
        1e-6, "γ, stands in for the retain loss's curvature", source="released configuration for TOFU", above=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released configuration for TOFU",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Score all weights, then train the chosen ones."""
        forgetting, retaining = (nll_gradient(model, pairs) for pairs in (data.forget, data.retain))
        scores = [
            attribution(weight, forget_part, retain_part, self.curvature)
            for weight, forget_part, retain_part in zip(
                forgetting.weights, forgetting.parts, retaining.parts, strict=True
            )
        ]
        chosen = most_salient(scores, self.share)

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            loss = self.retain_weight * mean_nll(retain) - mean_nll(forget)
            return Gradient.of(loss, model).masked(chosen)

        return run.minimize(step, model, data, after_step=holding(forgetting.weights, chosen))
