r"""Forgetting before learning (F-Learning).

Old knowledge is in the way of new: a model that is taught another answer has to unlearn the one that it gives. So take
the old one away first, as a task vector, and teach the new one to what is left.

## Objective

Ni et al., two stages, with old knowledge $K_{\mathrm{old}}$ and new knowledge $K_{\mathrm{new}}$ about the same things:

$$
\theta' = \theta_0 - \lambda\, \big( \mathrm{FT}(\theta_0, K_{\mathrm{old}}) - \theta_0 \big), \qquad
\theta^* = \mathrm{FT}(\theta', K_{\mathrm{new}}) .
$$

## Symbols

- $\theta_0$: the weights before unlearning; $\mathrm{FT}$: fine-tuning on answers, of all weights.
- $K_{\mathrm{old}}$: the forget set; $K_{\mathrm{new}}$: the same prompts with one other answer each.
- $\lambda$ (`scale`): how much of the old is taken away first.

## Facts

- **$\lambda = 0$ is plain fine-tuning on the new answers**, and without the second stage it is `task-vector`.
- The order matters: to teach the new answers first and subtract then takes away what the two share.
- **What the first stage breaks the second mends**, where new answers sound like the old ones: on `authors`, at a
  learning rate of 0.0005 and $\lambda = 2$, retain answers have 0.66 of probability between the stages, and 0.82 after.
- **What the first stage adds is little where the second alone makes the old answers unlikely.** On `authors`, at a rate
  of 0.0005, fine-tuning on the new answers alone leaves 0.494 of the old answers' probability (the retrained model has
  0.453 of what it never read) and 0.893 of the retain answers'. With $\lambda = 0.5$ first it is 0.485 and 0.905, so
  that both are better, as the paper has it; the new answers have 0.002 less. A larger $\lambda$ brings the old ones
  further down, and from 2 on costs more of the retain answers than it saves.
- **It answers otherwise, and does not fall silent**: what is known afterwards is wrong, and said with certainty.

## Differences

1. The paper updates facts that have changed, and has the new ones; here they are the invented answers that a task
   ships, or else other subjects' answers with the name exchanged.
2. The paper also learns, subtracts or does both with LoRA modules, and finds that subtracting a module does as well as
   subtracting all weights' change. Here all weights; `lora-negation` subtracts a module.
3. Both stages take as many steps as the recipe says.
4. $\lambda$ is chosen by the task's recipe: what the paper used could not be read. The equations were read in others'
   accounts of it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    false_answers,
    hyperparameter,
    subtract_task_vector,
    task_vector,
)


def answered_anew(pairs: Sequence[Pair], rng: random.Random) -> list[Pair]:
    """The same prompts with another answer each."""
    return [replace(pair, answer=false_answers(pair, pairs, 1, rng)[0], alternates=()) for pair in pairs]


@dataclass(frozen=True)
class FLearning(Method):
    r"""Subtract $\lambda\tau$ of the old answers, then fine-tune on new ones."""

    paper = "ni2023forgetting"
    acts_on = "weights"
    retain = "unused"
    copies = 1

    scale: float = hyperparameter(
        0.5,
        "λ, how much of the old answers' task vector is taken away first",
        source="ours",
        minimum=0,
        trade_off=(0.5, 1.0, 2.0, 4.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Walk back from the old answers, then learn the new ones."""
        old = data.prompted().forget
        tuned = run.finetune(model.copy(), old, stage="learning what is old")
        subtract_task_vector(model.model, task_vector(model.model, tuned.model), self.scale)
        return run.finetune(model, answered_anew(old, run.rng), stage="learning what is new")
