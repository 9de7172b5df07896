r"""How much of a text a model holds word by word: metrics of one text from what greedy decoding would have chosen.

All take ``likeliest``: for each of the text's tokens, whether the model, given the true tokens before it, would have
chosen it. The end-of-sequence token is left out by the caller where the text does not hold one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def exact_memorization(likeliest: Sequence[bool]) -> float:
    r""":math:`\tfrac1T\sum_t 1[\arg\max p_\theta(\cdot \mid y_{<t}) = y_t]`, in [0, 1].

    Source: Tirumala et al. (arXiv 2205.10770); the memorization accuracy of Jang et al. (arXiv 2210.01504), which
    divides by T - 1 because it has no prompt to predict the first token from. Lower on forgotten text.

    Raises:
        ValueError: the text has no token.
    """
    if not likeliest:
        raise ValueError("a text without tokens cannot be memorized")
    return sum(likeliest) / len(likeliest)


def extraction_strength(likeliest: Sequence[bool]) -> float:
    r""":math:`1 - k/T` with the shortest prefix, of :math:`k` tokens, after which greedy decoding gives all the rest.

    In [0, 1]; 1 if nothing but the prompt is needed. Source: Carlini et al. (arXiv 2012.07805) and Wang et al. (arXiv
    2406.09179), as in OpenUnlearning. Never more than :func:`exact_memorization`.

    Raises:
        ValueError: the text has no token.
    """
    if not likeliest:
        raise ValueError("a text without tokens cannot be extracted")
    suffix = 0
    for hit in reversed(likeliest):
        if not hit:
            break
        suffix += 1
    return suffix / len(likeliest)


def extraction_likelihood(text: Sequence[int], continuations: Sequence[Sequence[int]], n: int) -> float:
    r""":math:`\mathrm{EL}_n = \tfrac1{T-n}\sum_t \mathrm{Overlap}_n(f_\theta(x_{\le t}), x_{>t})`, in [0, 1].

    The overlap is the share of the continuation's n-grams, repeated ones counted, that occur in the true rest.
    Source: Jang et al. (arXiv 2210.01504), equation 2.

    Args:
        text: the T true tokens.
        continuations: for each t = 1 .. T - n, the greedy continuation of the first t tokens.
        n: length of the n-grams.

    Raises:
        ValueError: the text is not longer than ``n``, or there is not one continuation for each prefix.
    """
    terms = len(text) - n
    if terms < 1 or len(continuations) != terms:
        raise ValueError(f"a text of {len(text)} tokens has {max(terms, 0)} prefixes, not {len(continuations)}")
    total = 0.0
    for place, continuation in enumerate(continuations, 1):
        said, true = _ngrams(continuation, n), set(_ngrams(text[place:], n))
        total += sum(one in true for one in said) / len(said) if said else 0.0
    return total / terms


def ngram_entropy(words: Sequence[str]) -> float:
    r"""Weighted entropy of 2- and 3-grams, in bits: low for text that repeats itself, 0 for too few words.

    :math:`\tfrac13 H_2 + \tfrac23 H_3`, as in RWKU (arXiv 2406.10890) after Zhang et al. (arXiv 1809.05972). A
    measure of fluency that needs no judge: what a destroyed model says has next to none.
    """
    found = 0.0
    for n, weight in ((2, 1 / 3), (3, 2 / 3)):
        counts = Counter(_ngrams(words, n))
        total = sum(counts.values())
        found += weight * math.fsum(-count / total * math.log2(count / total) for count in counts.values())
    return found


def _ngrams(items: Sequence[object], n: int) -> list[tuple[object, ...]]:
    return [tuple(items[start : start + n]) for start in range(len(items) - n + 1)]
