"""The people of BibTeX's ``author`` field, in reading order."""

from __future__ import annotations

import re

from catalog.base.names import names_in
from catalog.intake.sources.cleaning import plain
from catalog.intake.sources.latex import from_latex

_ACCENT = re.compile(
    r"\\(?:[\'\"`^~=.]\s*|[uvHtcdbkr](?:\s+|(?=\{)))(?:\{\s*\\?[^\W\d_]{1,2}\s*\}|\\[ij](?![A-Za-z])|[^\W\d_])"
    r"|\\textcommabelow\{[^\W\d_]\}"
    r"|\\(?:ss|ae|AE|oe|OE|aa|AA|dh|DH|th|TH|dj|DJ|ng|NG|[oOlLij])(?![A-Za-z])(?:\{\}|\s+(?=[^\W\d_]))?"
)
"""Accented and foreign letters as LaTeX writes them, with or without braces."""
_OTHERS = frozenset(("others", "et al", "et al."))


def people(text: str) -> tuple[tuple[str, ...], bool]:
    r"""Names in reading order from BibTeX's list of authors, and whether it ends with "and others".

    >>> people(r"Mu\~{n}oz, Jos\'{e} and {The Garden Team} and others")
    (('José Muñoz', 'The Garden Team'), True)
    """
    from bibtexparser.middlewares.names import split_multiple_persons_names

    # Letters first: the splitter of names takes ``~`` for a space, and eats the macro after "and".
    text = " ".join(_ACCENT.sub(lambda match: from_latex(match[0]), text).split())
    names: list[str] = []
    incomplete = False
    for person in split_multiple_persons_names(text):
        # Braces make one name of all that is in them.
        for written in (person.rstrip(", "),) if "{" in person else names_in(person, inverted=True):
            if written.strip("{} ").lower() in _OTHERS:
                incomplete = True
            elif 2 <= len(name := _in_reading_order(written)) <= 120:
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
