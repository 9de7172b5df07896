"""A paper is listed once."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.base.text import title_as_seen
from catalog.model.identity import Identity
from catalog.model.paper import Paper
from catalog.model.registries import REGISTRIES
from catalog.parsing.tree import Place
from catalog.reading.checks.corpus import (
    Corpus,
    Finding,
    check,
    places,
)
from catalog.reading.entry import Entry


def _identities(paper: Paper) -> Iterator[tuple[Place, str, str]]:
    """(place, what it is in words, key) of everything that only one paper can have."""
    for key, ident in paper.links.ids.items():
        registry = REGISTRIES[key]
        yield ("links", key), f"{registry.noun} {ident}", f"{key}:{registry.comparable(ident)}"
    for place, title in [(("title",), paper.title), *places("former_titles", paper.former_titles)]:
        if key := title_as_seen(title):
            yield place, "title", f"title:{key}"


@check("duplicate-paper")
def _duplicate_paper(corpus: Corpus) -> Iterator[Finding]:
    """A paper is listed once: no two records share an arXiv id, DOI, Anthology id, OpenReview id or title.

    Two papers may have one title if they have no author in common, and different ids of the same kind.
    """
    owners: dict[str, tuple[Entry, Place]] = {}
    for entry in corpus.entries:
        clash: tuple[Place, str, Entry, Place] | None = None
        for place, label, key in _identities(entry.paper):
            other, other_place = owners.setdefault(key, (entry, place))
            if other is entry or clash is not None:
                continue
            if Identity.of(entry.paper).shared(Identity.of(other.paper)):
                clash = (place, label, other, other_place)
        if clash:
            place, label, other, other_place = clash
            message = f"the {label} is already that of {other.paper.id} ({other.line(other_place)})"
            yield Finding(
                entry, place, message, "Add what is new to that record and delete this one, or correct the id."
            )
