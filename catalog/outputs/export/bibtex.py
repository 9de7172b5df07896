"""BibTeX: safe for LaTeX, with the capitals that a title needs protected from bibliography styles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from pylatexenc.latexencode import (
    RULE_CALLABLE,
    RULE_DICT,
    UnicodeToLatexConversionRule,
    UnicodeToLatexEncoder,
)

from catalog.base.names import name_parts
from catalog.model.paper import Paper
from catalog.outputs.export.citation import address, citable, doi, publication

_OPENING, _CLOSING = "\ue000", "\ue001"
"""Stand for straight quotes whose side is known; nobody else uses these signs here."""
_BEFORE_OPENING = f"([{{<⟨-–—/=“‘„«{_OPENING}"
_KEPT = (
    r"[ĦħĸĿŀŉŦŧɛʼˆ˙˚˛˜ϒ\u0460-\u052f\u1f00-\u1fff\u2010-\u2012\u2015\u2032-\u2037\u2057℉"
    r"\u2153-\u215e√∛∜≭⌖▭⟿⦓]"
)
"""Signs that stay as they are, historic Cyrillic, accented Greek, hyphens, primes and fractions among them."""
_PLAIN = re.compile(r"[A-Za-z0-9 ,.:;()/=+*-]*")
"""What is in LaTeX as it is here."""
_AND = re.compile(r"(?<!\S)and(?!\S)", re.IGNORECASE)
"""What stands between people to BibTeX, whatever its capitals, unless it is in braces."""
_TYPES = {"article": "article", "conference": "inproceedings", "preprint": "misc", "web": "misc"}


def render(papers: Iterable[Paper]) -> str:
    """A ``.bib`` file of all that may be cited."""
    return "\n".join(entry(paper) for paper in citable(papers))


def entry(paper: Paper) -> str:
    """One entry, with a final newline."""
    kind, given = fields(paper)
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in given)
    return f"@{kind}{{{paper.id},\n{lines}}}\n"


def fields(paper: Paper) -> tuple[str, list[tuple[str, str]]]:
    """The type of a paper's entry, and its fields: names and values in LaTeX, in the order of reading."""
    place = publication(paper)
    pairs: list[tuple[str, str]] = [
        ("title", _title(paper.title)),
        ("author", " and ".join(_author(name) for name in paper.authors)),
    ]
    if place.kind == "article":
        pairs.append(("journal", latex(place.container)))
    elif place.kind == "conference":
        pairs.append(("booktitle", latex(place.container)))
    elif place.kind == "web" and place.container:
        pairs.append(("howpublished", latex(place.container)))
    pairs.append(("year", str(place.year)))
    if identifier := doi(paper):
        pairs.append(("doi", identifier))
    if paper.links.arxiv:
        pairs += [("eprint", paper.links.arxiv), ("archivePrefix", "arXiv")]
    if url := address(paper):
        pairs.append(("url", url))
    return _TYPES[place.kind], pairs


@cache
def latex(text: str) -> str:
    """Plain text as LaTeX, braces balanced in the eyes of BibTeX, which knows no backslash."""
    if _PLAIN.fullmatch(text):
        return text
    encoded = str(_encoder().unicode_to_latex(_sided(text)))
    # Signs that LaTeX would set as others: three quotes in a row, and a mark with a backquote, which is ¿ or ¡.
    encoded = re.sub(rf"(?<=['`])(?=[{_OPENING}{_CLOSING}])|(?<=[{_OPENING}{_CLOSING}])(?=['`])", "{}", encoded)
    return re.sub(r"([?!])`", r"\1{}`", encoded.replace(_OPENING, "``").replace(_CLOSING, "''"))


def _sided(text: str) -> str:
    """The text with each straight double quote as one that opens or closes, by what stands on its sides."""
    signs = list(text)
    depth = 0
    for at, sign in enumerate(text):
        if sign == '"':
            # Quotes between say nothing: "'Forget' it".
            before = "".join(signs[:at]).rstrip("'")[-1:]
            after = text[at + 1 :].lstrip("'\"")[:1]
            could_open = not before or before.isspace() or before in _BEFORE_OPENING
            could_close = not after or after.isspace() or unicodedata.category(after) in ("Pe", "Pf", "Po")
            opens = could_open and (not could_close or not depth)
            depth = depth + 1 if opens else max(0, depth - 1)
            signs[at] = _OPENING if opens else _CLOSING
    return "".join(signs)


def _title(title: str) -> str:
    """The title with words like ``TOFU`` and ``LLMs`` in braces, so that no style lowers their capitals."""
    return " ".join(_word(word) for word in _sided(title).split(" "))


@cache
def _word(word: str) -> str:
    """A capital inside a part of the word is meant: in ``GPT-4`` and ``LoRA``, not in ``In-Context``."""
    if all(part[1:] == part[1:].lower() for part in re.split(r"[-–/]|(?<=\W)", word)):
        return latex(word)
    before, core, after = re.fullmatch(r"(\W*)(.*?)(\W*)", word).groups()  # type: ignore[union-attr]
    return f"{latex(before)}{{{latex(core)}}}{latex(after)}"


@cache
def _author(name: str) -> str:
    parts = name_parts(name)
    if not parts.given:
        return f"{{{latex(parts.alone)}}}"
    suffix = f", {latex(parts.suffix)}" if parts.suffix else ""
    person = f"{latex(f'{parts.particle} {parts.family}'.strip())}{suffix}, {latex(parts.given)}"
    return _AND.sub(r"{\g<0>}", person)


@cache
def _encoder() -> UnicodeToLatexEncoder:
    own = {ord("{"): r"\textbraceleft", ord("}"): r"\textbraceright", ord("Ű"): r"\H{U}", ord("ű"): r"\H{u}"}
    return UnicodeToLatexEncoder(
        non_ascii_only=False,
        conversion_rules=[
            UnicodeToLatexConversionRule(RULE_DICT, own),
            UnicodeToLatexConversionRule(RULE_CALLABLE, _as_it_is),
            "defaults",
        ],
        replacement_latex_protection="braces-almost-all",
        unknown_char_policy="keep",
        unknown_char_warning=False,
    )


def _as_it_is(text: str, at: int) -> tuple[int, str] | None:
    """A sign that stays: the library's macro sets another in its place, or is one of a package that nobody has."""
    sign = text[at]
    marked = "\u0370" <= sign <= "\u045f" and unicodedata.normalize("NFD", sign) != sign  # Greek and Cyrillic
    return (1, sign) if marked or re.fullmatch(_KEPT, sign) else None
