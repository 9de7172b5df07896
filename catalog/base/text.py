"""Text folded for comparison: what people type, what papers print and what addresses hold, made equal."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

_APART = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_NO_WORD = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile("['’‘ʼ`´]")
# Of plain ASCII the same at once: most texts are, and every word of the catalog goes through here.
_ASCII = [chr(code) for code in range(128)]
_ASCII_WORDS = str.maketrans(
    {sign: sign.lower() if sign.isalnum() else None if _APOSTROPHES.match(sign) else " " for sign in _ASCII}
)
_ASCII_TITLE = str.maketrans({sign: sign.lower() if sign.isalnum() else None for sign in _ASCII})


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """Lower case without accents; apostrophes dropped, so that ``Who’s``, ``who's`` and ``whos`` are one word.

    >>> fold("Müller’s Naïve Approach")
    'mullers naive approach'
    """
    if text.isascii():
        return _APOSTROPHES.sub("", text).lower()
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)).casefold().translate(_APART)
    # Folding case may compose anew (the Turkish dotted I), so marks are dropped after it.
    return "".join(letter for letter in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(letter))


def words(text: str) -> list[str]:
    """The folded words of a text: letters and digits, everything else separates."""
    return text.translate(_ASCII_WORDS).split() if text.isascii() else _WORD.findall(fold(text))


def same_title(title: str) -> str:
    """A key that two spellings of one title share: accents, case, punctuation and spacing do not count."""
    return title.translate(_ASCII_TITLE) if title.isascii() else _NO_WORD.sub("", fold(title))


def slug(text: str) -> str:
    """An address for a name, as in ``in-context-unlearning``; ASCII letters and digits only."""
    return "-".join(re.findall(r"[a-z0-9]+", fold(text)))


def nearest(
    word: str, known: Iterable[str], aliases: Mapping[str, str] | None = None, cutoff: float = 0.7
) -> str | None:
    """The known word that ``word`` was probably meant to be, also through ``aliases`` (folded on the fly), or None.

    Args:
        word: what was written.
        known: the words that would have been right.
        aliases: other names of known words, ``{other name: known word}``.
        cutoff: how alike they must be, from 0 to 1.
    """
    names = {" ".join(words(name)): target for name, target in (aliases or {}).items()}
    names |= {" ".join(words(term)): term for term in known}
    matches = difflib.get_close_matches(" ".join(words(word)), names, n=1, cutoff=cutoff)
    return names[matches[0]] if matches else None


def as_typed(name: str) -> str:
    """A name in the one form in which ids, short names and what people type are compared."""
    return name.casefold().replace("_", "-").replace(" ", "-")


def did_you_mean(word: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """``"Did you mean 'x'?"``, or ``""`` where nothing is near."""
    guess = nearest(word, known, aliases)
    return f"Did you mean {guess!r}?" if guess else ""


def printable(text: str) -> str:
    """One line that any terminal can print: control characters and undecodable bytes are shown as escapes."""
    if text.isprintable():
        return text
    safe = text.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in safe)


def fitting(lines: Iterable[str], limit: int = 60_000) -> str:
    """As many whole lines as the code host takes in one text (65,536 characters), and a word where some are missing."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > limit:
            return "\n".join([*kept, "", "... and more: the command shows all of it."])
        kept.append(line)
    return "\n".join(kept)


def inert(text: str) -> str:
    """Text that Markdown on a code host takes as it is, and that mentions nobody."""
    for sign in "\\`*_[]<>#|@":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends with a sign already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def shorten(text: str, limit: int = 60) -> str:
    """The text in one printable line of at most ``limit`` characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def to_json(value: Any) -> str:
    """The one way in which this project writes JSON for others: two spaces, Unicode as it is, a final newline."""
    from pydantic_core import PydanticSerializationError
    from pydantic_core import to_json as written  # the standard library's is ten times slower where it indents

    try:
        return written(value, indent=2, inf_nan_mode="constants").decode() + "\n"
    except PydanticSerializationError:  # half a letter, as in the name of a file that is no UTF-8
        return json.dumps(value, indent=2) + "\n"
