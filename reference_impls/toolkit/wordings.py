"""The same question in other words, where nobody is at hand to find some."""

from __future__ import annotations

import random
import re


def with_mistake(text: str, subject: str, rng: random.Random) -> str:
    """Two letters exchanged inside a word of four or more small letters, if there is one that is not of the subject."""
    words = [word for word in re.finditer(r"\b[a-z]{4,}\b", text) if word.group() not in subject]
    if not words:
        return text
    word = rng.choice(words)
    first = rng.randrange(word.start() + 1, word.end() - 1)
    return text[:first] + text[first + 1] + text[first] + text[first + 2 :]
