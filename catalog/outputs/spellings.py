"""Words with and without dashes: ``in-context``, ``in context`` and ``incontext`` are one to whoever searches.

The index holds the parts and, beside them, the joined word wherever people write it in one (:class:`Compounds`). A
query is read the same way (``catalog.outputs.answers.finding``, ``site/assets/js/find.js``): neighbours that are known
as one word mean that word, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from catalog.base.text import words

STOP_WORDS = frozenset(
    "a about after al all an and any are as at be been but by can could do does et find for from had has have"
    " how i if in into is it its me my no not of on or our paper papers please show so some such than that the"
    " their them then there these they this to us vs was we were what when where which who why will with would"
    " wrote you your".split()
)
"""Words that need not occur: they say nothing of a paper, and people use others."""
MOST_JOINED = 3
"""Neighbouring words that are tried as one."""

_DASHES = "-\u2010-\u2013\u2212"
_DASH = re.compile(f"[{_DASHES}]")
_DASHED = re.compile(rf"[^\W_]+(?:[{_DASHES}][^\W_]+)+")


class Compounds:
    """The words that are written in one somewhere, so that parts elsewhere can be told to be the same."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._known = written_in_one(texts)
        self._joined: dict[str, list[str]] = {}

    @classmethod
    def knowing(cls, known: set[str]) -> Compounds:
        """Those that :func:`written_in_one` found."""
        made = cls(())
        made._known = known
        return made

    def joined(self, text: str) -> list[str]:
        """What a text says in several words that are elsewhere one, as one word.

        >>> Compounds(["GPT-4", "backdoor"]).joined("A back door in GPT 4")
        ['backdoor', 'gpt4']
        """
        if text not in self._joined:  # terms come with every paper that has them
            compounds = [word for word in _joins(words(text)) if word in self._known and not word.isdecimal()]
            # Longer ones only as they stand: their parts would make up what nobody says.
            compounds += ["".join(parts) for parts in _dashed(text) if len(parts) > MOST_JOINED]
            self._joined[text] = compounds
        return self._joined[text]


def written_in_one(texts: Iterable[str]) -> set[str]:
    """The words of texts, and what they write with dashes as one word."""
    return {word for text in set(texts) for word in _written_in_one(text)}


@lru_cache(maxsize=1 << 14)  # terms come with every paper that has them
def _written_in_one(text: str) -> tuple[str, ...]:
    return (*words(text), *("".join(parts) for parts in _dashed(text) if len(parts) <= MOST_JOINED))


def _joins(parts: list[str]) -> Iterator[str]:
    """Neighbouring words in one."""
    for start, word in enumerate(parts):
        for part in parts[start + 1 : start + MOST_JOINED]:
            word += part
            yield word


def _dashed(text: str) -> Iterator[list[str]]:
    """The words of each compound with dashes."""
    for written in text.split() if _DASH.search(text) else ():
        for match in _DASHED.finditer(written) if _DASH.search(written) else ():
            parts = words(match[0])
            if len(parts) > 1 and not "".join(parts).isdecimal():
                yield parts
