"""Venues: from the terms of a record to words, and from other people's ids and spellings to the terms."""

from __future__ import annotations

import re

from catalog.base.text import words
from catalog.model.paper import Appearance, Edition, Venue
from catalog.model.vocabulary import TrackTerm, VenueTerm, Vocabularies

_ANTHOLOGY = re.compile(r"(?P<year>\d{4})\.(?P<findings>findings-)?(?P<venue>[a-z]+)(?:-(?P<volume>\w+))?\.\d+")
_UNNAMED = "workshop"
"""The track of workshops whose name is not known: any name that is known counts for more."""
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")


def appearance(venue: Venue, vocabularies: Vocabularies) -> Appearance:
    """A venue in words: the one place that decides how ``Findings of ACL 2025`` is put together."""
    term = vocabularies["venue"][venue.id]
    assert isinstance(term, VenueTerm)
    short, full = f"{term.label} {venue.year}", term.name or term.label
    container = full if term.kind != "conference" else f"{full} ({short})" if term.name else short
    if venue.track is None:
        return Appearance(label=short, kind=term.kind, container=container, year=venue.year)
    track = vocabularies["track"][venue.track]
    assert isinstance(track, TrackTerm)
    named = track.name if venue.id in (track.named_at or (venue.id,)) else None
    name = named or track.after or track.label
    if track.before:
        label = f"{track.before} {short}"
        container = f"{name}: {short}" if named else f"{track.before} the {container}"
    else:
        label, container = f"{short} {track.after or track.label}", f"{container}, {name}"
    return Appearance(label=label, kind=term.kind, container=container, year=venue.year)


def edition(venue: Venue, vocabularies: Vocabularies) -> Edition:
    """The edition of a venue: its main program, each other track, and all workshops together are one each."""
    track = vocabularies["track"][venue.track] if venue.track else None
    part, label = venue.track or "", appearance(venue, vocabularies).label
    if isinstance(track, TrackTerm) and track.is_workshop:
        main = appearance(venue.model_copy(update={"track": None}), vocabularies)
        part, label = "workshops", f"{main.label} workshops"
    return Edition(venue=venue.id, year=venue.year, part=part, label=label)


def edition_spellings(venue: Venue, vocabularies: Vocabularies) -> list[str]:
    """What else people call the edition of a venue: ``ICLR-2025``, ``ICLR-25``, ``2025-ICLR``."""
    term = vocabularies["venue"][venue.id]
    names = dict.fromkeys(name for spelling in (term.label, *term.aliases) if " " not in (name := spelling.strip()))
    years = (str(venue.year), str(venue.year)[2:])
    return [*(f"{name}-{year}" for name in names for year in years), *(f"{venue.year}-{name}" for name in names)]


def anthology_venue(acl: str, vocabularies: Vocabularies) -> Venue | None:
    """The venue that an ACL Anthology id says (``2025.findings-acl.12``), or None where it says none we know."""
    match = _ANTHOLOGY.fullmatch(acl)
    if match is None:
        return None
    venues, tracks = vocabularies["venue"].terms, vocabularies["track"].terms
    named = (
        candidate
        for candidate in venues
        if isinstance(candidate, VenueTerm) and match["venue"] in (candidate.id, *candidate.anthology)
    )
    term = next(named, None)
    if term is None:
        return None
    volume = "findings" if match["findings"] else match["volume"]
    held = (track.id for track in tracks if isinstance(track, TrackTerm) and volume in (track.id, *track.anthology))
    return Venue(id=term.id, year=int(match["year"]), track=next(held, None))


def read_venue(text: str, vocabularies: Vocabularies) -> Venue | None:
    """The venue that people mean by ``Findings of ACL 2025`` or ``ICML 2025 workshop MUGen``.

    The longest names of a venue and of a track that occur in the text count; None where there is no venue or year.
    """
    years = _YEAR.findall(text)
    venue = _longest("venue", text, vocabularies)
    if venue is None or not years:
        return None
    return Venue(id=venue, year=int(years[-1]), track=_longest("track", text, vocabularies))


def _longest(vocabulary: str, text: str, vocabularies: Vocabularies) -> str | None:
    said = f" {' '.join(words(text))} "
    known = vocabularies[vocabulary]
    names = {" ".join(words(name)): term for name, term in known.by_alias.items()}
    names |= {" ".join(words(ident)): ident for ident in known.ids}
    hits = [name for name in names if f" {name} " in said]
    return names[max(hits, key=lambda name: (names[name] != _UNNAMED, len(name)))] if hits else None
