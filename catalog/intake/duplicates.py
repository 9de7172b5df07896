"""Whether a paper is in the catalog already: by id, by title, or by a title that is almost the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.base.text import same_title, words
from catalog.model.paper import Paper

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

    key, spaced = same_title(title), " ".join(words(title))
    people = {same_title(name) for name in authors}
    found: list[tuple[bool, float, Duplicate]] = []
    for paper in papers:
        if reason := _same_id(links, paper):
            found.append((False, 0, Duplicate(paper, reason, certain=True)))
            continue
        titles = (paper.title, *paper.former_titles)
        shared = not people.isdisjoint(same_title(name) for name in paper.authors)
        if key and shared and key in (same_title(one) for one in titles):
            found.append((False, 0, Duplicate(paper, "has the same title", certain=True)))
            continue
        alike = max(fuzz.ratio(spaced, " ".join(words(one))) for one in titles)
        # Whoever shares an author may have changed a title more.
        if alike >= (SIMILAR - 8 if shared else SIMILAR):
            reason = f"has a title that is {alike:.0f}% the same{' and an author in common' if shared else ''}"
            found.append((True, -alike, Duplicate(paper, reason, certain=False)))
    return [one for *_, one in sorted(found, key=lambda entry: (entry[0], entry[1], entry[2].paper.id))]


def _same_id(links: Mapping[str, str], paper: Paper) -> str:
    for kind in ("arxiv", "doi", "acl", "openreview"):
        given, known = links.get(kind), getattr(paper.links, kind)
        if given and known and (given == known or (kind != "openreview" and given.casefold() == known.casefold())):
            return f"has the same {kind} id, {known}"
    return ""
