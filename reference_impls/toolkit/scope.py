"""Whether a query is about what was to be forgotten: a gate in front of a model, learned from a few examples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, embedding_bag

from reference_impls.toolkit.wrong_answers import distinct_words

DECAY = 1e-3
"""Weight of the squared weights, without which words that tell the sets apart for certain would get endless ones."""
STEPS = 50


@dataclass(frozen=True)
class Scope:
    """A linear classifier of distinct words: how likely a text is about what was to be forgotten."""

    weights: Mapping[str, float]
    """By word; others count nothing."""
    bias: float

    def __call__(self, text: str) -> float:
        """In (0, 1)."""
        score = self.bias + math.fsum(self.weights.get(word, 0.0) for word in distinct_words(text))
        return 1 / (1 + math.exp(-score)) if score > -700 else 0.0

    @classmethod
    def learned(cls, inside: Sequence[str], outside: Sequence[str]) -> Scope:
        """Logistic regression, to the minimum; either set counts as much as the other, however many texts it has.

        Args:
            inside: texts about what was to be forgotten.
            outside: texts about other things.
        """
        texts = [sorted(distinct_words(text)) for text in (*inside, *outside)]
        words = sorted({word for text in texts for word in text})
        column = {word: place for place, word in enumerate(words)}
        seen = torch.tensor([column[word] for text in texts for word in text], dtype=torch.long)
        starts = torch.tensor([0, *itertools.accumulate(map(len, texts))][:-1], dtype=torch.long)
        wanted = torch.tensor([1.0] * len(inside) + [0.0] * len(outside), dtype=torch.float64)
        share = torch.tensor([0.5 / max(1, len(outside)), 0.5 / max(1, len(inside))], dtype=torch.float64)
        importance = share[wanted.long()]
        coefficients = torch.zeros(len(words) + 1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([coefficients], max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            scores = embedding_bag(seen, coefficients[:-1, None], starts, mode="sum")[:, 0] + coefficients[-1]
            each = binary_cross_entropy_with_logits(scores, wanted, reduction="none")
            value = (importance * each).sum() + DECAY * (coefficients[:-1] ** 2).sum()
            value.backward()
            return value

        with torch.enable_grad():
            optimizer.step(loss)
        *weights, bias = coefficients.tolist()
        return cls(dict(zip(words, weights, strict=True)), bias)
