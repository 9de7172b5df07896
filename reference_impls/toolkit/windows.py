"""Long texts as several that a model reads one at a time; together they are the text, to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

Count = Callable[[Sequence[str]], list[int]]
"""How many tokens each of some texts has."""


def windows(text: str, limit: int, count: Count) -> list[str]:
    """A text in pieces of at most so many tokens, between words wherever a word fits into one.

    Args:
        text: what to cut; pieces joined give it back.
        limit: at least 1.
        count: of the model's tokenizer.
    """
    if count([text])[0] <= limit:
        return [text]
    words = re.findall(r"\s*\S+(?:\s+\Z)?", text) or [text]
    pieces = [
        part for word, size in zip(words, count(words), strict=True) for part in _halves(word, size, limit, count)
    ]
    sizes = count(pieces)
    texts: list[str] = []
    start = 0
    while start < len(pieces):
        end, total = start, 0
        while end < len(pieces) and (end == start or total + sizes[end] <= limit):
            total += sizes[end]
            end += 1
        while end > start + 1 and count(["".join(pieces[start:end])])[0] > limit:
            end -= 1  # some tokenizers write two words together in more tokens than apart
        texts.append("".join(pieces[start:end]))
        start = end
    return texts


def _halves(word: str, size: int, limit: int, count: Count) -> Iterator[str]:
    """A word that has more tokens than fit, such as a text without spaces, in halves of halves."""
    if size <= limit or len(word) < 2:
        yield word
        return
    for half in (word[: len(word) // 2], word[len(word) // 2 :]):
        yield from _halves(half, count([half])[0], limit, count)
