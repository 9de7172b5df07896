r"""Detection and guarded reasoning in context (DRAGON).

Every question is looked at first: whether it names what is to be forgotten, is like a question on it, or looks so to a
classifier. If so, the model reads before it a policy, a made-up account of whom it
asks about and a line of reasoning that leads to a refusal. The model itself is untouched, and so is every other
question.

## Objective

Nothing of the model is trained. Wang et al. (equations 3 and 4) score a query $x$ against a store $\mathcal D_u$ of
questions on what is to be forgotten, and put something before it if it scores high:

$$
f(x) = \mathrm{EM}(x) + \max_{u \in \mathcal D_u} \mathrm{sim}(e_u, e_x) + \mathbb 1\left[ p_F(x) > \tau_1 \right],
\qquad
\tilde x = \begin{cases} c(x) \oplus x & \text{if } f(x) > \tau \\ x & \text{else.} \end{cases}
$$

## Symbols

- $\mathrm{EM}(x)$: 1 if a name to be forgotten is in the query, 0 otherwise; $\mathrm{sim}$: a cosine.
- $p_F$: the classifier's probability, and $\tau_1$ (`confidence`) how sure it must be. $\tau$ (`threshold`).
- $c(x)$: the policy, the account of the subject, and the reasoning.

## Facts

- **With $\tau < 1$ a name is enough, and so is the classifier**; a query that has neither must be as good as a stored
  one. The released code puts these as alternatives, with 0.9 for the cosine: the default. From $\tau = 1$ on it takes
  two of three, from 3 on nothing is stopped.
- **What is not stopped is answered to the bit as before.** The paper's utility on TOFU is that of the model.
- **The store has questions and no answers**, and a request is added by adding its questions.
- **Without data to keep the classifier knows little**: what it learns to let through are then the same questions on
  people who do not exist, whose names are made of those to be forgotten, and at 0.8 it stops every fourth question on
  somebody else. Names and cosines need none: without it they stop all forget questions on `authors`, reworded as well,
  and 1 in 700 others.
- **It takes a model that does as it is told**, as `rag` does. The embedded model cannot refuse; it is led astray by
  what it has never read before a question, and now and then says what stands in the account. On `authors` forget
  answers go from 0.96 to 0.48 of probability, and nothing else changes.
- The model still knows everything; whoever is not behind the detector gets it.

## Differences

1. The paper has a language model reword the stored questions, and keeps those that are nearest to the original; here
   they are the questions. Its scoring model is a fine-tuned language model, which synthetic questions have taught what
   is harmless; here it is logistic regression on words, and the questions to keep have, where there are any.
2. Its encoder is a network for sentences; here a text is its words, rare ones counting more.
3. The guard that writes the reasoning is a language model trained for it; here it is a template, which the released
   code has as well. It stands before the question, not behind it, where an answer is expected.
4. The account in the released code is one of many invented authors, without a name; here it is about the subject, with
   a false answer to each question on it, that of the task's inventions or of somebody else to a question like it.
5. The form for hazardous concepts (equation 5) has other similarities in the place of EM; here all tasks have this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reference_impls.toolkit import (
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    Scope,
    Store,
    UnlearningData,
    Wrapped,
    false_answers,
    hyperparameter,
    new_pairs,
)

POLICY = "What is asked about here is private. Refuse, or answer from what stands here alone.\n"
REASONING = (
    "Let's think step by step. The question is about {}. That is private and must not be told. So refuse, or say only "
    "what stands above.\n"
)


@dataclass(frozen=True)
class Detector:
    """f, and all that it goes by."""

    names: Sequence[str]
    """Of whom each stored question asks."""
    store: Store
    scope: Scope
    confidence: float

    def __call__(self, query: str) -> tuple[float, str]:
        """How likely a query is about what is to be forgotten, in [0, 3], and about whom."""
        place, cosine = self.store.nearest(query)
        named = [name for name in self.names if name.casefold() in query.casefold()]
        return bool(named) + cosine + (self.scope(query) > self.confidence), (*named, self.names[place])[0]


def account(model: LanguageModel, name: str, pairs: Sequence[Pair], lies: Sequence[str]) -> str:
    """c, for one subject."""
    invented = "".join(model.shown(pair, lie) for pair, lie in zip(pairs, lies, strict=True))
    return POLICY + invented + REASONING.format(name)


@dataclass(frozen=True)
class DRAGON(Method):
    """Detect, and put policy, account and reasoning before the question."""

    paper = "wang2025dragon"
    acts_on = "prompt"
    access = "prompts"
    retain = "optional"
    trains = "nothing"
    separate = True

    threshold: float = hyperparameter(
        0.9, "τ, the score that stops a query", source="code", minimum=0, trade_off=(0.5, 0.7, 0.9, 1.2, 1.5)
    )
    confidence: float = hyperparameter(
        0.8, "τ₁, how sure the classifier must be", source="ours; code: 0.9999", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> GuardedModel:
        """Fill the store, train the classifier, write the accounts; the model is not touched."""
        asked = data.prompted()
        by_name: dict[str, list[Pair]] = {}
        for pair in asked.forget:
            by_name.setdefault(model.asked(pair.about), []).append(pair)
        questions = [model.asked(pair.prompt) for pairs in by_name.values() for pair in pairs]
        harmless = asked.retain or new_pairs(asked.forget, len(questions), run.rng)
        others = [question for question in (model.asked(pair.prompt) for pair in harmless) if question not in questions]
        scope = Scope.learned(questions, others) if others else Scope({}, 0.0)
        names = [name for name, pairs in by_name.items() for _ in pairs]
        detector = Detector(names, Store.of(questions, others), scope, self.confidence)
        told = {
            name: account(model, name, pairs, [false_answers(pair, asked.others, 1, run.rng)[0] for pair in pairs])
            for name, pairs in by_name.items()
        }
        return GuardedModel(model, detector, told, self.threshold)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> GuardedModel:
        """The model behind the detector and the accounts that were kept."""
        facts = kept.facts
        store, scope = Store(*facts["store"]), Scope(*facts["scope"])
        detector = Detector(facts["names"], store, scope, facts["confidence"])
        return GuardedModel(model, detector, facts["told"], facts["threshold"])


@dataclass
class GuardedModel(Wrapped):
    """The unchanged model, which reads an account before what it is asked about a subject."""

    model: LanguageModel
    detector: Detector
    told: Mapping[str, str]
    """c of each subject."""
    threshold: float

    def prompt(self, query: str) -> str:
        """The query, behind the account of whom it asks about if the score is high."""
        score, name = self.detector(self.model.asked(query))
        return self.model.behind(self.told[name], query) if score > self.threshold else query

    def to_json(self) -> dict[str, Any]:
        """The store, the classifier and the accounts."""
        store, scope = self.detector.store, self.detector.scope
        return {
            "names": list(self.detector.names),
            "store": [list(store.texts), dict(store.weights), store.unknown],
            "scope": [dict(scope.weights), scope.bias],
            "confidence": self.detector.confidence,
            "told": dict(self.told),
            "threshold": self.threshold,
        }
