r"""Reinforcement unlearning with replay of hard cases (ReRULE).

`rule` draws new answers at every step, and forgets them after it. Most questions are soon easy: all their answers earn
the same, and teach nothing. The hard ones lie at the boundary of what is to be refused; what was said to them early,
and earned little, is kept here, and used again later.

## Objective

Pang et al. The first stage is `rule`; a group of $K$ answers whose mean reward is below $\kappa$ goes into a buffer
$\mathcal B$, with its rewards and the probabilities that its tokens had. In the second stage every step is taken on new
groups and on some of the buffer, corrected by importance:

$$
\mathcal L(\theta) = -\,\mathbb E_{\text{new} \,\cup\, \mathcal B}\ \frac{1}{|y|} \sum_t
\min\!\left( \rho_t A,\ \mathrm{clip}(\rho_t, 1 - \epsilon, 1 + \epsilon)\, A \right)
+ \beta\, \widehat{\mathrm{KL}},
\qquad
\rho_t = \frac{\pi_\theta(y_t \mid x, y_{<t})}{\pi_{\mathrm{stored}}(y_t \mid x, y_{<t})} .
$$

## Symbols

- $A$: the advantage of an answer in its own group, computed when the group was drawn; $\pi_{\mathrm{stored}}$: the
  model that wrote it, which for a new answer is the present one.
- $\kappa$ (`hard_below`); the first stage is the share `collecting` of the steps; for each new group, `replayed` old
  ones come from the buffer, which holds the last `buffer`.
- All else as in `rule`, with its reward: 1 for a refusal where one is due; elsewhere half for none, and half for the
  true answer.

## Facts

- **With an empty buffer it is `rule`**: $\kappa = 0$, `replayed` 0, or all steps for the first stage.
- **New groups are not clipped, old ones are**: where the model has since gone further than $1 \pm \epsilon$ for an
  answer, in the direction that its advantage asks for, it pulls no more.
- **Only groups with a difference are worth keeping**: in one whose answers all earned nothing, all advantages are 0.
  They are left out of the buffer.
- **A replayed group costs a pass and no writing**, which is where nearly all the time goes.
- On `authors` it comes to what `rule` does: every forget question refused, and 0.77 of the retain answers' 0.98 of
  probability left where `rule` leaves 0.80, utility 0.51 for both. The paper finds hardly any effect on TOFU, which the
  task is made after, and ascribes it to questions that are all about as hard; its gain is on longer books.

## Differences

1. Followed after the paper's abstract, a summary, and the loss that `rule`'s code shares with it; its sections were not
   read. The form of the importance correction (each token's ratio, clipped) is the usual one. How large $\kappa$, the
   buffer and the two shares are is ours.
2. The divergence is estimated on replayed answers, too, though another model drew them.
3. What `rule` departs in from its own paper: boundary questions are retain questions, refusals are this project's 40,
   retain pairs may be mixed into the teaching of refusals, and losses are means over an answer's tokens first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from statistics import mean

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    Sample,
    UnlearningData,
    grpo_loss,
    hyperparameter,
    refusal_groups,
    taught_to_refuse,
)

Group = list[Sample]


def hard_groups(samples: list[Sample], size: int, below: float) -> list[Group]:
    r"""Groups whose mean reward is below $\kappa$ and whose answers did not all earn the same.

    Args:
        samples: one group after another.
        size: $K$.
        below: $\kappa$.
    """
    groups = [samples[start : start + size] for start in range(0, len(samples), size)]
    return [
        group for group in groups if mean(one.reward for one in group) < below and any(one.advantage for one in group)
    ]


@dataclass(frozen=True)
class ReRULE(Method):
    """Learn to refuse, then where to, by new answers and by old ones to hard questions."""

    paper = "pang2026replay"
    acts_on = "loss"
    retain = "needed"
    copies = 1

    boundary: float = hyperparameter(
        1.0,
        "boundary questions for each question to forget",
        source="as in rule",
        minimum=0,
        trade_off=(0.5, 1.0, 2.0, 4.0),
    )
    collecting: float = hyperparameter(
        0.4, "share of the steps without replay", source="ours; paper: early steps", minimum=0, maximum=1
    )
    hard_below: float = hyperparameter(0.7, "κ, mean reward of a hard group", source="ours", minimum=0)
    replayed: float = hyperparameter(0.25, "old groups for each new one", source="ours", minimum=0)
    buffer: int = hyperparameter(256, "groups that are kept", source="ours", minimum=1)
    steering: int = hyperparameter(60, "steps that teach refusing", source="ours", minimum=0)
    steering_rate: float = hyperparameter(1e-5, "learning rate of these steps", source="ours", above=0)
    steering_retain: float = hyperparameter(0.0, "retain pairs for each refusal there", source="as in rule", minimum=0)
    refusals: int = hyperparameter(40, "how many refusals are taught", source="ours", minimum=1, maximum=40)
    samples: int = hyperparameter(8, "K, answers sampled for a question", source="as in rule", minimum=2)
    kl_weight: float = hyperparameter(0.01, "β, weight of the divergence", source="as in rule", minimum=0)
    clip: float = hyperparameter(0.2, "ε, how far a ratio may go", source="as in rule", above=0, below=1)
    length: int = hyperparameter(32, "most tokens of an answer", source="as in rule", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Refusals first; then new answers at every step, and, when some were collected, old ones with them."""
        asked = data.prompted()
        recipe = replace(run.recipe, learning_rate=self.steering_rate, steps=self.steering)
        steered = taught_to_refuse(model, asked, run, recipe, self.refusals, self.steering_retain).frozen()
        kept: deque[Group] = deque(maxlen=self.buffer)
        steps = 0

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            nonlocal steps
            forget = [asked.forget[row] for row in batch.forget.rows.tolist()]
            boundary = run.rng.choices(asked.retain, k=round(self.boundary * len(forget)))
            samples = refusal_groups(model, forget, boundary, self.samples, self.length)
            if steps < self.collecting * run.recipe.steps:
                kept.extend(hard_groups(samples, self.samples, self.hard_below))
            else:
                count = round(self.replayed * (len(forget) + len(boundary)))
                samples += [one for group in run.rng.sample(list(kept), min(count, len(kept))) for one in group]
            steps += 1
            return grpo_loss(model, samples, self.clip, kl_weight=self.kl_weight, reference=steered)

        return run.minimize(loss, model, asked, retain=False)
