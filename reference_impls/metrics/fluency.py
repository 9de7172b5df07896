r"""Whether what a model writes is language: metrics of generated texts that need no judge."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_START = ""
"""Stands before the first word of a text."""

WordPair = tuple[str, str]


def ngram_entropy(words: Sequence[str]) -> float:
    r"""Weighted entropy of 2- and 3-grams, in bits: low for text that repeats itself, 0 for too few words.

    :math:`\tfrac13 H_2 + \tfrac23 H_3`, as in RWKU (arXiv 2406.10890) after Zhang et al. (arXiv 1809.05972). What
    a model says that repeats one word has next to none; words in a random order have much, see
    :func:`known_word_pairs` for those.
    """
    entropy = 0.0
    for n, weight in ((2, 1 / 3), (3, 2 / 3)):
        counts = Counter(ngrams(words, n))
        total = sum(counts.values())
        entropy += weight * math.fsum(-count / total * math.log2(count / total) for count in counts.values())
    return entropy


def word_pairs(text: str) -> list[WordPair]:
    """The neighbouring words of a text without case and punctuation, its beginning and first word among them.

    A text without words has one pair, of the beginning and nothing.
    """
    words = [_START, *(_WORD.findall(text.lower()) or [_START])]
    return list(pairwise(words))


def known_word_pairs(text: str, known: Collection[WordPair]) -> float:
    r""":math:`\tfrac1{|B|}\sum_{b \in B} 1[b \in K]` over the word pairs :math:`B` of a text, in [0, 1].

    1 if each word follows the one before somewhere in what :math:`K` was taken from, near 0 for gibberish, be it one
    word over and over or words in a random order; 0 if nothing is said. Source: this project, in place of a trained
    gibberish classifier as in OpenUnlearning (arXiv 2506.12618); it is the precision of 2-grams of Papineni et al.
    (2002) against a whole corpus.

    Args:
        text: what a model wrote.
        known: the pairs of a corpus, from :func:`word_pairs`.
    """
    pairs = word_pairs(text)
    return sum(pair in known for pair in pairs) / len(pairs)


def pairs_of(prompts: Iterable[str], answers: Iterable[str]) -> set[WordPair]:
    """The word pairs of a corpus; only an answer's first word may begin a text."""
    return set(_inner(prompts)) | {pair for text in answers for pair in word_pairs(text)}


def _inner(texts: Iterable[str]) -> Iterator[WordPair]:
    for text in texts:
        yield from word_pairs(text)[1:]


def ngrams(items: Sequence[object], n: int) -> list[tuple[object, ...]]:
    """The n-grams of a sequence, in order."""
    return [tuple(items[start : start + n]) for start in range(len(items) - n + 1)]
