r"""Selective gradient ascent, then task arithmetic (SGA, TAU).

Texts are not memorized alike, and ascent on one that is hardly known damages the model for nothing. So ascend on those
alone that are still known by heart; and when their mean is low enough for ascent to become dangerous, change sides:
learn the whole set again, and subtract what that changes.

## Objective

Barbulescu and Triantafillou: with the memorization accuracy of a text, from `ga-until-forgotten`,

$$
\mathrm{MA}(x) = \frac1T \sum_t 1\big[ \mathrm{arg\,max}\; p_\theta(\cdot \mid x_{<t}) = x_t \big],
\qquad
\mathcal L_{\mathrm{SGA}}(\theta) = -\, \mathbb E_{x \in B,\; \mathrm{MA}(x) \ge \gamma}\, \bar\ell_\theta(x),
$$

in each batch $B$, until $\mathrm{MA}(\mathcal D_f) < \mu_1$ at some $\theta_S$ (*SGA*). Then $\mathcal D_f$ is learned
from there, giving $\theta_{\mathrm{ft}}$, until

$$
\theta = \theta_S - \lambda\, (\theta_{\mathrm{ft}} - \theta_S)
$$

has $\mathrm{MA}(\mathcal D_f) < \mu_2$ (*TAU*). Both are asked once per pass over the set.

## Symbols

- $\bar\ell_\theta$: the mean negative log-likelihood of a text's tokens.
- $\gamma$ (`memorized`): from what MA on a text is ascended on. Where none of a batch has as much, the most
  that one has.
- $\mu_1$ (`switch_below`), $\mu_2$ (`stop_below`): mean MA at which ascent, and all, ends.
- $\lambda$ (`scale`): how far to walk back; with 0 nothing follows SGA, which is then left as it is.

## Facts

- **With $\gamma = 0$ the first part is `gradient-ascent`** with an end, and so it is at first for every $\gamma$, while
  all is known by heart.
- **What has fallen below $\gamma$ is left alone**, so that texts end nearer to one another than after plain ascent.
- **Descent gives the second direction.** The gradients of ascent grow as it goes on, those of descent shrink.
- **Selecting spares what is to stay.** On `authors`, where both end at 0.13 of the forget answers' probability (a
  mean MA below 0.75, at a rate of 5e-5), ascent with $\gamma = 0.9$ leaves 0.52 of the retain answers' and 0.94 of
  general facts', and ascent on all leaves 0.47 and 0.87; it takes half as many steps again.
- **TAU gained nothing there**: from a mean MA of 0.85 on to below 0.75 it ends at 0.14, with 0.35 and 0.74 left.
- **The thresholds are the texts', not the method's.** Answers on `authors` share most of their words: at a mean MA of
  0.75 they are less likely already than with the retrained model (0.45), and the defaults, which are for texts of
  their own, leave no sentence whole.

## Differences

1. The released code measures MA of all texts once per pass; here each batch selects by the logits that the loss sees.
2. It puts $\theta_{\mathrm{ft}}$ back after every look, and saves that, though what it looked at was $\theta$; here
   $\theta$ is what comes out.
3. The thresholds are those of its configurations for GPT-Neo, where texts have 200 tokens.
4. The recipe's number of steps is the most that either part takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_nll,
    memorization_accuracies,
    memorization_accuracy,
    subtract_task_vector,
    task_vector,
)


def selective_ascent_loss(out: TokenLogits, memorized: float) -> Tensor:
    r"""() $\mathcal L_{\mathrm{SGA}}$ of one batch.

    Args:
        out: logits at the tokens of answers to forget.
        memorized: $\gamma$.
    """
    accuracies = memorization_accuracies(out)
    chosen = accuracies >= accuracies.max().clamp(max=memorized)
    return -(out.sequence_nll() * chosen).sum() / chosen.sum()


@dataclass(frozen=True)
class SGATAU(Method):
    r"""Ascend on what is known by heart; then learn all of it, and subtract $\lambda$ times the change."""

    paper = "barbulescu2024each"
    acts_on = "weights"
    stops_itself = True
    retain = "unused"
    copies = 2
    published = {
        "learning_rate": 5e-5,
        "epochs": 150,
        "batch_size": 8,
        "source": "released configuration, GPT-Neo; at most that many passes over 16 to 128 texts",
    }

    memorized: float = hyperparameter(
        0.7, "γ, memorization accuracy from which on there is ascent", source="released code", minimum=0, maximum=1
    )
    switch_below: float = hyperparameter(
        0.5, "μ₁, mean memorization accuracy at which ascent ends", source="released code", minimum=0, maximum=1
    )
    stop_below: float = hyperparameter(
        0.33, "μ₂, mean memorization accuracy at which all ends", source="released code", minimum=0, maximum=1
    )
    scale: float = hyperparameter(1.0, "λ, how far to walk back; 0 is SGA alone", source="released code", minimum=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Ascend selectively, then learn, looking after every pass at what subtraction would leave."""
        every = -(-len(data.forget) // run.recipe.batch_size)

        def known(model: LanguageModel) -> float:
            with model.evaluating():
                return memorization_accuracy(model, data.forget)

        def ascent(model: LanguageModel, batch: Batch) -> Tensor:
            return selective_ascent_loss(model.token_logits(batch.forget)[0], self.memorized)

        def descent(model: LanguageModel, batch: Batch) -> Tensor:
            return mean_nll(model.token_logits(batch.forget)[0])

        def low(step: int) -> bool:
            return not step % every and known(model) < self.switch_below

        run.minimize(ascent, model, data, finished=low, retain=False)
        if not self.scale:
            return model
        learned = model.copy()

        def walked_back() -> LanguageModel:
            start = model.copy()
            subtract_task_vector(start.model, task_vector(model.model, learned.model), self.scale)
            return start

        def gone(step: int) -> bool:
            return not step % every and known(walked_back()) < self.stop_below

        run.stopped = None
        run.minimize(descent, learned, data, finished=gone, retain=False)
        return walked_back()
