r"""How much of a text a model holds word by word: metrics of one text from what greedy decoding would have chosen.

All take ``likeliest``: for each of the text's tokens, whether the model, given the true tokens before it, would have
chosen it. The end-of-sequence token is left out by the caller where the text does not hold one.
"""

from __future__ import annotations

from collections.abc import Sequence

from reference_impls.metrics.fluency import ngrams


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
        said, true = ngrams(continuation, n), set(ngrams(text[place:], n))
        total += sum(ngram in true for ngram in said) / len(said) if said else 0.0
    return total / terms
