"""What people paste to find a paper: ids and addresses in any form, alone or among words, and who has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.model.registries import LONGEST, PAPER_ID, REGISTRIES, bare, behind_doi, identify, unescaped

if TYPE_CHECKING:  # what only reads queries needs no records
    from catalog.model.catalog import Catalog
    from catalog.model.paper import Paper

LINK, RECORD = "link", "record"
"""What papers have besides registries' ids: addresses of their own, and a record."""
LINK_FORM = (
    r"https?://(?:www\.)?([^\s#]+?)(?:\.git)?(?:/(?:tree|blob|issues|pulls)(?:/[^\s?#]*)?)?/?"
    r"(?:\?(?:utm_|tab=|ref=)[^\s#]*)?(?:#\S*)?"
)
"""An address; its group is what two addresses of one page share."""
LOOSE = (
    (RECORD, f"({PAPER_ID.removeprefix('^').removesuffix('$')})"),
    ("openreview", r"(?=.{8,40}$)([A-Za-z0-9_-]+[A-Z0-9_-][A-Za-z0-9_-]*)"),
)
"""Ids that may be any word: they count only where they are the whole query and a paper has them."""
LOOSE_ADDRESS = r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?:/\S*)?"
"""The same of addresses without ``https://``."""
PREFIXED = r"\b(arxiv|doi|acl|openreview): +"
"""The name of a registry before an id, apart from it."""
SEVERAL = r"[,;|]"
"""Between ids, also without a space."""
INSIDE_ADDRESS = (
    r"https?://\S*?[?&](?:q|u|url|to|target|link|redirect)=(https?(?::|%3A)(?:/|%2F){2}[^\s&]*)\S*",
    r"https?://(?:web\.archive\.org/web/[^\s/]*|r\.jina\.ai)/(https?://\S*)",
)
"""Addresses that lead on to the one in their group: what mail, documents and archives make of links."""
ENCODED = r"https?%3A\S*"
"""An address as it stands in another one."""
ENTRY = r"@[a-z]+\s?\{\s?[^\s,{}]+,"
"""How an entry of BibTeX begins."""
FIELD = r"\b(title|eprint|doi|url|journal|howpublished|note)\s?=\s?(?:\{((?:[^{}]|\{[^{}]*\})*)\}|\"([^\"]*)\")"
"""What of an entry may name its paper: the group of a field's name, and two for its value. No parser, for the site's
scripts read by it, too; who adds papers gets one (``catalog.intake.sources.bibtex``)."""

_ANY_CASE = re.IGNORECASE | re.ASCII


@dataclass(frozen=True)
class Named:
    """A paper by what it is known by."""

    key: str
    """Of a registry, ``link`` or ``record``."""
    id: str

    @property
    def handle(self) -> str:
        """By which papers are looked up: ``arxiv:2404.05868``; equal for two spellings of one id."""
        registry = REGISTRIES.get(self.key)
        return f"{self.key}:{registry.comparable(self.id) if registry else self.id.lower()}"

    @property
    def noun(self) -> str:
        """What such an id is called."""
        return REGISTRIES[self.key].noun if self.key in REGISTRIES else "address"

    @property
    def reference(self) -> str:
        """As ``catalog add`` and the form for a new paper take it."""
        return f"{self.key}:{self.id}" if self.key == "openreview" else self.id


@dataclass(frozen=True)
class Pasted:
    """A query, read."""

    named: tuple[tuple[Named, ...], ...] = ()
    """For each part that has the form of an id or an address what it may name, the likeliest first."""
    loose: tuple[Named, ...] = ()
    """What the whole query names, if a paper has that."""
    rest: str = ""
    """The other words."""


def read_pasted(text: str) -> Pasted:
    """The ids and addresses in a query, and its other words.

    >>> read_pasted("Zhang et al., arXiv:2404.05868v2.").named
    ((Named(key='arxiv', id='2404.05868'),),)
    """
    text = bare(text)
    if re.match(ENTRY, text, _ANY_CASE):
        return _cited(text)
    text = _led_on(re.sub(PREFIXED, r"\1:", text, flags=_ANY_CASE))
    if whole := _names(text):
        return Pasted((whole,))
    named, rest = [], []
    for part in re.sub(r"(\S)(https?://)", r"\1 \2", text).split():
        pieces = [part] if _names(part) else re.split(SEVERAL, part)
        named += [names for piece in pieces if (names := _names(piece))]
        rest += [piece for piece in pieces if piece and not _names(piece)]
    word = text if len(rest) == 1 and not named else ""
    read = ((key, re.fullmatch(form, word, re.ASCII)) for key, form in LOOSE)
    loose = [Named(key, match[1]) for key, match in read if match]
    if re.fullmatch(LOOSE_ADDRESS, word):
        loose += _names(f"https://{word}")
    return Pasted(tuple(named), tuple(loose), " ".join(rest))


def _led_on(text: str) -> str:
    """A text with the addresses to which others in it lead in their place."""
    for form in INSIDE_ADDRESS:
        text = re.sub(form, r"\1", text, flags=_ANY_CASE)
    return re.sub(ENCODED, lambda found: unescaped(found[0]), text, flags=_ANY_CASE)


def _cited(text: str) -> Pasted:
    """What entries of BibTeX name: the ids and addresses of each, and the first one's title."""
    named, titles = [], []
    for entry in re.split(f"(?={ENTRY})", text, flags=_ANY_CASE):
        fields = [(name.lower(), f"{braced}{quoted}") for name, braced, quoted in re.findall(FIELD, entry, _ANY_CASE)]
        titles += [value for name, value in fields if name == "title"]
        ids = [part for name, value in fields if name != "title" for part in read_pasted(value).named]
        if ids:
            named.append(tuple(one for part in ids for one in part))
    return Pasted(tuple(named), rest=" ".join(re.sub("[{}]", "", titles[0]).split()) if titles else "")


def _names(text: str) -> tuple[Named, ...]:
    """What a text without other words names, the likeliest first."""
    registered = identify(text)
    named = [Named(*registered)] if registered else []
    address = bare(text)
    if len(address) <= LONGEST and (match := re.fullmatch(LINK_FORM, address, _ANY_CASE)):
        named.append(Named(LINK, match[1]))
    return tuple(named)


def handles_of(paper: Paper) -> Iterable[str]:
    """Everything by which a paper is looked up."""
    yield Named(RECORD, paper.id).handle
    for key, ident in paper.links.ids.items():
        yield Named(*(behind_doi(ident) if key == "doi" else (key, ident))).handle
    for address in (paper.links.url, paper.links.project, paper.links.code, paper.links.data):
        yield from (named.handle for named in _names(address or ""))


def by_handle(catalog: Catalog) -> Mapping[str, tuple[Paper, ...]]:
    """The papers by their handles, in the catalog's order; a record that has moved is found by its old id, too."""
    holders: dict[str, list[Paper]] = {}
    for paper in catalog.papers:
        for handle in dict.fromkeys(handles_of(paper)):
            holders.setdefault(handle, []).append(paper)
    for old, new in catalog.redirects.moved.items():
        if new in catalog.by_id:
            holders.setdefault(Named(RECORD, old).handle, [catalog.by_id[new]])
    return {handle: tuple(papers) for handle, papers in holders.items()}
