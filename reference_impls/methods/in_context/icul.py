r"""In-context unlearning (ICUL).

Leave the weights alone and change the prompt: show the model the point to forget with a *wrong* answer, then a few
other points with their right ones, then ask. The contradiction in the context takes the model's confidence in what it
memorized down to that of a model which never saw it.

## Objective

There is none: nothing is trained. Pawelczyk et al. (section 3) build, for a request to forget $(x_f, y_f)$ and a
query $x_q$,

$$
\underbrace{x_f\ \tilde y_f}_{\text{flipped}}\ \ \underbrace{x_1\ y_1 \;\cdots\; x_s\ y_s}_{\text{right}}\ \ x_q,
\qquad \tilde y_f \ne y_f,
$$

and let the unchanged model go on from there.

## Symbols

- $(x_f, y_f)$: the pair to forget; $\tilde y_f$: a wrong answer to it.
- $(x_i, y_i)$: $s$ other training pairs with their right answers (`demonstrations`), drawn at random.

## Facts

- **The weights stay bit-identical**; taking the prompt away restores the model exactly. It works through an API, and
  whoever can choose the prompt can undo it.
- Its cost grows with the length of the context and is paid at every query.
- **On `authors` it costs what was to be kept**: the retain answers fall with the forget answers. The weights are the
  same, so all of that is the contexts': questions on people to be kept share words with some request, too, and are
  asked behind its flipped answer (difference 2).

## Differences

1. The paper classifies text, so $\tilde y_f$ is the flipped label. For free-form answers it is the answer of another
   subject to the question most like $x_f$, with the name exchanged.
2. The paper serves one request per prompt. To serve a whole forget set, the request nearest to the query (by shared
   words) is put into the prompt; the query is never compared with anything but the requests. A query that shares no
   word with any of them is left alone, as is the empty one, after which a model writes what it likes.
3. Here $s$ does not count the flipped pair; the paper's context length $L$ is $s + 1$.
4. Of a plain text the beginning, up to the first mention of its subject, is $x_f$, and $\tilde y_f$ goes on
   as another text does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference_impls.toolkit import (
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    Wrapped,
    distinct_words,
    flipped_answer,
    hyperparameter,
    jaccard,
)


@dataclass(frozen=True)
class InContextUnlearning(Method):
    """Put contradicting demonstrations in front of every query."""

    paper = "pawelczyk2023context"
    acts_on = "prompt"
    access = "prompts"
    retain = "optional"
    trains = "nothing"
    separate = True

    demonstrations: int = hyperparameter(
        4,
        "s, pairs with right answers after the flipped one",
        source="paper: contexts of 2 to 6",
        minimum=0,
        trade_off=(0, 2, 4, 6),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> InContextModel:
        """Write one context per forget pair; the weights are not touched."""
        asked = data.prompted()
        others = asked.others
        contexts = [
            context(model, pair, flipped_answer(pair, others, run.rng), others, self.demonstrations, run.rng)
            for pair in asked.forget
        ]
        return InContextModel(model, [pair.prompt for pair in asked.forget], contexts)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> InContextModel:
        """The model behind the contexts that were written for the requests."""
        return InContextModel(model, kept.facts["requests"], kept.facts["contexts"])


def context(
    model: LanguageModel, request: Pair, wrong: str, others: Sequence[Pair], demonstrations: int, rng: random.Random
) -> str:
    """``x_f ỹ_f``, then ``s`` other pairs with their right answers, one below the other."""
    pool = [pair for pair in others if pair.prompt != request.prompt]
    chosen = rng.sample(pool, min(demonstrations, len(pool)))
    return "".join([model.shown(request, wrong), *(model.shown(pair) for pair in chosen)])


@dataclass
class InContextModel(Wrapped):
    """The unchanged model behind prompts that start with the context of the nearest request."""

    model: LanguageModel
    requests: Sequence[str]
    contexts: Sequence[str]

    def __post_init__(self) -> None:
        self._words = [distinct_words(self.model.asked(request)) for request in self.requests]

    def prompt(self, query: str) -> str:
        """The query behind the context of the request that shares most of its words; alone if none shares any."""
        asked = distinct_words(self.model.asked(query))
        likeness = [jaccard(asked, request) for request in self._words]
        nearest = max(likeness)
        return self.model.behind(self.contexts[likeness.index(nearest)], query) if nearest else query

    def to_json(self) -> dict[str, Any]:
        """The requests and their contexts, in the same order."""
        return {"requests": list(self.requests), "contexts": list(self.contexts)}
