"""Registries that give papers ids: how an id is written, where it leads, and which id a text names.

An id stands in a record under the registry's key (``links.arxiv``), never as an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from catalog.parsing.validation import Form

Key = Literal["arxiv", "acl", "openreview", "doi"]


@dataclass(frozen=True, kw_only=True)
class Registry(Form):
    """One registry. Patterns are regular expressions for a whole id, without ``^`` and ``$``."""

    key: Key
    """Of ``links``."""
    name: str
    """As links are called: ``ACL Anthology``."""
    noun: str
    """What its ids are called: ``ACL Anthology id``."""
    pattern: str
    """What a record may hold."""
    within: str
    """An id in the midst of other text, where ``pattern`` might be any word."""
    longest: int | None = None
    page: str
    """The address of a paper, with ``{}`` for its id."""
    pdf: str = ""
    """The address of its text as PDF, where the registry has that."""
    alone: str
    """Begins addresses that say no more than an id, without ``https://www.``."""
    doi_prefix: str = ""
    """Begins the DOIs that the registry makes of its ids."""
    tells_case: bool = False
    """Whether two ids may differ in nothing but upper and lower case."""
    one_each: bool = True
    """Whether a paper has one id there at most."""

    @property
    def site(self) -> str:
        """The address of the registry itself: ``https://arxiv.org``."""
        return "/".join(self.page.split("/")[:3])

    def address(self, ident: str) -> str:
        """The address of a paper."""
        return self.page.format(ident)

    def comparable(self, ident: str) -> str:
        """An id in the form in which two can be compared."""
        return ident if self.tells_case else ident.casefold()

    def gave(self, doi: str) -> bool:
        """Whether a DOI is made of one of the registry's ids."""
        return bool(self.doi_prefix) and doi.casefold().startswith(self.doi_prefix.casefold())

    def inside(self, text: str) -> str | None:
        """The id that a text holds that is none itself, such as an address."""
        named = identify(text)
        if named and named[0] == self.key:
            return named[1]
        found = re.search(self.within, text)
        return found[0] if found else None


_ARXIV_ID = r"(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})"
_ACL_ID = r"(?:\d{4}\.[a-z0-9_]+(?:-[a-z0-9_]+)*\.\d+|[A-Z]\d{2}-\d{4})"
_DOI_ID = r"10\.\d{4,9}/[^\s\"<>{}\\^`|]+"
_OPENREVIEW_ID = r"[A-Za-z0-9_\-]+"

ARXIV = Registry(
    key="arxiv",
    name="arXiv",
    noun="arXiv id",
    code="bad-arxiv",
    what="an arXiv id without version",
    example="2404.05868",
    pattern=_ARXIV_ID,
    within=_ARXIV_ID,
    page="https://arxiv.org/abs/{}",
    pdf="https://arxiv.org/pdf/{}",
    alone=r"arxiv\.org/(?:abs|pdf|html)/",
    doi_prefix="10.48550/arXiv.",
)
ACL = Registry(
    key="acl",
    name="ACL Anthology",
    noun="ACL Anthology id",
    code="bad-acl",
    what="an ACL Anthology id",
    example="2023.acl-long.740",
    pattern=r"[A-Za-z0-9][A-Za-z0-9.\-]+",
    within=_ACL_ID,
    longest=60,
    page="https://aclanthology.org/{}/",
    pdf="https://aclanthology.org/{}.pdf",
    alone=r"aclanthology\.org/[\w.-]",
    doi_prefix="10.18653/v1/",
)
OPENREVIEW = Registry(
    key="openreview",
    name="OpenReview",
    noun="OpenReview id",
    code="bad-openreview",
    what="an OpenReview forum id",
    example="MXLBXjQkmb",
    pattern=_OPENREVIEW_ID,
    within=rf"(?<=[?&]id=){_OPENREVIEW_ID}",
    longest=40,
    page="https://openreview.net/forum?id={}",
    pdf="https://openreview.net/pdf?id={}",
    alone=r"openreview\.net/(?:forum|pdf)\?",
    tells_case=True,
    one_each=False,  # each submission has its own
)
DOI = Registry(
    key="doi",
    name="DOI",
    noun="DOI",
    code="bad-doi",
    what="a DOI without its resolver",
    example="10.1038/s42256-025-00985-0",
    pattern=_DOI_ID,
    within=_DOI_ID,
    longest=120,
    page="https://doi.org/{}",
    alone=r"(?:dx\.)?doi\.org/10\.",
)

REGISTRIES: Mapping[str, Registry] = {one.key: one for one in (ARXIV, ACL, OPENREVIEW, DOI)}
"""By their keys, in the order of records; the paper's text is looked for in this order, too."""

_ARXIV_HOSTS = ("arxiv.org", "export.arxiv.org", "alphaxiv.org", "huggingface.co", "ar5iv.org")
"""Those that show arXiv's papers under its ids."""


def identify(text: str) -> tuple[Key, str] | None:
    """The registry and the id of the paper that a text names: an id as people write it, or an address.

    >>> identify("https://arxiv.org/pdf/2404.05868v2.pdf")
    ('arxiv', '2404.05868')
    >>> identify("doi:10.18653/v1/2023.acl-long.740")
    ('acl', '2023.acl-long.740')
    """
    if found := re.fullmatch(rf"(?:arxiv:\s*)?(?P<id>{_ARXIV_ID})(?:v\d+)?(?:\s*\[[\w.-]+\])?", text, re.IGNORECASE):
        return "arxiv", found["id"]
    if found := re.fullmatch(rf"(?:acl:)?({_ACL_ID})", text):
        return "acl", found[1]
    if found := re.fullmatch(rf"openreview:({_OPENREVIEW_ID})", text):
        return "openreview", found[1]
    if found := re.fullmatch(rf"(?:doi:\s*)?({_DOI_ID})", text, re.IGNORECASE):
        return behind_doi(found[1])
    return _at_address(text)


def behind_doi(doi: str) -> tuple[Key, str]:
    """The registry that says most about a DOI, and the id there: arXiv and the Anthology give DOIs, too."""
    for registry, form in ((ARXIV, rf"(?P<id>{_ARXIV_ID})(?:v\d+)?"), (ACL, rf"(?P<id>{_ACL_ID})")):
        if found := re.fullmatch(re.escape(registry.doi_prefix) + form, doi, re.IGNORECASE):
            return registry.key, found["id"]
    return "doi", doi


def held_alone(address: str) -> Registry | None:
    """The registry whose id is all that an address says, so that a record should hold the id."""
    bare = re.sub(r"^https?://(?:www\.)?", "", address)
    return next((one for one in REGISTRIES.values() if re.match(one.alone, bare)), None)


def leads_to_paper(address: str) -> bool:
    """Whether an address is at a registry, so that what is there is a paper."""
    return address.startswith(tuple(f"{one.site}/" for one in REGISTRIES.values()))


def _at_address(text: str) -> tuple[Key, str] | None:
    if re.search(r"\s", text):
        # Parsers of addresses pass over line breaks, and would take two addresses for one.
        return None
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, path = (parts.hostname or "").removeprefix("www."), unquote(parts.path)
    except ValueError:
        return None
    if host.removesuffix(".") in _ARXIV_HOSTS:
        kinds = "abs|pdf|html|papers|overview|src|format"
        found = re.fullmatch(rf"(?:/[\w-]+)*/(?:{kinds})/(?P<id>{_ARXIV_ID})(?:v\d+)?(?:\.pdf)?/?", path)
        return ("arxiv", found["id"]) if found else None
    if host == "aclanthology.org":
        found = re.match(rf"/({_ACL_ID})(?:\.pdf|\.bib)?/?$", path)
        return ("acl", found[1]) if found else None
    if host == "openreview.net":
        ids = parse_qs(parts.query).get("id", [])
        return ("openreview", ids[0]) if ids and re.fullmatch(_OPENREVIEW_ID, ids[0]) else None
    # Publishers put the DOI into their addresses: dl.acm.org/doi/abs/10.1145/..., link.springer.com/article/10.1007/...
    if found := re.search(rf"/({_DOI_ID})$", path):
        return behind_doi(re.sub(r"(?:\.pdf|/(?:full|pdf|abstract|html))$", "", found[1]))
    return None
