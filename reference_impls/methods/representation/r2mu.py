r"""Reasoning-aware representation misdirection for unlearning (R2MU).

Whoever is led to think aloud says on the way what his answer no longer says. So `rmu` is extended to what the model
itself would write about the forget set: its states on those traces are scrambled as well, and its states on texts that
show how to reason are held.

## Objective

Wang et al. (the released code's form), with the losses $\mathcal L_f$, $\mathcal L_r$ of `rmu` in the same layer:

$$
\mathcal L = \mathcal L_f + \alpha\, \mathcal L_r
+ \zeta\, \mathbb E_{s \in \mathcal S_f} \frac{1}{|s|} \sum_t \left\| M_\theta(t) - c\, u \right\|_2^2
+ \gamma\, \mathbb E_{s \in \mathcal S_r} \frac{1}{|s|} \sum_t \left\| M_\theta(t) - M_{\theta_0}(t) \right\|_2^2 .
$$

## Symbols

- $M_\theta(t)$, $M_{\theta_0}$, $u$, $c$ (`steering`), $\alpha$ (`retain_weight`), $\ell$ (`depth`): see `rmu`.
- $\mathcal S_f$: traces. An opening of a thought, and behind it the first tokens (`length`) of what the model before
  unlearning writes when it is given a forget prompt; the prompt itself is not in it.
- $\mathcal S_r$: texts that reason about other things; here the retain answers, without their questions.
- $\zeta$ (`trace_weight`), which is 1 in the code, and $\gamma$ (`reasoning_weight`).

## Facts

- **With $\zeta = \gamma = 0$ it is `rmu`.** The new terms have the form of the old ones, over other texts: a trace is
  a forget text that nobody has to collect.
- What is scrambled is the answer wherever it stands, with no question before it. `rmu` learns from the question to the
  answer, and may come to hang on the question.
- $\gamma$ stands against that: an answer's form alone must not be the sign by which a state is scrambled, for retain
  answers have the same form.
- Only what the model would say by itself is scrambled: of answers that it does not give, no trace speaks.
- On `authors`, at the rate 0.003 with $c = 50$ and $\alpha = 10$, forget answers fall to 0.16 and retain answers to
  0.92, general facts from 0.99 to 0.88; `rmu` comes to 0.37, 0.95 and 0.97. $\gamma = 10$ gives 0.26, 0.94 and 0.92. So
  the traces, which here are the answers once more, add forgetting, and take along what is not about the forget set.
  Whether they keep a thought from giving the answer away could not be seen: behind the opening of one these models
  never gave it (0.03).

## Differences

1. The embedded models do not reason. Traces are what they say, which is the answer or near it, and in place of solved
   exercises in mathematics (LIMO) the retain answers are held.
2. States are taken where the answer's tokens are predicted, and squares are summed over $d$: see `rmu`.
3. Each trace is drawn with the pair that it belongs to; the code goes through a list of its own.
4. A variant that makes words of reflection less likely is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    misdirection_loss,
    random_direction,
    steered_weights,
    steering_loss,
)

OPENING = "Let's reason this step by step.\n"
"""What a trace begins with, as in the released code, but for its mark of a thought."""


def traces(model: LanguageModel, pairs: Sequence[Pair], length: int) -> list[Pair]:
    """What a model writes when it is given the pairs' prompts, each behind the opening of a thought."""
    written = model.generate([pair.prompted().prompt for pair in pairs], length)
    return [Pair(OPENING, text) for text in written]


@dataclass(frozen=True)
class R2MU(Method):
    r"""Minimise $\mathcal L$ in the down-projections of three layers."""

    paper = "wang2025reasoning"
    acts_on = "activations"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("feed-forward",)
    published = {
        "learning_rate": 7.5e-5,
        "steps": 500,
        "batch_size": 4,
        "source": "released code, WMDP with DeepSeek-R1-Distill-Llama-8B",
    }

    steering: float = hyperparameter(
        6.5,
        "c, length of the target",
        source="released code",
        above=0,
        trade_off=(6.5, 20.0, 50.0, 100.0, 300.0),
    )
    retain_weight: float = hyperparameter(1.7, "α, weight of the pinning term", source="released code", minimum=0)
    trace_weight: float = hyperparameter(1.0, "ζ, weight of the traces", source="released code", minimum=0)
    reasoning_weight: float = hyperparameter(
        1.0, "γ, weight of the states that reason", source="released code", minimum=0
    )
    length: int = hyperparameter(100, "how many tokens a trace has at most", source="released code", minimum=1)
    depth: float = hyperparameter(
        0.226, "layer ℓ as a fraction of the depth", source="layer 7 of 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Let the model write, then train the chosen weights on that as well."""
        target = self.steering * random_direction(model.width, run.seed).to(model.device)
        thoughts = traces(model, data.forget, self.length)
        reasons = [Pair("", pair.answer) for pair in data.retain]

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            written, held = (
                model.encode([texts[row] for row in rows.tolist()])
                for texts, rows in ((thoughts, batch.forget.rows), (reasons, batch.retain.rows))
            )
            before = batch.before.activations(held, self.depth)
            scrambling = misdirection_loss(model.activations(written, self.depth), target, written)
            holding = misdirection_loss(model.activations(held, self.depth), before, held)
            rmu = steering_loss(model, batch, target, self.depth, self.retain_weight)
            return rmu + self.trace_weight * scrambling + self.reasoning_weight * holding

        return run.minimize(loss, model, data, steered_weights(model, self.depth), reference=self.reference)
