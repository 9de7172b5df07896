"""Data for the site's scripts, small and quick to read, as scripts: pages on a disk may load those.

Numbers are written as letters of an alphabet that is safe in JSON, JavaScript and HTML. ``site/assets/js/data.js``
reads what is written here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from catalog.outputs.site.head import script_safe

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"

# In a script, unlike in JSON, this key would set the object's prototype, unless its name is computed.
_PROTOTYPE = re.compile(r'(?<!\\)"__proto__":')


def script(name: str, value: Any) -> str:
    """A script that hands ``value`` over under ``name``."""
    text = script_safe(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True))
    text = _PROTOTYPE.sub(r'["__proto__"]:', text)
    return f"catalogData.take({json.dumps(name)},{text});\n"


def digits(numbers: Iterable[int], width: int) -> str:
    """Each number as ``width`` letters, the highest first.

    >>> digits([1, 64], 2)
    '0110'
    """
    packed = []
    for number in numbers:
        letters = ""
        for _ in range(width):
            letters = ALPHABET[number % 64] + letters
            number //= 64
        packed.append(letters)
    return "".join(packed)


def width(count: int) -> int:
    """How many letters tell ``count`` numbers apart."""
    return max(1, -(-(max(count - 1, 1)).bit_length() // 6))


def varint(number: int) -> str:
    """As many letters as it takes: five bits each, the lowest first, 32 added to all but the last.

    >>> varint(5), varint(33)
    ('5', 'X1')
    """
    letters = ""
    while number >= 32:
        letters += ALPHABET[32 + number % 32]
        number //= 32
    return letters + ALPHABET[number]


def sorted_words(words: Sequence[str]) -> list[str]:
    """Sorted words, each as the number of letters that it shares with the one before, and the rest.

    >>> sorted_words(["forget", "forgetting", "form"])
    ['0forget', '6ting', '3m']
    """
    packed = []
    before = ""
    for word in words:
        shared = 0
        while shared < min(len(before), len(word), 63) and before[shared] == word[shared]:
            shared += 1
        packed.append(ALPHABET[shared] + word[shared:])
        before = word
    return packed
