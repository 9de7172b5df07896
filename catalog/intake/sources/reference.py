"""What people paste to name a paper: an id, an address, a DOI, or a BibTeX entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from catalog.model import registries

Kind = Literal[registries.Key, "bibtex"]


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
    entry = text.strip().strip("<>\"'").rstrip(".,;")
    if re.match(r"@\w+\s*[{(]", entry):
        return Reference("bibtex", entry)
    named = registries.identify(text)
    return Reference(*named) if named else None
