r"""Continual unlearning in real time (CURaTE).

Keep every request in a store, as a vector, and refuse questions that lie close to one; the model answers all others
and is never touched. What makes it work is the encoder of the vectors, which is trained once, on other data, to put
the same question in other words near and a question of the same form about something else far away.

## Objective

Bae et al. train the encoder $e$ on pairs of questions that ask the same ($y = 1$) or look alike and do not ($y = 0$):

$$
\mathcal L(e) = \mathbb E \left[ \tfrac{y}{2}\, d^2 + \tfrac{1 - y}{2} \max(0, m - d)^2 \right],
\qquad
d = 1 - e(x)^\top e(x'),
$$

and refuse a query $x$ if and only if

$$
\max_{i}\; e(x)^\top e(x_i) > \tau .
$$

## Symbols

- $e(x)$: a vector of length 1; $d$: the cosine distance of two; $m$ (`margin`): how far apart is far enough.
- $x_i$: the requests, which are the questions to forget; $\tau$ (`threshold`): how close is too close.

## Facts

- **A request is served as soon as it is stored**: the encoder was trained without it, so that nothing is trained
  anew, and requests neither disturb each other nor depend on their order.
- **A stored question is always refused**, for its distance from itself is 0, and with an empty store all are answered.
- **What is not near a request is answered to the bit as before**; the question is only where the border runs. An
  encoder that goes by a question's form takes other people's questions for the one that was stored.
- The model still knows everything; whoever is not behind the store gets it.

## Differences

1. The paper fine-tunes a sentence encoder on 18,000 pairs from an unrelated set of questions. Here the encoder is a
   matrix of 64 rows, on the weighted counts of a question's words and of every three letters in a row, and what it
   learns from are the questions to keep.
2. The same in other words is a retain question as the task rephrases it, or without one of its words where it does not;
   what looks alike is another retain question that shares most words with it, of fifty drawn.
3. Which refusal is given depends on the query alone; the paper draws one from a list.
4. Of a plain text the beginning, up to the first mention of its subject, is the request.
"""

from __future__ import annotations

import math
import random
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    REFUSALS,
    Batch,
    FixedAnswer,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    distinct_words,
    hyperparameter,
    jaccard,
)

FEATURES, WIDTH = 4096, 64
CANDIDATES = 50


def contrastive_loss(one: Tensor, other: Tensor, same: Tensor, margin: float) -> Tensor:
    r"""() $\mathcal L(e)$.

    Args:
        one: (N, k) vectors of length 1.
        other: (N, k) those that they are compared with.
        same: (N,) y.
        margin: m.
    """
    distance = 1 - (one * other).sum(dim=1)
    near, far = distance**2, (margin - distance).clamp(min=0) ** 2
    return torch.where(same, near, far).mean() / 2


def features(text: str) -> Mapping[int, int]:
    """How often each word and each three letters in a row occur, by a number below :data:`FEATURES`."""
    words = sorted(distinct_words(text))
    parts = [*words, *(f"#{word}#"[at : at + 3] for word in words for at in range(len(word)))]
    return Counter(zlib.crc32(part.encode()) % FEATURES for part in parts)


class Encoder:
    """Questions as vectors of length 1."""

    def __init__(self, rarity: Tensor, matrix: Tensor) -> None:
        self.rarity = rarity
        """(FEATURES,) how much each feature counts: the fewer questions have it, the more."""
        self.matrix = matrix
        """(WIDTH, FEATURES)."""

    @classmethod
    def untrained(cls, questions: Sequence[str], seed: int) -> Encoder:
        """An encoder that weighs features by how rare they are in some questions, and then mixes them at random."""
        counts = Counter(feature for question in questions for feature in features(question))
        rarity = [1 + math.log((1 + len(questions)) / (1 + counts[feature])) for feature in range(FEATURES)]
        generator = torch.Generator().manual_seed(seed)
        return cls(torch.tensor(rarity), torch.randn(WIDTH, FEATURES, generator=generator) / math.sqrt(WIDTH))

    def __call__(self, questions: Sequence[str]) -> Tensor:
        """(N, WIDTH) the questions' vectors."""
        vectors = torch.zeros(len(questions), FEATURES)
        for row, question in enumerate(questions):
            for feature, count in features(question).items():
                vectors[row, feature] = 1 + math.log(count)
        return torch.nn.functional.normalize((vectors * self.rarity) @ self.matrix.T, dim=1)


def compared(pairs: Sequence[Pair], rng: random.Random) -> tuple[str, str, str]:
    """A question, one that asks the same, and one that looks like it and asks something else."""
    pair = rng.choice(pairs)
    words = pair.prompt.split(" ")
    place = rng.randrange(len(words))
    same = pair.rephrased_prompt or " ".join(words[:place] + words[place + 1 :])
    questions = [
        candidate.prompt
        for candidate in rng.sample(pairs, min(CANDIDATES, len(pairs)))
        if candidate.answer != pair.answer
    ]
    own = distinct_words(pair.prompt)
    alike = max(questions, key=lambda question: jaccard(own, distinct_words(question)), default=same)
    return pair.prompt, same, alike


@dataclass(frozen=True)
class CURaTE(Method):
    """Refuse what lies close to a request."""

    paper = "bae2026curate"
    acts_on = "prompt"
    access = "prompts"
    retain = "optional"
    trains = "adapters"
    separate = True

    threshold: float = hyperparameter(
        0.8, "τ, how close is too close", source="code", minimum=-1, maximum=1, trade_off=(0.6, 0.7, 0.8, 0.9)
    )
    margin: float = hyperparameter(0.5, "m, how far is far enough", source="code", above=0, maximum=2)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> RefusingModel:
        """Train the encoder on what is kept, then store the requests; the model is not touched."""
        asked = data.prompted()
        encoder = Encoder.untrained([model.asked(pair.prompt) for pair in asked.retain], run.seed)
        matrix = torch.nn.Parameter(encoder.matrix.clone())
        learning = Encoder(encoder.rarity, matrix)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            drawn = [compared(asked.retain, run.rng) for _ in range(len(batch.forget))]
            questions, same, alike = (
                learning([model.asked(text) for text in texts]) for texts in zip(*drawn, strict=True)
            )
            labels = torch.arange(2 * len(drawn)) < len(drawn)
            return contrastive_loss(torch.cat([questions, questions]), torch.cat([same, alike]), labels, self.margin)

        if asked.retain:
            run.minimize(loss, model, data, [matrix], retain=False)
        requests = [model.asked(pair.prompt) for pair in asked.forget]
        return RefusingModel(model, Encoder(encoder.rarity, matrix.detach()), requests, self.threshold)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> RefusingModel:
        """The model behind the encoder and the requests that were kept."""
        encoder = Encoder(kept.tensors["rarity"].cpu(), kept.tensors["matrix"].cpu())
        return RefusingModel(model, encoder, kept.facts["requests"], kept.facts["threshold"])


@dataclass
class RefusingModel(Wrapped):
    """The unchanged model, which is not asked what lies close to a request."""

    model: LanguageModel
    encoder: Encoder
    requests: Sequence[str]
    threshold: float

    @cached_property
    def _stored(self) -> Tensor:
        return self.encoder(self.requests)

    @cached_property
    def _refusing(self) -> list[FixedAnswer]:
        return [FixedAnswer(self.model, refusal) for refusal in REFUSALS]

    def nearest(self, query: str) -> float:
        """The cosine of a query's vector with that of the request nearest to it; -1 without any."""
        if not self.requests:
            return -1.0
        return float((self._stored @ self.encoder([self.model.asked(query)])[0]).max())

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """Whoever refuses, if a request is too close."""
        if self.nearest(query) <= self.threshold:
            return self.model
        return self._refusing[zlib.crc32(query.encode()) % len(self._refusing)]

    def to_json(self) -> dict[str, Any]:
        """The requests, and how close is too close."""
        return {"requests": list(self.requests), "threshold": self.threshold}

    def tensors(self) -> dict[str, Tensor]:
        """The encoder."""
        return {"rarity": self.encoder.rarity, "matrix": self.encoder.matrix}
