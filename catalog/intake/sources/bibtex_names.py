"""The people of BibTeX's ``author`` field, in reading order."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.intake.sources.cleaning import plain
from catalog.intake.sources.latex import from_latex

_ACCENT = re.compile(
    r"\\(?:[\'\"`^~=.]\s*|[uvHtcdbkr](?:\s+|(?=\{)))(?:\{\s*\\?[^\W\d_]{1,2}\s*\}|\\[ij](?![A-Za-z])|[^\W\d_])"
    r"|\\textcommabelow\{[^\W\d_]\}"
    r"|\\(?:ss|ae|AE|oe|OE|aa|AA|dh|DH|th|TH|dj|DJ|ng|NG|[oOlLij])(?![A-Za-z])(?:\{\}|\s+(?=[^\W\d_]))?"
)
"""Accented and foreign letters as LaTeX writes them, with or without braces."""
_OTHERS = frozenset(("others", "et al", "et al."))
_INITIALS = re.compile(r"(?:[^\W\d_]\.[ -]?)+")


def people(text: str) -> tuple[tuple[str, ...], bool]:
    r"""Names in reading order from BibTeX's list of authors, and whether it ends with "and others".

    >>> people(r"Mu\~{n}oz, Jos\'{e} and {The Garden Team} and others")
    (('José Muñoz', 'The Garden Team'), True)
    """
    from bibtexparser.middlewares.names import split_multiple_persons_names

    # Letters first: the splitter of names takes ``~`` for a space, and eats the macro after "and".
    text = " ".join(_ACCENT.sub(lambda found: from_latex(found[0]), text).split())
    names: list[str] = []
    incomplete = False
    for person in split_multiple_persons_names(text):
        for one in _listed(person):
            if one.strip("{} ").lower() in _OTHERS:
                incomplete = True
            elif 2 <= len(name := _in_reading_order(one)) <= 120:
                names.append(name)
    return tuple(names), incomplete


def _in_reading_order(person: str) -> str:
    from bibtexparser.middlewares.names import InvalidNameError, parse_single_name_into_parts

    try:
        parts = parse_single_name_into_parts(person)
        ordered = [*parts.first, *parts.von, *parts.last, *parts.jr]
    except InvalidNameError:
        ordered = [person]
    # A group in braces is one word to BibTeX, and its braces are no part of it.
    return plain(" ".join(ordered))


def _listed(person: str) -> Iterator[str]:
    """One person, or several where somebody listed them with semicolons or commas: "Jane Doe, Ann Roe, and ..."."""
    if ";" in person and "{" not in person:
        yield from (part.strip() for part in person.split(";") if part.strip())
        return
    parts = [part.strip() for part in person.split(",")]
    whole = [part for part in parts if part]
    if len(whole) > 2 and len(whole) % 2 == 0 and all(_INITIALS.fullmatch(part) for part in whole[1::2]):
        yield from (f"{family}, {given}" for family, given in zip(whole[::2], whole[1::2], strict=True))
        return
    several = len(whole) > 2 or (len(parts) > len(whole) and len(whole) > 1)
    if "{" not in person and several and all(" " in part for part in whole):
        yield from whole
    else:
        yield person.rstrip(", ")
