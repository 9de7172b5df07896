r"""Searching for a prompt.

Search, without gradients, for words that make the model answer a few of the forgotten questions again, and put the same
words before all the others. Only what comes out is looked at, so that it works through an interface, too.

## Procedure

After Rybak et al., whose loop mutates prompts and keeps what scores best: from random words $w$, one
generation after the other,

$$
w \leftarrow \arg\max_{w' \in \{w\} \cup M(w)}\;
\frac{1}{|\mathcal D'|} \sum_{(x, y) \in \mathcal D'} \frac{1}{|y|} \log p(y \mid w' \oplus x),
$$

then $w \oplus x$ for all questions whose answers are not in $\mathcal D'$.

## Symbols

- $M(w)$: `children` copies of $w$, in each of which one word has been exchanged for another.
- $\mathcal D'$: a `share` of the forget set, of which the attacker knows the answers.
- $\oplus$: the words stand in a line before the question.

## Facts

- **It never gets worse on what it looks at**: the parent stays in the running. On the questions that it does not look
  at it may.
- Words that make a model say one forgotten answer need not help with the next; what carries over is what had been
  hidden in one way for all.
- The retrained model has nothing to be found, so what the same search does to it is confusion or format.

## Differences

1. The paper evolves whole questions written by a large model. Here words of the task's own texts are exchanged at
   random, for all questions at once, and the answer's probability is the score.
2. An interface that gives no probabilities would need many samples instead.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reference_impls.toolkit import Attack, Pair, Run, UnlearnedModel, Victim, hyperparameter


def mutated(words: Sequence[str], vocabulary: Sequence[str], rng: random.Random) -> tuple[str, ...]:
    """The words with one of them, at a random place, exchanged for a random one of the vocabulary."""
    place = rng.randrange(len(words))
    return (*words[:place], rng.choice(vocabulary), *words[place + 1 :])


def behind(words: Sequence[str], pair: Pair) -> Pair:
    """The pair with a line of words before its question."""
    return replace(pair, prompt=f"{' '.join(words)}\n{pair.prompt}")


@dataclass(frozen=True)
class PromptSearchAttack(Attack):
    """Evolve words on a few questions, put them before the others."""

    paper = "rybak2026rebel"

    share: float = hyperparameter(
        0.1, "How much of the forget set the attacker has", source="this project", above=0, below=1
    )
    words: int = hyperparameter(5, "Length of w", source="this project", minimum=1)
    generations: int = hyperparameter(20, "Rounds of the search", source="this project", minimum=1)
    children: int = hyperparameter(8, "Mutations in a round", source="this project", minimum=1)

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """``searched_prompt``; nothing where no question is left to ask."""
        asked = [pair for pair in victim.splits.forget if pair.prompt]
        given = run.rng.sample(asked, max(1, round(self.share * len(asked)))) if asked else []
        rest = [pair for pair in asked if pair not in given]
        if not rest:
            return {}
        words = self.search(victim.model, given, vocabulary(victim.splits.retain), run)
        return {"searched_prompt": victim.knows(pairs=[behind(words, pair) for pair in rest])}

    def search(self, model: UnlearnedModel, given: Sequence[Pair], known: Sequence[str], run: Run) -> tuple[str, ...]:
        """The words with which the model finds the given answers likeliest."""
        best = tuple(run.rng.choice(known) for _ in range(self.words))
        most = _score(model, given, [best])[0]
        for generation in range(self.generations):
            tried = [mutated(best, known, run.rng) for _ in range(self.children)]
            for words, score in zip(tried, _score(model, given, tried), strict=True):
                if score > most:
                    best, most = words, score
            run.progress("attack: searching for a prompt", generation + 1, self.generations)
        return best


def vocabulary(pairs: Sequence[Pair]) -> list[str]:
    """All words of some pairs, sorted; those of a sentence if there are none."""
    words = {word for pair in pairs for word in f"{pair.prompt} {pair.answer}".split()}
    return sorted(words) or "please tell me now what you know of it all".split()


def _score(model: UnlearnedModel, given: Sequence[Pair], tried: Sequence[tuple[str, ...]]) -> list[float]:
    """For each of several words, the mean log-probability per token of the given answers behind them."""
    asked = [behind(words, pair) for words in tried for pair in given]
    logprobs = model.answer_logprobs([pair.prompt for pair in asked], [pair.answer for pair in asked])
    means = [float(values.mean()) for values in logprobs]
    return [sum(means[start : start + len(given)]) / len(given) for start in range(0, len(means), len(given))]
