"""A store of texts that are looked up by how much their words are those of a query, rare ones more than common."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from reference_impls.toolkit.wrong_answers import distinct_words


@dataclass(frozen=True)
class Store:
    """Texts as vectors, with a place for every distinct word and there what the word weighs, if the text has it."""

    texts: Sequence[str]
    weights: Mapping[str, float]
    """By word."""
    unknown: float
    """What any other word weighs."""

    @classmethod
    def of(cls, texts: Sequence[str], others: Sequence[str] = ()) -> Store:
        r"""A store in which a word that $n$ of $N$ texts have weighs $\ln \frac{1 + N}{n}$, or as if it were in one.

        Args:
            texts: what is looked up.
            others: texts that are not, and only tell which words are common.
        """
        read = [distinct_words(text) for text in (*texts, *others)]
        counts = Counter(word for words in read for word in words)
        unknown = math.log(1 + len(read))
        return cls(texts, {word: unknown - math.log(count) for word, count in counts.items()}, unknown)

    @cached_property
    def _words(self) -> list[frozenset[str]]:
        return [distinct_words(text) for text in self.texts]

    @cached_property
    def _sizes(self) -> list[float]:
        return [self._size(words) for words in self._words]

    def _size(self, words: frozenset[str]) -> float:
        return math.fsum(self.weights.get(word, self.unknown) ** 2 for word in words)

    def similarities(self, query: str) -> list[float]:
        """The cosine of a query with each text, in [0, 1]; 0 where they share no word."""
        asked = distinct_words(query)
        size = self._size(asked)
        shared = (self._size(asked & words) for words in self._words)
        return [
            min(1.0, value / math.sqrt(size * other)) if value else 0.0
            for value, other in zip(shared, self._sizes, strict=True)
        ]

    def nearest(self, query: str) -> tuple[int, float]:
        """Which text is nearest to a query, the first of several, and its cosine.

        Raises:
            ValueError: there is none.
        """
        cosines = self.similarities(query)
        return cosines.index(max(cosines)), max(cosines)
