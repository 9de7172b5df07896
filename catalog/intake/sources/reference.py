"""What people paste to name a paper: an id, an address, a DOI, or a BibTeX entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

Kind = Literal["arxiv", "acl", "openreview", "doi", "bibtex"]

_ARXIV = r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})"
_ACL = r"(?:\d{4}\.[a-z0-9_]+(?:-[a-z0-9_]+)*\.\d+|[A-Z]\d{2}-\d{4})"
_DOI = r"10\.\d{4,9}/[^\s\"<>{}\\^`|]+"


@dataclass(frozen=True)
class Reference:
    """One paper, by the source that knows it. For BibTeX, ``id`` is the entry itself."""

    kind: Kind
    id: str

    def __str__(self) -> str:
        if self.kind != "bibtex":
            return f"{self.kind}:{self.id}"
        key = re.match(r"@\w+\s*[{(]\s*([^\s,]{1,60})", self.id)
        return f"the BibTeX entry {key[1]}" if key else "a BibTeX entry"


def parse_reference(text: str) -> Reference | None:
    """The paper that a text names, or None.

    >>> parse_reference("https://arxiv.org/pdf/2404.05868v2.pdf")
    Reference(kind='arxiv', id='2404.05868')
    """
    text = text.strip().strip("<>\"'").rstrip(".,;")
    if re.match(r"@\w+\s*[{(]", text):
        return Reference("bibtex", text)
    if found := re.fullmatch(rf"(?:arxiv:\s*)?({_ARXIV})(?:v\d+)?(?:\s*\[[\w.-]+\])?", text, re.IGNORECASE):
        return Reference("arxiv", found[1])
    if found := re.fullmatch(rf"(?:acl:)?({_ACL})", text):
        return Reference("acl", found[1])
    if found := re.fullmatch(r"openreview:([A-Za-z0-9_\-]+)", text):
        return Reference("openreview", found[1])
    if found := re.fullmatch(rf"(?:doi:\s*)?({_DOI})", text, re.IGNORECASE):
        return _from_doi(found[1])
    return _from_address(text)


def _from_address(text: str) -> Reference | None:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, path = (parts.hostname or "").removeprefix("www."), unquote(parts.path)
    except ValueError:
        return None
    if host.removesuffix(".") in ("arxiv.org", "export.arxiv.org", "alphaxiv.org", "huggingface.co", "ar5iv.org"):
        found = re.search(rf"/(?:abs|pdf|html|papers|overview|src|format)/({_ARXIV})(?:v\d+)?(?:\.pdf)?/?$", path)
        return Reference("arxiv", found[1]) if found else None
    if host == "aclanthology.org":
        found = re.match(rf"/({_ACL})(?:\.pdf|\.bib)?/?$", path)
        return Reference("acl", found[1]) if found else None
    if host == "openreview.net":
        ids = parse_qs(parts.query).get("id", [])
        return Reference("openreview", ids[0]) if ids and re.fullmatch(r"[A-Za-z0-9_\-]+", ids[0]) else None
    # Publishers put the DOI into their addresses: dl.acm.org/doi/abs/10.1145/..., link.springer.com/article/10.1007/...
    if found := re.search(rf"/({_DOI})$", path):
        return _from_doi(re.sub(r"(?:\.pdf|/(?:full|pdf|abstract|html))$", "", found[1]))
    return None


def _from_doi(doi: str) -> Reference:
    """The paper behind a DOI, by the source that says more: arXiv and the Anthology also give DOIs."""
    if found := re.fullmatch(rf"10\.48550/arxiv\.({_ARXIV})(?:v\d+)?", doi, re.IGNORECASE):
        return Reference("arxiv", found[1])
    if found := re.fullmatch(rf"10\.18653/v1/({_ACL})", doi, re.IGNORECASE):
        return Reference("acl", found[1])
    return Reference("doi", doi)
