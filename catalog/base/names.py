"""Names in parts: one splitter for citations, ids and the index of authors."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARTICLES = frozenset(
    "van von der den de del della di da dos das du la le el ter ten bin ben af zu zur al ibn".split()
)
_CAPITAL_PARTICLES = frozenset("Al Da Das De Del Della Den Der Di Do Dos Du El La Le Van Von".split())
"""Before a family name, and a part of it where they are written with a capital: ``De Sa``, ``El Mhamdi``."""
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV|VI{0,3}")
_GROUP = re.compile(
    r"\b(?:Teams?|Groups?|Consortium|Collaboration|Initiative|Institute|Labs?|Laboratory|Project|Foundation|Community|Authors"
    r"|Committee|Council|Network|Society|Association|University|Center|Centre|Contributors|and|Inc|AI)\b|[&@]"
)
_SCRIPT = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Kana, Chinese characters, Hangul: family names come first there."""


@dataclass(frozen=True)
class PersonName:
    """A name in parts; a group, or a person with one name, has only ``family``."""

    given: str
    particle: str
    """Of the family name, in small letters: ``van der``; it does not count in an index."""
    family: str
    suffix: str = ""
    """``Jr.``, ``III``."""


def name_parts(name: str) -> PersonName:
    """A name as it is printed, in parts.

    >>> name_parts("Laurens van der Maaten")
    PersonName(given='Laurens', particle='van der', family='Maaten', suffix='')
    >>> name_parts("Ada L. Stone Jr.")
    PersonName(given='Ada L.', particle='', family='Stone', suffix='Jr.')
    """
    if _GROUP.search(name):
        return PersonName("", "", name)
    name, suffix = _without_suffix(name)
    if name.count(",") == 1:  # "Doe, Jane": the wrong way round, but clear
        family, given = (part.strip() for part in name.split(","))
        return PersonName(given, "", family, suffix) if given and family else PersonName("", "", name, suffix)
    words = name.split()
    if len(words) < 2 or "," in name:
        return PersonName("", "", name, suffix)
    if all(_SCRIPT.fullmatch(word) for word in words):
        return PersonName(" ".join(words[1:]), "", words[0], suffix)
    family_at = len(words) - 1
    while family_at > 1 and words[family_at - 1] in _CAPITAL_PARTICLES:
        family_at -= 1
    start = family_at
    while start > 1 and words[start - 1] in _PARTICLES:
        start -= 1
    return PersonName(" ".join(words[:start]), " ".join(words[start:family_at]), " ".join(words[family_at:]), suffix)


def _without_suffix(name: str) -> tuple[str, str]:
    """A name without the word that tells father from son, and that word."""
    words = name.split()
    if len(words) > 2 and _SUFFIX.fullmatch(words[-1]):
        return " ".join(words[:-1]).rstrip(","), words[-1]
    return name, ""
