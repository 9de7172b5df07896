"""Text folded for comparison: what people type, what papers print and what addresses hold, made equal."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

_APART = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ß": "ss", "ς": "σ"}
)
_NO_WORD = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile("['’‘ʼ`´]")
# Of plain ASCII the same at once: most texts are, and every word of the catalog goes through here.
_ASCII = [chr(code) for code in range(128)]
_ASCII_WORDS = str.maketrans(
    {sign: sign.lower() if sign.isalnum() else None if _APOSTROPHES.match(sign) else " " for sign in _ASCII}
)
_ASCII_TITLE = str.maketrans({sign: sign.lower() if sign.isalnum() else None for sign in _ASCII})

_BLANKS = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc"
    "\U00016fe4\U0001d159\U000e0100-\U000e01ef"
)
"""Signs that show nothing although their category is that of letters, marks or symbols: fillers and selectors."""
_BLANK = re.compile(f"[{_BLANKS}]")
_JOINED = (
    "\u0620-\u06dc\u06de-\u070e\u0710-\u07ff\u0840-\u088f\u0898-\u08e1\u08e3-\u0dff\u1000-\u109f"
    "\u1780-\u17b3\u17b6-\u17ff"
)
"""Arabic, Indic and other scripts whose spelling needs joiners (Persian, Hindi, Khmer)."""
_VIRAMAS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"
_PICTURES = (
    "\u00a9\u00ae\u203c\u2049\u2100-\u214f\u2190-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff"
)
_IN_PLACE = re.compile(
    f"(?<=[{_JOINED}])[\u200c\u200d](?=[{_JOINED}])|(?<=[{_VIRAMAS}])\u200d"
    "|(?<=[\u1820-\u18aa])[\u180b-\u180f](?![\u180b-\u180f])"
    f"|(?<=[{_PICTURES}])[\ufe0e\ufe0f]|(?<=[#*0-9])\ufe0f(?=\u20e3)|(?<=[{_PICTURES}\ufe0f])\u200d(?=[{_PICTURES}])"
    "|(?<=[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\ufe00-\ufe0d\U000e0100-\U000e01ef]"
)
"""Invisible signs where they are spelling: joiners in scripts that join, selectors behind what they select."""
_KINDS = {"Cc": "control character", "Co": "private character", "Cn": "unassigned character", "Cs": "half a character"}
_LOOK_ALIKE = str.maketrans("авеһіјкӏмнорԛсѕтуүԝхԁαβεικνορτυχɑɡօ", "abehijklmhopqcstyywxdabeiknoptyxago")
"""Small letters of other scripts that look, or whose capitals look, like a letter of ours."""


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """Lower case without accents; apostrophes dropped, so that ``Who’s``, ``who's`` and ``whos`` are one word.

    Marks are dropped by category, vowel signs of Hindi and Thai among them, so that a word stays one. The site's
    scripts fold by the same rule (``words`` in ``query.js``), which has nothing that JavaScript does otherwise.

    >>> fold("Müller’s Naïve Approach")
    'mullers naive approach'
    """
    if text.isascii():
        return _APOSTROPHES.sub("", text).lower()
    plain = _taken_apart(_APOSTROPHES.sub("", text)).lower().translate(_APART)
    return _taken_apart(plain)  # small letters may be put together of others again


def _taken_apart(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    # What is put together may have an apostrophe in it.
    return _APOSTROPHES.sub("", "".join(sign for sign in letters if unicodedata.category(sign)[0] != "M"))


def words(text: str) -> list[str]:
    """The folded words of a text: letters and digits, everything else separates."""
    return text.translate(_ASCII_WORDS).split() if text.isascii() else _WORD.findall(fold(text))


def same_title(title: str) -> str:
    """A key that two spellings of one title share: accents, case, punctuation and spacing do not count."""
    return title.translate(_ASCII_TITLE) if title.isascii() else _NO_WORD.sub("", fold(title))


def title_as_seen(title: str) -> str:
    """A key that two titles share that look the same: a Cyrillic or Greek letter counts as the Latin one like it.

    For telling whether a paper is there already; a search finds words as they are written.
    """
    return same_title(title if title.isascii() else title.lower().translate(_LOOK_ALIKE))


def unfit(text: str) -> str:
    """The first sign that no text may hold, for messages (``the control character U+001B``), or ``""``.

    Refused is by category what nobody sees (controls but line feed and tab, formats), what has no meaning for others
    (private use, unassigned, half a pair) and what shows nothing for another reason (fillers, separators of lines).
    Signs that are spelling stay: joiners between letters of scripts that join, in emoji, and variation selectors
    behind what they vary. Marks of direction are refused everywhere; no language needs them in a text of one line.
    """
    if _all_fit(text):
        return ""
    sign = next(filter(_is_unfit, _IN_PLACE.sub("", text)), "")
    return f"the {_KINDS.get(unicodedata.category(sign), 'invisible character')} U+{ord(sign):04X}" if sign else ""


def fit(text: str) -> str:
    """The text without what :func:`unfit` finds: for text of other programs."""
    while not _all_fit(text) and (rest := _without_unfit(text)) != text:
        text = rest  # what a sign stood beside may have gone
    return text


def _without_unfit(text: str) -> str:
    spelling = {at for match in _IN_PLACE.finditer(text) for at in range(*match.span())}
    return "".join(sign for at, sign in enumerate(text) if at in spelling or not _is_unfit(sign))


def _all_fit(text: str) -> bool:
    # What is printable to Python is of no category that is refused: nearly every text ends here, at once.
    return text.isprintable() and (text.isascii() or not _BLANK.search(text))


def _is_unfit(sign: str) -> bool:
    category = unicodedata.category(sign)
    return (category[0] == "C" and sign not in "\n\t") or category in ("Zl", "Zp") or _BLANK.match(sign) is not None


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
    """Text that Markdown on a code host takes as it is, and that mentions nobody and closes nothing.

    Mentions and numbers of issues are looked for after entities are read, so that a sign without width stands in them.
    """
    return _ACTIVE.sub(lambda sign: f"&#{ord(sign[0])};" + ("&#8203;" if sign[0] in "@#-" else ""), text)


_ACTIVE = re.compile(r"[&\\`*_\[\]<>#|@~$]|(?<=\b[Gg][Hh])-(?=[0-9])")
"""Signs of Markdown, and those that call people and name issues (``GH-12`` is one)."""


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
