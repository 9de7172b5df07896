r"""Filtering the training data (Deep Ignorance).

What a model never read it need not forget. Before training, a blocklist looks through all texts and a classifier
through those that it stops; the model learns from what passes. Nobody reads every text: what the filter knows of the
topic, it knows from a few that experts labelled, and what it overlooks is learned.

## Objective

O'Brien et al., for texts $d$ of a corpus $\mathcal D$, with a list of terms $W$ and a classifier $g$:

$$
\theta = \mathrm{train}(\theta_0, \mathcal D \setminus F), \qquad
F = \{ d \in \mathcal D : |W \cap d| \ge k \ \text{and} \ g(d) \ge \gamma \} .
$$

## Symbols

- $\theta_0$: the model from before it met what is to be forgotten.
- $\mathcal D$: the forget and the retain set. A share of either (`labelled`) has labels, from which $W$ and $g$ are
  made; these texts go or stay by their labels, and the filter decides on the others.
- $W$: words of which more than a share $\rho$ (`ratio`) of the labelled texts that have them are to be forgotten.
  $|W \cap d|$ counts different words, not how often each comes; $k$ is `terms`.
- $g$: the probability that a text is to be forgotten; $\gamma$ (`threshold`). With $\gamma = 0$ the list decides alone:
  the paper's *strong* filter, which keeps more out that is harmless; with both stages it is the *weak* one.

## Facts

- **It takes the place of the training by which the model was made**, and needs what it started from.
- **A filter without mistakes gives the retrained model**, to the bit (`labelled` = 1 is one), and one that stops
  nothing the model that is to forget. Between them lies what passes: a run says how much of either set did.
- **It needs a topic.** Where what is to be forgotten is said in words of its own, few labels tell the rest: on
  `hazards`, with 30% labelled, no forget text passes and every other does, while the list alone keeps 2% to 12% of
  those out; after 240 steps at a rate of 0.001 forget accuracy is 0.31 among four options (retrained model: 0.29).
- **Names are none.** The people of `authors` and the towns of `passages` share all their words but these: there half of
  what is to be forgotten passes, and with $k = 1$ and $\gamma = 0.1$ still 5% to 25%, at the price of 8% and 19% of
  what is not.
- **What passes is learned.** On `authors` (400 steps at a rate of 0.001, $k = 1$, $\gamma = 0.1$) 12 of 80 forget texts
  pass, and forget answers end at 0.52, with all labelled at 0.46 and those of the retrained model at 0.45; retain
  answers at 0.94 either way. General facts fall (0.45 to 0.26), since the training by which the target was made read
  more than the two sets.
- **There is nothing to dig up**: relearning, which the paper's models resist for longer than any that was made to
  forget, starts from one that never knew. Told in the context, the facts are used all the same.

## Differences

1. The paper trains models of 6.9 billion parameters from random weights; here a base learns what the task teaches.
2. Its list comes from papers on the topic, by a language model, and its classifier is ModernBERT, trained on texts that
   experts labelled. Here both come from the labelled share: single words, and logistic regression on distinct words,
   where either set counts as much as the other.
3. A term counts wherever its letters stand in the released code, here as a word.
4. Documents there are pages; here each is one question with its answer, or one short text.
5. What was kept out is replaced there by more of what passed; here the steps stay as many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Pair,
    Run,
    Scope,
    UnlearningData,
    distinct_words,
    hyperparameter,
)


def blocklist(inside: Sequence[str], outside: Sequence[str], ratio: float) -> frozenset[str]:
    r"""$W$: the words of which more than the share ``ratio`` of the texts that have them are ``inside``."""
    forgotten, kept = (Counter(chain.from_iterable(map(distinct_words, texts))) for texts in (inside, outside))
    return frozenset(word for word, count in forgotten.items() if count > ratio * (count + kept[word]))


@dataclass(frozen=True)
class Filter:
    """Both stages."""

    listed: frozenset[str]
    terms: int
    classifier: Scope
    threshold: float

    def stops(self, text: str) -> bool:
        """Whether a text is kept out. The classifier looks at what the list stops, and at nothing else."""
        return len(self.listed & distinct_words(text)) >= self.terms and self.classifier(text) >= self.threshold


@dataclass(frozen=True)
class DeepIgnorance(Method):
    """Make a filter of a labelled share, and train what was before on all that it lets pass."""

    paper = "obrien2025deep"
    acts_on = "data"
    access = "training"
    retain = "needed"
    copies = 1
    earlier = "needed"
    weighs_weights = True

    labelled: float = hyperparameter(0.3, "share of either set that has labels", source="ours", above=0, maximum=1)
    ratio: float = hyperparameter(
        0.4, "ρ, share of a term's texts above which it is listed", source="code", minimum=0, below=1
    )
    terms: int = hyperparameter(2, "k, listed terms that stop a text", source="paper", minimum=1)
    threshold: float = hyperparameter(
        0.5, "γ, of the classifier", source="code", minimum=0, maximum=1, trade_off=(0.0, 0.1, 0.3, 0.5)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Filter, then train."""
        passed = [pair for pairs in self.passed(data, run) for pair in pairs]
        return run.finetune(run.earlier_than(model), passed)

    def passed(self, data: UnlearningData, run: Run) -> tuple[list[Pair], list[Pair]]:
        """What is learned of the forget and of the retain set; tells how much that is."""
        forget, retain = data.forget, data.retain
        inside, outside = (
            set(run.rng.sample(pairs, max(1, round(self.labelled * len(pairs))))) for pairs in (forget, retain)
        )
        found = self.made(
            [read(pair) for pair in forget if pair in inside], [read(pair) for pair in retain if pair in outside]
        )
        leaked = [pair for pair in forget if pair not in inside and not found.stops(read(pair))]
        kept = [pair for pair in retain if pair in outside or not found.stops(read(pair))]
        run.tell(
            f"Of {len(forget)} texts to forget the filter let {len(leaked)} pass, and of {len(retain)} others it kept "
            f"{len(retain) - len(kept)} out."
        )
        return leaked, kept

    def made(self, inside: Sequence[str], outside: Sequence[str]) -> Filter:
        """The filter that labelled texts give, those to forget and others."""
        return Filter(
            blocklist(inside, outside, self.ratio), self.terms, Scope.learned(inside, outside), self.threshold
        )


def read(pair: Pair) -> str:
    """A pair as the filter reads it."""
    return pair.prompt + pair.answer
