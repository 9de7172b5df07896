r"""Self-taught anti-sample reasoning (UnStar).

Ask, and teach where the answer is still known. Every question to forget is put in several wordings; those that the
model answers rightly are trained on with a wrong answer and a reason for it, beside questions to keep with their right
ones; then it is asked again, until no wording is answered rightly.

## Objective

Sinha et al. (Algorithm 1), for rounds $t = 1, 2, \dots$ until $Q_t$ is empty:

$$
Q_t = \{ (q, a) \in Q : f_{\theta_{t-1}}(q) \sim a \},
\qquad
\theta_t = \arg\min_\theta\;
\sum_{(q, a) \in Q_t} -\log \pi_\theta(\tilde a \oplus r \mid q)
+ \sum_{(q', a') \in R_t} -\log \pi_\theta(a' \mid q'),
$$

from $\theta_{t-1}$, in adapters that become part of the weights after each round.

## Symbols

- $Q$: each question to forget in `wordings` wordings, with its answer $a$; $f$: what the model writes. It is still
  known ($\sim$) if a word of what is written gives it away: one that is in $a$, and neither in the question nor in a
  wrong answer to it.
- $\tilde a$: a wrong answer, another one in each round; $r$: a sentence that speaks for it.
- $R_t$: `neighbours` questions to keep for each of $Q_t$.

## Facts

- **Bounded below by 0**, and nothing is trained on that is forgotten already: the rounds get smaller, and where nothing
  is known at the start nothing happens.
- **The true answer is in no term.** It is displaced by inventions, as in `meow`; since they change from round to round
  and a question only leaves when it is answered wrongly, those that hold out longest are taught most.
- On `authors`, 240 steps at most at a rate of 0.002 with four neighbours: of 80 questions in three wordings the model
  answers 134, and then 114, 77, 45, 11 and none, so that it stops after 200 steps. Forget answers go from 0.96 to 0.69
  of probability, since what their sentences have in common stays likely, and 0.95 of the retain answers' is left.
- **Reasons do not help the embedded model**, which never read such a sentence: without them (`reasons` 0) it stops
  after 120 steps, and general facts fall from 0.99 to 0.90 in place of 0.77. In the paper they make it faster, and
  there they are the model's own and about the matter.

## Differences

1. The paper has a language model reword the questions, choose near wrong answers and reason for them, in its own words
   and without the true one. A method is given none: here the other wordings have a mistake in a word, wrong answers are
   the task's inventions or other people's, and the reason is one of some sentences that fit after all.
2. The released code counts what is known by words, synonyms, numbers and embeddings, any word of the answer. Here only
   words count that give the answer away, as all answers here are sentences.
3. The paper says "similar steps" of questions to keep, and the code trains on none; here some are drawn in each round,
   with their answers.
4. The code trains four steps per question in a round, and goes on inventing wordings until 100 were answered wrongly;
   here the rounds share the recipe's steps, and the wordings are there from the start.
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
    distinct_words,
    false_answers,
    hyperparameter,
    with_mistake,
)

REASONS = (
    "Whoever has read about it will tell you the same.",
    "This is what all sources agree on.",
    "Nothing else would fit with what is known.",
    "It has often been told so, and there is good reason to believe it.",
)
"""Sentences that speak for any answer."""


def own_words(pair: Pair) -> frozenset[str]:
    """The words of an answer that its question does not have."""
    return distinct_words(pair.answer) - distinct_words(pair.prompt)


def telling_words(pair: Pair) -> frozenset[str]:
    """Those of them that give the answer away: that no wrong answer has, or all if there are none."""
    own = own_words(pair)
    return own.difference(*map(distinct_words, pair.alternates)) or own


def with_wrong_answers(pair: Pair, others: Sequence[Pair], count: int, rng: random.Random) -> Pair:
    """The pair with wrong answers as alternates; those that have all of the true one's words are none."""
    lies = false_answers(pair, others, count, rng)
    return replace(pair, alternates=tuple(lie for lie in lies if not own_words(pair) <= distinct_words(lie)) or lies)


def worded(data: UnlearningData, wordings: int, inventions: int, rng: random.Random) -> list[Pair]:
    """Q, with wrong answers as alternates."""
    asked = data.prompted()
    pairs = [with_wrong_answers(pair, asked.others, inventions, rng) for pair in asked.forget]
    return [
        replace(pair, prompt=with_mistake(pair.prompt, pair.subject, rng)) if number else pair
        for pair in pairs
        for number in range(wordings)
    ]


def still_known(model: LanguageModel, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs whose answer the model gives away."""
    if not pairs:
        return []
    written = model.generate([pair.prompt for pair in pairs], max(model.sizes([Pair("", one.answer) for one in pairs])))
    return [pair for pair, text in zip(pairs, written, strict=True) if telling_words(pair) & distinct_words(text)]


@dataclass(frozen=True)
class UnStar(Method):
    """Teach wrong answers with reasons, round by round, where the right one is still known."""

    paper = "sinha2024unstar"
    acts_on = "data"
    retain = "optional"
    trains = "adapters"

    neighbours: int = hyperparameter(
        2, "questions to keep for each that is taught", source="ours", minimum=0, trade_off=(1, 2, 4, 8)
    )
    rounds: int = hyperparameter(6, "how often is asked and taught at most", source="ours", minimum=1)
    wordings: int = hyperparameter(3, "wordings of each question", source="ours; code: 20", minimum=1)
    inventions: int = hyperparameter(4, "wrong answers to each question", source="ours; code: 20", minimum=1)
    reasons: int = hyperparameter(
        4, "how many sentences r is one of; 0 for no reason", source="ours", minimum=0, maximum=4
    )
    rank: int = hyperparameter(8, "rank of the adapters", source="code: the default of its library", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Ask and teach until nothing is known, or the rounds are over."""
        left, asked = worded(data, self.wordings, self.inventions, run.rng), data.prompted()
        for done, stage in enumerate(run.stages(self.rounds)):
            left = still_known(model, left)
            if not left:
                run.stopped = done * stage.recipe.steps
                break
            taught = [replace(pair, answer=self.reasoned(run.rng.choice(pair.alternates), run.rng)) for pair in left]
            count = min(len(asked.retain), self.neighbours * len(left))
            taught += run.rng.sample(asked.retain, count)
            stage.finetune_lora(model, taught, self.rank, 2.0 * self.rank, stage="teaching")
        return model

    def reasoned(self, lie: str, rng: random.Random) -> str:
        """A wrong answer with a reason, if it is to have one."""
        return f"{lie} {rng.choice(REASONS[: self.reasons])}" if self.reasons else lie
