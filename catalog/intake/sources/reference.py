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


@dataclass(frozen=True)
class References:
    """The papers that a text names, each once, and its words that name none."""

    papers: tuple[Reference, ...]
    rest: str = ""


def references(text: str) -> References:
    """Every paper that a text names by an id or an address; its words are kept apart.

    >>> references("https://arxiv.org/abs/2404.05868, 2404.05869: both").papers[1]
    Reference(kind='arxiv', id='2404.05869')
    """
    whole = parse_reference(text)
    if whole and not re.search(r"[,;]", text):
        return References((whole,))
    # A link of Markdown is its words and its address; a label goes with what follows it.
    text = re.sub(r"\[([^\]]*)\]\((\S+?)\)", r"\1 \2", text)
    text = re.sub(r"\b(arxiv|doi|acl|openreview):\s+", r"\1:", text, flags=re.IGNORECASE)
    papers: list[Reference] = []
    rest: list[str] = []
    for word in text.split():
        parts = [part for part in re.split(r"[,;]+|(?<=\S)(?=https?://)", word) if part]
        several = [parse_reference(part.strip("()[]:")) for part in parts]
        # A DOI may hold commas and semicolons of its own.
        reference = parse_reference(word.strip("()[]:"))
        if len(parts) > 1 and all(several):
            papers += [part for part in several if part]
        elif reference:
            papers.append(reference)
        elif not (papers and re.fullmatch(r"\[[a-z-]+(?:\.[A-Za-z-]{2,})?\][,;.]?", word)):  # arXiv's subject: [cs.LG]
            rest.append(word)
    return References(tuple(dict.fromkeys(papers)), " ".join(rest))


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
