"""BibTeX: from the ACL Anthology, from DOI registries, and from people."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog.base.text import shorten
from catalog.base.web import WebError
from catalog.intake.sources.bibtex_names import people
from catalog.intake.sources.cleaning import artefacts, plain
from catalog.intake.sources.found import Found
from catalog.intake.sources.reference import Reference, References, parse_reference, references
from catalog.intake.sources.venues import Venue, recognize
from catalog.model.registries import ARXIV, DOI

if TYPE_CHECKING:
    from bibtexparser.library import Library

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MAX_BYTES = 2 * 1024 * 1024
"""Of what a source answers."""
OWN_BYTES = 8 * 1024 * 1024
"""Of a file of one's own."""
_NAMING = ("eprint", "journal", "journaltitle", "number", "volume", "howpublished", "eid", "note", "pages", "annote")
"""Fields in which programs and people name a preprint."""
_ARXIV = re.compile(
    r"arxiv(?:\.org/(?:abs|pdf)/|[\s:./]*(?:preprint)?[\s:./]*(?:arxiv)?[\s:./]*(?:abs/)?)"
    rf"(?P<id>{ARXIV.pattern})|^abs/(?P<bare>{ARXIV.pattern})",
    re.IGNORECASE,
)


def parse(text: str, where: str = "BibTeX") -> list[Found]:
    """The papers of a text in BibTeX.

    Args:
        text: one entry or many.
        where: how errors name the text.

    Raises:
        WebError: it holds no entry, or one that cannot be read or has no title, author or year.
    """
    library = _library(text, where)
    names = {string.key.lower(): _value(string.value, {}) for string in library.strings}
    return [
        _found({field.key.lower(): _value(str(field.value), names) for field in entry.fields}, entry.key, where)
        for entry in library.entries
    ]


class Cited(NamedTuple):
    """What an entry of somebody's own list says about which paper it cites, however little that is."""

    title: str
    authors: tuple[str, ...]
    links: Mapping[str, str]


def cited(text: str, where: str = "BibTeX") -> list[Cited]:
    """Which paper each entry of somebody's own list cites, in order.

    Raises:
        WebError: it holds no entry, or one that is broken.
    """
    library = _library(text, where, limit=OWN_BYTES)
    names = {string.key.lower(): _value(string.value, {}) for string in library.strings}
    citations: list[Cited] = []
    for entry in library.entries:
        # Abstracts are long, and tell papers apart no better than titles do.
        told = [field for field in entry.fields if field.key.lower() != "abstract"]
        fields = {field.key.lower(): _value(str(field.value), names) for field in told}
        try:
            links = _links(fields)
        except WebError:  # an id that cannot be one names no paper
            links = {}
        citations.append(Cited(plain(fields.get("title", "")), people(fields.get("author", ""))[0], links))
    return citations


def entries(text: str, where: str = "BibTeX") -> list[str]:
    """Each entry of a text by itself, as it stands there; abbreviations (``@string``) go with all of them.

    Raises:
        WebError: it holds no entry, or one that is broken. What an entry says does not matter yet.
    """
    library = read(text, where)
    shared = "".join(f"{string.raw}\n" for string in library.strings)
    return [f"{entry.raw}\n{shared}" if shared else str(entry.raw) for entry in library.entries]


def named_in(text: str, where: str = "BibTeX") -> References:
    """The papers of a text in BibTeX: its entries, and what lines between them name; the rest of these are remarks.

    Raises:
        WebError: it holds no entry, or one that is broken. What an entry says does not matter yet.
    """
    from bibtexparser.model import ImplicitComment

    papers = [Reference("bibtex", entry) for entry in entries(text, where)]
    remarks: list[str] = []
    for block in read(text, where).comments:
        for line in block.comment.splitlines() if isinstance(block, ImplicitComment) else ():
            named = references(line)
            # Prose may mention a paper; a line that is nothing but papers lists them.
            papers += () if named.rest else named.papers
            remarks += [line.strip()] if named.rest and not line.startswith(("%", "```")) else []
    return References(tuple(dict.fromkeys(papers)), " ".join(remarks))


def read(text: str, where: str = "BibTeX") -> Library:
    """The blocks of a text in BibTeX, each with its text as it stands there.

    Raises:
        WebError: it holds no entry, or one that is broken. What an entry says does not matter yet.
    """
    return _library(text, where, limit=OWN_BYTES, parse_stack=[])


def is_bibtex(text: str) -> bool:
    """Whether a text is in BibTeX. Anything may stand between its entries, and before the first."""
    return re.search(r"^[ \t]*@\w+\s*[{(]", text, re.MULTILINE) is not None


def _library(text: str, where: str, limit: int = MAX_BYTES, **how: Any) -> Library:
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import DuplicateBlockKeyBlock, DuplicateFieldKeyBlock

    if len(text) > limit:
        raise WebError("size", where, f"gives more than {limit // 1024:,} KB")
    # The library logs what it also returns.
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)
    library = parse_string(text, **how)
    for wrong in library.failed_blocks[:1]:
        line = (wrong.start_line or 0) + 1
        if isinstance(wrong, DuplicateBlockKeyBlock):
            message = f"gives the key {wrong.key!r} a second time in line {line}"
            raise WebError("content", where, message, "Keep one of the two entries, or rename one.")
        if isinstance(wrong, DuplicateFieldKeyBlock):
            message = f"gives {' and '.join(sorted(wrong.duplicate_keys))} twice in the entry in line {line}"
            raise WebError("content", where, message, "Keep one of the two.")
        raise WebError("content", where, f"is broken BibTeX, near line {line}", "Check braces, quotes and commas.")
    if not library.entries:
        raise WebError("content", where, "holds no BibTeX entry", "An entry starts like @article{key, ...")
    return library


_PART = re.compile(r'\s*(?:"((?:[^"{}]|\{[^{}]*\})*)"|\{((?:[^{}]|\{[^{}]*\})*)\}|([^\s"{}#,]+))\s*(#|$)')
"""A part of a value that is put together with ``#``: in quotes, in braces, or an abbreviation."""


def _value(text: str, names: Mapping[str, str]) -> str:
    """A value with its parts put together, as in ``"Part " # one``; the parser leaves those as they stand."""
    if "#" not in text:
        return text
    parts, at = [], 0
    while part := _PART.match(text, at):
        quoted = part[1] if part[1] is not None else part[2]
        parts.append(quoted if quoted is not None else names.get(part[3].lower(), part[3]))
        at = part.end()
        if not part[4]:
            return "".join(parts) if len(parts) > 1 else text
    return text


def _found(fields: Mapping[str, str], key: str, where: str) -> Found:
    title = plain(fields.get("title", ""))
    authors, incomplete = people(fields.get("author", ""))
    date = _date(fields)
    missing = [name for name, value in (("title", title), ("author", authors), ("year", date)) if not value]
    if missing:
        raise WebError("content", where, f"the entry {shorten(key)!r} has no {' and no '.join(missing)}")
    links = _links(fields)
    text = f"{fields.get('note', '')} {fields.get('abstract', '')}"
    return Found(
        source="acl" if "acl" in links else "arxiv" if "arxiv" in links else "doi" if "doi" in links else "hand",
        title=title,
        authors=authors,
        date=date,
        links={**links, **{key: value for key, value in artefacts(text).items() if key not in links}},
        venue=_venue(fields, int(date[:4])),
        abstract=plain(fields.get("abstract", "")),
        incomplete=incomplete,
    )


def _date(fields: Mapping[str, str]) -> str:
    year = re.search(r"(?:19|20)\d\d", fields.get("date", "") or fields.get("year", ""))
    if not year:
        return ""
    if match := re.match(r"\d{4}-(0[1-9]|1[0-2])", fields.get("date", "")):
        return match[0]
    number = _month(plain(fields.get("month", "")).lower())
    return f"{year[0]}-{number:02}" if number else year[0]


def _month(text: str) -> int | None:
    """The month that a field names, however many days stand beside it: ``jul``, ``21--27 Jul``, ``7``."""
    if text.isdigit():
        return int(text) if 1 <= int(text) <= 12 else None
    match = re.search(rf"(?<![a-z])({'|'.join(_MONTHS)})", text)
    return _MONTHS.index(match[1]) + 1 if match else None


def _links(fields: Mapping[str, str]) -> dict[str, str]:
    """The ids that an entry names in any of the places where people and programs put them."""
    links: dict[str, str] = {}
    eprint = (fields.get("eprint") or fields.get("arxivid", "")).strip()
    is_arxiv = fields.get("archiveprefix", fields.get("eprinttype", "")).lower() in ("arxiv", "")
    bare = is_arxiv and not re.search(r"arxiv", eprint, re.IGNORECASE)
    texts = [f"arxiv:{eprint}" if bare and eprint else "", fields.get("doi", ""), fields.get("url", "")]
    named = [match for key in _NAMING for match in _ARXIV.finditer(fields.get(key, ""))]
    texts += [f"arxiv:{match['id'] or match['bare']}" for match in named]
    for text in texts:
        reference = parse_reference(text.replace("\\_", "_").replace("\\", ""))
        if reference and reference.kind != "bibtex":
            links.setdefault(reference.kind, reference.id)
    doi = re.search(DOI.pattern, fields.get("doi", "").replace("\\_", "_"))
    if doi and not ARXIV.gave(doi[0]):
        links["doi"] = doi[0]
    url = fields.get("url", "").replace("\\_", "_").replace("\\", "").strip()
    if not links and re.match(r"https?://[^\s/]+\.[^\s]+$", url):
        links["url"] = url
    return links


def _venue(fields: Mapping[str, str], year: int) -> Venue | None:
    for key in ("booktitle", "journal", "journaltitle"):
        name = plain(fields.get(key, ""))
        if not name or re.search(r"arxiv|corr\b|preprint|ssrn", name, re.IGNORECASE):
            continue
        # What BibTeX calls a venue it was published at; one that is not known by a short name keeps its own.
        return recognize(name, year) or Venue(re.sub(r"\s*\b20\d\d\b", "", name), year)
    return None
