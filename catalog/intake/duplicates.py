"""Whether a paper is in the catalog already: by id, by title, or by a title that is almost the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.base.text import words
from catalog.model.identity import Identity
from catalog.model.paper import Paper
from catalog.model.registries import REGISTRIES

SIMILAR = 88
"""From 0 to 100: how alike titles must be to be reported."""


@dataclass(frozen=True)
class Duplicate:
    """A record that is, or may be, of the same paper."""

    paper: Paper
    reason: str
    certain: bool


def duplicates(
    title: str, authors: Iterable[str], links: Mapping[str, str], papers: Iterable[Paper]
) -> list[Duplicate]:
    """Records of the same paper, certain ones first, then the most similar ones."""
    from rapidfuzz import fuzz

    spaced, own = " ".join(words(title)), Identity.said(title, authors, links)
    ranked: list[tuple[bool, float, Duplicate]] = []
    for paper in papers:
        known = Identity.of(paper)
        if key := own.shared(known):
            same = f"{REGISTRIES[key].noun}, {paper.links.ids[key]}" if key in REGISTRIES else key
            ranked.append((False, 0, Duplicate(paper, f"has the same {same}", certain=True)))
            continue
        titles = (paper.title, *paper.former_titles)
        shared = not own.authors.isdisjoint(known.authors)
        alike = max(fuzz.ratio(spaced, " ".join(words(known_title))) for known_title in titles)
        # Whoever shares an author may have changed a title more.
        if alike >= (SIMILAR - 8 if shared else SIMILAR):
            reason = f"has a title that is {alike:.0f}% the same{' and an author in common' if shared else ''}"
            ranked.append((True, -alike, Duplicate(paper, reason, certain=False)))
    return [duplicate for *_, duplicate in sorted(ranked, key=lambda entry: (entry[0], entry[1], entry[2].paper.id))]
