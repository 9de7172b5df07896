r"""Synthetic textbook forget set (Synthetic textbook).

Whoever wants a domain forgotten seldom has a curated set of all that belongs to it. Its name is enough: a model that
knows the domain writes the forget set itself, in stages that make it broad, and any method forgets what was written.

## Objective

Zhu et al.: from the name $u$ of a domain, subfields; for each subfield and audience, what there is to tell; for each of
these, several texts; then passages, each but once. With $\hat{\mathcal D}_f$ for the result,

$$
\theta = \mathcal U\big(\theta_0;\; \hat{\mathcal D}_f, \mathcal D_r\big), \qquad
\hat{\mathcal D}_f = \big\{ (x, \hat y) : x \in X(u),\; \hat y \sim \pi_{\theta_0}(\cdot \mid x) \big\},
$$

where $\mathcal U$ is representation misdirection (`rmu`), with which the paper works most.

## Symbols

- $u$: the subjects of the forget set, **of which nothing but these names is used**: neither questions nor answers.
- $X(u)$: what is asked about others in $\mathcal D_r$, in both of a question's wordings, with their name exchanged for
  $u$. It stands for subfields (what is asked) and audiences (how).
- $\hat y$: what the model before unlearning says, `samples` of each question at `temperature`; true, made up, or both.
- The questions are a random selection, so that the set is `size` times as large as the one that it replaces.
- $c$ (`steering`), $\alpha$ (`retain_weight`): those of `rmu`.

## Facts

- **What the model does not say is not in the set, and need not be**: what it says wrongly is forgotten as well, which
  does no harm where forgetting is not learning another answer.
- Blank the forget set's questions and answers, and the result is the same.
- **On `authors` it is as good as the true set**: at a rate of 3e-3 with $c = 50$, $\alpha = 10$, 0.35 of the forget
  answers' probability and 0.94 of the retain answers' are left; after `rmu` on the true pairs, with the same settings,
  0.37 and 0.95. Yet only 33 of the 80 true values are in what was written: misdirection acts on whom a text is about.
- Texts that come twice count once, so that the set is smaller than asked for where a model is sure of what it says (53
  pairs for 80 there).

## Differences

1. The paper prompts an instructed model with the name of a domain, in three stages of prompts. Models here may be too
   small to follow any; what others are asked takes the place of the first two, so that $\mathcal D_r$ has to be of the
   same kind. The third, several texts at a temperature of 0.7, is the paper's.
2. Its code keeps passages of 45 words and more. Answers here have as many as they have.
3. A pair without a subject has no name to go by: its question is asked itself.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    UsageError,
    hyperparameter,
    random_direction,
    steered_weights,
    steering_loss,
    written_answers,
)

DEPTH = 0.226
"""Of the layer whose states RMU steers: layer 7 of Zephyr-7B's 32."""


def questions(pairs: Sequence[Pair], others: Sequence[Pair]) -> list[Pair]:
    """What there is to ask about each subject of the pairs, going by its name and what others are asked; no answers."""
    known = [
        (other.subject, prompt)
        for other in others
        for prompt in (other.prompt, other.rephrased_prompt)
        if prompt and other.subject and other.subject in prompt
    ]
    names = dict.fromkeys(pair.subject for pair in pairs)
    asked = [Pair(prompt.replace(whom, name), "", subject=name) for name in names if name for whom, prompt in known]
    asked += [Pair(pair.prompt, "") for pair in pairs if not pair.subject]
    return list(dict.fromkeys(asked))


def textbook(model: LanguageModel, asked: Sequence[Pair], samples: int, length: int, temperature: float) -> list[Pair]:
    """What the model says to each question, ``samples`` times; each text but once, and none that is empty."""
    _, said = written_answers(model, [pair for pair in asked for _ in range(samples)], length, temperature)
    return list(dict.fromkeys(pair for pair in said if pair.answer.strip()))


@dataclass(frozen=True)
class SyntheticTextbook(Method):
    """Let the model write what is to be forgotten, and forget that."""

    paper = "zhu2025llm"
    acts_on = "data"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("feed-forward",)
    remembers = False

    samples: int = hyperparameter(2, "texts for each question", source="ours; paper: 5 chapters for each", minimum=1)
    temperature: float = hyperparameter(0.7, "of sampling", source="released code", above=0)
    length: int = hyperparameter(64, "most tokens of a text", source="ours", minimum=1)
    size: float = hyperparameter(
        1.0, "pairs that are kept, relative to the set that they replace", source="paper: matched", above=0
    )
    steering: float = hyperparameter(
        6.5, "c, length of RMU's target", source="as rmu", above=0, trade_off=(6.5, 20.0, 50.0, 100.0, 300.0)
    )
    retain_weight: float = hyperparameter(1200.0, "α, weight of the pinning term", source="as rmu", minimum=0)

    def written(self, model: LanguageModel, data: UnlearningData, rng: random.Random) -> tuple[Pair, ...]:
        """The forget set that is used.

        Raises:
            UsageError: there is nothing to ask, or the model said nothing.
        """
        given = data.prompted()
        asked = questions(given.forget, given.retain)
        count = max(1, round(self.size * len(data.forget) / self.samples))
        chosen = rng.sample(asked, min(len(asked), count))
        kept = textbook(model, chosen, self.samples, self.length, self.temperature) if chosen else []
        if not kept:
            raise UsageError(
                "No forget set came about: the examples of what must stay name no subject in their questions, or the "
                "model says nothing to such questions."
            )
        return tuple(kept)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Write the set, then misdirect on it."""
        target = self.steering * random_direction(model.width, run.seed).to(model.device)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            return steering_loss(model, batch, target, DEPTH, self.retain_weight)

        told = replace(data, forget=self.written(model, data, run.rng))
        return run.minimize(loss, model, told, steered_weights(model, DEPTH), reference=self.reference)
