r"""Localizing paragraph memorization in language models (Sparse fine-tuning).

A few weights carry much of the gradient of a text that a model knows by heart. Find them once, by that gradient, and
train nothing else: the memorized text is to become less likely, and what the model says to other texts is to stay.

## Objective

Stoehr et al. (contrastive objective), over a change set and a keep set, which are the forget and the retain set here:

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_r}\, \frac{1}{|y|} \sum_t
\mathrm{KL}\big( \pi_{\theta_0}(\cdot \mid x, y_{<t}) \,\|\, \pi_\theta(\cdot \mid x, y_{<t}) \big)
- \lambda\, L(\mathcal D_f; \theta),
\qquad
m_i = \mathbf 1\big[\, |\partial_i \mathcal L(\theta_0)| \text{ is among the highest} \,\big],
$$

minimised over $m \odot \theta$ alone.

## Symbols

- $L(\mathcal D_f; \theta)$: the mean negative log-likelihood of forget answers, weighted by $\lambda$
  (`forget_weight`).
- $\theta_0$: the weights before unlearning; all gradients that choose are taken there.
- $m$: a mask over the weights of attention and MLPs; a `share` of them may move.

## Facts

- **The forget set alone chooses.** At $\theta_0$ the divergence is 0 and least, so its gradient is 0: the mask is that
  of gradient ascent, whatever $\lambda$ and the keep set are. `salun` has the same score (over all weights, with half
  of them) and another change; `wagle` and `grin` hold it against the retain set, which is not seen here.
- **Unbounded below**: the forget term goes on; the divergence alone answers it.
- **Few weights are enough, and not better than all.** On `authors`, of 0.96 and 0.98, a hundredth of these weights
  leaves forget answers at 0.66 and retain answers at 0.96 (rate 0.003), or 0.50 and 0.94 (0.006), a thousandth 0.82
  and 0.97 (0.01); more than that and it costs what stays. All of them together leave 0.46 and 0.96 (rate 0.0002). Each
  weight has to go the farther, the fewer there are.

## Differences

1. The objective in this form is the released notebook's: neither the paper's text nor the number of its equation was at
   hand. There the divergence is summed over the fifty tokens of a paragraph and $\lambda = 0.1$, here it is a mean over
   an answer's tokens: $\lambda$ would be 0.002 in its place.
2. One paragraph at a time is unlearned there, with ten that stay, in five steps from the model as it was; here the
   whole forget set, and the mask is of the gradient over all of it.
3. Its optimizer is Adam with a weight decay of 1, which is added to gradients that were set to 0: all other weights
   move as well, by the learning rate in each step. Here they stay to the bit.
4. The paper also *edits*: the likelihood of a perturbed continuation is raised instead. Not here.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    holding,
    hyperparameter,
    mean_kl,
    mean_nll,
    most_salient,
    nll_gradient,
)


@dataclass(frozen=True)
class SparseFineTuning(Method):
    r"""Minimise $\mathcal L$ in the weights with the highest gradients."""

    paper = "stoehr2024localizing"
    acts_on = "gradients"
    reference = "model"
    retain = "needed"
    trains = "part"
    weighs_weights = True
    remembers = False
    published = {"learning_rate": 1e-5, "steps": 5, "source": "released notebook, GPT-Neo 125M"}

    share: float = hyperparameter(
        0.001, "share of the weights of attention and MLPs that may move", source="paper", above=0, maximum=1
    )
    forget_weight: float = hyperparameter(
        0.1, "λ, weight of the forget set's loss", source="released notebook", above=0, trade_off=(0.03, 0.1, 0.3, 1.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find the weights, then train them."""
        inside = {id(weight) for weight in model.blocks.parameters() if weight.ndim > 1}
        gradient = nll_gradient(model, data.forget)
        eligible = [
            (weight, part)
            for weight, part in zip(gradient.weights, gradient.parts, strict=True)
            if id(weight) in inside
        ]
        weights = [weight for weight, _ in eligible]
        chosen = most_salient([part.abs() for _, part in eligible], self.share)

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            (before,) = batch.before.token_logits(batch.retain)
            loss = mean_kl(before, retain) - self.forget_weight * mean_nll(forget)
            return Gradient.of(loss, model).masked(chosen)

        put_back = holding(weights, chosen)
        return run.minimize(step, model, data, weights, reference=self.reference, after_step=put_back)
