r"""Constrained fine-tuning (Constrained FT).

Train one MLP projection to delete the facts, and forbid every weight to go further than a small distance from where
it was. What the facts need is little; what would hurt everything else is out of reach.

## Objective

Zhu et al. state it for facts to be modified, Patil et al. (section 4) for facts to be deleted:

$$
\min_{W}\; \mathbb E_{(x,y) \sim \mathcal D_f}\, \ell(y \mid x; W)
\quad\text{s.t.}\quad \left\| W - W_0 \right\| \le \varepsilon,
$$

by projected gradient steps: after each, $W$ is put back to the nearest allowed point,

$$
\Pi_\infty(W) = W_0 + \min\!\left( \max\!\left( W - W_0,\, -\varepsilon \right),\, \varepsilon \right),
\qquad
\Pi_2(W) = W_0 + (W - W_0)\, \min\!\left( 1,\, \frac{\varepsilon}{\| W - W_0 \|_F} \right).
$$

The loss $\ell$ is one of the deletion objectives (`objective`), with $\bar\ell$ the mean over an answer's tokens:

$$
\ell^{\text{fact erasure}} = \exp\!\left(-\bar\ell(y \mid x)\right),
\qquad
\ell^{\text{error injection}} = \bar\ell(\tilde y \mid x),
\qquad
\ell^{\text{empty response}} = \bar\ell(d \mid x) .
$$

## Symbols

- $W$, $W_0$: the MLP down-projection at a fraction of the depth (`depth`), now and before.
- $\varepsilon$ (`bound`), with the largest entry or the Frobenius length as $\|\cdot\|$ (`norm`).
- $\tilde y$: a false answer; $d$ (`response`): a fixed reply that says nothing.

## Facts

- **The constraint holds after every step**, and nothing else in the model changes. With $\varepsilon$ small enough it
  alone decides the outcome: learning rate and number of steps stop mattering.
- In the box of the largest entry nearly all weights end at the border under sign-like steps (Adam's), so the change
  has the length $\varepsilon \sqrt{d\, d_{\mathrm{ff}}}$, and the rank of the whole matrix: unlike ROME's, it is not
  aimed at some keys.
- Erasure needs no false answer, has its minimum 0 at probability 0 and is flat there; it is also flat near 1.
- There is no retain term: that the bound is enough to keep the rest is the claim. In the embedded model's first layer
  it trades one for the other: the wider the bound, the less is left of forget and of retain answers.

## Differences

1. Patil et al. train on one fact at a time, at most 25 steps; here the whole forget set, as long as the recipe says.
2. The released code's erasure is the sum of probabilities over the batch, here their mean; and it skips updates once
   the loss is below 0.01.
3. Zhu et al. also mix facts to be kept into the batches, and find the first and last blocks the best to train.
4. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    deletion_answers,
    deletion_loss,
    hyperparameter,
)


def nearest_allowed(weight: Tensor, start: Tensor, bound: float, norm: str) -> Tensor:
    r"""The point nearest to ``weight`` whose distance from ``start`` is at most ``bound``: $\Pi_\infty$ or $\Pi_2$."""
    change = weight - start
    if norm == "largest":
        return start + change.clamp(-bound, bound)
    shrink: Tensor = bound / change.norm().clamp(min=bound)
    return start + change * shrink


@dataclass(frozen=True)
class ConstrainedFineTuning(Method):
    r"""Projected gradient descent on a deletion objective in one layer."""

    paper = "patil2023sensitive"
    acts_on = "weights"
    retain = "optional"
    trains = "part"
    parts = ("feed-forward",)
    remembers = False

    objective: str = hyperparameter(
        "fact-erasure",
        "what deletion is: make the answer unlikely, a false one likely, or the empty response",
        source="Patil et al., section 4",
        choices=("fact-erasure", "error-injection", "empty-response"),
    )
    response: str = hyperparameter("I don't know.", "d, the empty response", source="Patil et al. leave it open")
    depth: float = hyperparameter(
        0.226, "the layer, as a fraction of the depth", source="layer 7 of Llama-2-7B's 32", minimum=0, maximum=1
    )
    bound: float = hyperparameter(
        1e-4,
        "ε, how far a weight may go",
        source="Patil et al., released code",
        above=0,
        trade_off=(0.0001, 0.001, 0.005, 0.015, 0.05),
    )
    norm: str = hyperparameter(
        "largest", "of what: each entry, or the whole matrix", source="released code", choices=("largest", "frobenius")
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Choose the answers, then train the layer inside its bounds."""
        asked = data.prompted()
        others = asked.others
        told = tuple(deletion_answers(pair, self.objective, self.response, others, run.rng) for pair in asked.forget)
        weights = model.down_projections([model.layer_at(self.depth)])
        starts = [weight.detach().clone() for weight in weights]

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            return deletion_loss(self.objective, *model.token_logits(batch.forget))

        def put_back() -> None:
            for weight, start in zip(weights, starts, strict=True):
                weight.copy_(nearest_allowed(weight, start, self.bound, self.norm))

        return run.minimize(loss, model, replace(data, forget=told), weights, after_step=put_back, retain=False)
