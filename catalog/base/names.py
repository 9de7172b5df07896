"""Names in parts, and lists of names: one splitter for citations, ids, the index of authors and what people type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_PARTICLES = frozenset(
    "van von der den de del della dello dei degli di da dal dalla dalle do dos das du la le el ter ten te op in aan uit"
    " 't ’t 's ’s bin ben bint abu af av zu zum zur vom am auf und al ibn".split()
)
_CAPITAL_PARTICLES = frozenset(
    "Al Da Dal Das De Del Della Den Der Di Do Dos Du El La Le Mac Ní Ó Op Ter Van Von".split()
)
"""Before a family name, and a part of it where they are written with a capital: ``De Sa``, ``El Mhamdi``."""
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV|VI{0,3}")
_BETWEEN_COMMAS = re.compile(r"(?:jr|sr)\.?|I{2,3}|IV|VI{1,3}|\d(?:st|nd|rd|th)", re.IGNORECASE)
"""A suffix by itself; a lone V is somebody's initial there."""
_INITIALS = re.compile(r"(?:[^\W\d_]\.[ -]?)+|(?:[^\W\d_](?: |$))+")
_AND = re.compile(r"(?:\s*,)?\s+(?:and|&)\s+")
_BULLET = re.compile(r"(?:[-*•]|\d{1,3}[.)])\s+")
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

    @property
    def alone(self) -> str:
        """How a group, or a person with one name, is called."""
        return f"{self.family}, {self.suffix}" if self.suffix else self.family


@lru_cache(maxsize=1 << 16)
def name_parts(name: str) -> PersonName:
    """A name as it is printed, in parts.

    >>> name_parts("Laurens van der Maaten")
    PersonName(given='Laurens', particle='van der', family='Maaten', suffix='')
    >>> name_parts("Ada L. Stone Jr.")
    PersonName(given='Ada L.', particle='', family='Stone', suffix='Jr.')
    """
    if is_group(name):
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


def is_group(name: str) -> bool:
    """Whether a name is that of a team, an institute or the like."""
    return _GROUP.search(name) is not None


def in_reading_order(name: str) -> str:
    """A name as papers print it.

    >>> in_reading_order("van der Ávila, Tomé"), in_reading_order("Smith, Jr., Robert")
    ('Tomé van der Ávila', 'Robert Smith Jr.')
    """
    name = " ".join(name.split())
    if "," not in name:
        return name
    parts = name_parts(name)
    return " ".join(part for part in (parts.given, parts.particle, parts.family, parts.suffix) if part)


def names_in(text: str, *, inverted: bool = False) -> tuple[str, ...]:
    """The names of a list of authors, each as it is written there, however the list is written.

    They stand on lines of their own, or between semicolons, commas or "and". What cannot be told apart stays together,
    with its commas.

    Args:
        text: the list.
        inverted: whether a single comma stands between family and given name for sure, as in BibTeX.

    >>> names_in("Lindqvist, Åsa; van der Ávila, Tomé")
    ('Lindqvist, Åsa', 'van der Ávila, Tomé')
    >>> names_in("Jane Doe, Robert Smith, Jr., and Ann Roe")
    ('Jane Doe', 'Robert Smith, Jr.', 'Ann Roe')
    """
    lines = [_BULLET.sub("", " ".join(line.split()), count=1) for line in text.splitlines() if line.strip()]
    wrapped = any(line.endswith((",", ";", " and", " &")) for line in lines[:-1])
    if wrapped or any(line.startswith(("and ", "& ")) for line in lines[1:]):
        lines = [" ".join(lines)]
    return tuple(name for line in lines for name in _listed(line, inverted))


def _listed(text: str, inverted: bool) -> Iterator[str]:
    if ";" in text:
        for part in text.split(";"):
            yield from _listed(re.sub(r"^\s*(?:and|&)\s", "", part), inverted=True)
        return
    pieces = _by_and(text.strip())
    # "Doe, Jane and Roe, Ann"
    inverted = inverted or (len(pieces) > 1 and all(piece.count(",") == 1 for piece in pieces))
    for piece in pieces:
        yield from _by_commas(piece, inverted)


def _by_and(text: str) -> list[str]:
    pieces, end = [""], 0
    for separator in _AND.finditer(text):
        pieces[-1] += text[end : separator.start()]
        # "Institute for Art and Science" is one.
        is_name = is_group(pieces[-1]) and " " not in _AND.split(text[separator.end() :])[0].partition(",")[0]
        if is_name:
            pieces[-1] += separator[0]
        else:
            pieces.append("")
        end = separator.end()
    pieces[-1] += text[end:]
    return pieces


def _by_commas(text: str, inverted: bool) -> Iterator[str]:
    pieces = [part.strip() for part in text.split(",")]
    parts: list[str] = []
    for part in filter(None, pieces):
        if parts and _BETWEEN_COMMAS.fullmatch(part):
            parts[-1] += f", {part}"
        else:
            parts.append(part)
    families, firsts = parts[::2], parts[1::2]
    in_pairs = len(parts) > 2 and len(families) == len(firsts)
    if in_pairs and (all(map(_INITIALS.fullmatch, firsts)) or all(map(_is_family, families))):
        yield from (f"{family}, {first}" for family, first in zip(families, firsts, strict=True))
    elif all(map(_is_whole, parts)) and (len(parts) > 2 or pieces[-1] == "" or not inverted):
        yield from parts
    elif parts:
        yield ", ".join(parts)


def _is_whole(name: str) -> bool:
    """Whether a part is given and family name: two words, the first no particle."""
    words = name.partition(",")[0].split()
    return len(words) > 1 and words[0] not in _PARTICLES and not _INITIALS.fullmatch(name)


def _is_family(name: str) -> bool:
    words = name.partition(",")[0].split()
    return len(words) == 1 or words[0] in _PARTICLES


def _without_suffix(name: str) -> tuple[str, str]:
    """A name without the word that tells father from son, and that word."""
    parts = [part.strip() for part in name.split(",")]
    alone = next((part for part in parts[1:] if _BETWEEN_COMMAS.fullmatch(part)), "")
    if alone:
        return ", ".join(part for part in parts if part != alone), alone
    words = name.split()
    # A lone V behind one word is an initial.
    if len(words) > (2 if words[-1] == "V" else 1) and _SUFFIX.fullmatch(words[-1]):
        return " ".join(words[:-1]).rstrip(","), words[-1]
    return name, ""
