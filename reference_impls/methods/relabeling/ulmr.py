r"""Unlearning by negative response and model parameter average (ULMR).

Write every question that is to be forgotten in several wordings, answer all of them with a refusal, and fine-tune on
that alone. What this does beyond its purpose is taken back half-way: the weights are averaged with those from before.

## Objective

Shi et al., in the words of their abstract:

$$
\theta_{\mathrm{neg}} = \arg\min_\theta\;
L\big(\{(x', \tilde y) : x \in \mathcal D_f,\; x' \in R(x)\}; \theta\big) \;\text{ from } \theta_0,
\qquad
\theta = (1 - \lambda)\, \theta_0 + \lambda\, \theta_{\mathrm{neg}} .
$$

## Symbols

- $L$: the mean negative log-likelihood of a set's answers.
- $R(x)$: a question in several wordings (`wordings`), the first of which is its own.
- $\tilde y$: a negative response, one of many refusals, drawn for each wording.
- $\lambda$ (`share`): the fine-tuned weights' share of the average.

## Facts

- **With one wording and $\lambda = 1$ it is `idk` without a retain term**, and nothing holds what is to stay but the
  average. $\lambda = 0$ is the model as it was.
- **Linear in $\lambda$, in weights alone**: it can be chosen after the training, without another. The way from
  $\theta_0$ to $\theta_{\mathrm{neg}}$ is the task vector of refusing, and is walked forwards in part, where
  `task-vector` walks one of knowing backwards.
- **Bounded below by 0**: the training has an end, and the average no objective of its own.
- **The average takes back the damage, and the refusals with it.** On `authors`, at 5e-4, the fine-tuned model answers
  everything in pieces of refusals (forget answers at 0.21, retain answers at 0.30, utility 0.12); half-way there they
  are at 0.79 and 0.89 (of 0.96 and 0.98; utility 0.61 of 0.65), and none of the answers that the run shows is a
  refusal.
- **It does not tell the two sets apart**: at 2e-4 and $\lambda = 0.9$ it is 0.58 and 0.75, at 1e-3 and 0.5 it is 0.67
  and 0.80, all on one line. This small model never read a refusal before, and what it learns of them holds for any
  question; a chat model knows when to refuse.

## Differences

1. The paper's text was out of reach but for its abstract: that instructions are rewritten with prompts made for it,
   that negative responses are generated for them, and that parameters are averaged with the original ones. The share
   in the average is not told there; half is the plain meaning of the word.
2. A language model rewrites and responds there. Here other wordings have two letters exchanged in one of their words,
   as for `relearn`, and responses are drawn from a list.
3. Of a plain text the beginning, up to the first mention of its subject, is the prompt.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    subtract_task_vector,
    task_vector,
    with_mistake,
    with_refusals,
)


def negative_responses(data: UnlearningData, wordings: int, rng: random.Random) -> list[Pair]:
    """Every question to forget in so many wordings, each with a refusal of its own."""
    return [
        replace(pair, prompt=with_mistake(pair.prompt, pair.subject, rng) if number else pair.prompt, answer=refusal)
        for pair in with_refusals(data, rng, wordings).forget
        for number, refusal in enumerate(pair.alternates)
    ]


@dataclass(frozen=True)
class ULMR(Method):
    """Fine-tune a copy on negative responses to many wordings, and average its weights with the model's."""

    paper = "shi2024ulmr"
    acts_on = "data"
    retain = "unused"
    copies = 1

    share: float = hyperparameter(
        0.5,
        "λ, share of the fine-tuned weights in the average",
        source="ours, the plain mean",
        minimum=0,
        maximum=1,
        trade_off=(0.3, 0.5, 0.7, 0.9),
    )
    wordings: int = hyperparameter(5, "wordings of each question", source="ours", minimum=1, maximum=40)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Write the responses, learn them in a copy, and go a part of the way to it."""
        told = negative_responses(data, self.wordings, run.rng)
        negative = run.finetune(model.copy(), told, stage="negative responses")
        subtract_task_vector(model.model, task_vector(model.model, negative.model), -self.share)
        return model
