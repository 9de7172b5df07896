"""Terms of records are terms of vocabularies, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.base.text import words
from catalog.model.facets import FACETS
from catalog.model.venues import anthology_venue
from catalog.model.vocabulary import TrackTerm
from catalog.parsing.tree import Place
from catalog.reading.checks.corpus import (
    Corpus,
    Finding,
    Run,
    TermPlace,
    check,
    instead,
)


def _unknown_terms(name: str) -> Run:
    def run(corpus: Corpus) -> Iterator[Finding]:
        vocabulary = corpus.vocabularies.get(name)
        if vocabulary is None:
            return
        for entry in corpus.entries:
            for place, term in FACETS[name].placed(entry.paper):
                if term and term not in vocabulary:
                    yield Finding(entry, place, f"unknown {name} {term!r}", instead(term, vocabulary))

    run.__doc__ = f"Every {name} of a record is a term of ``catalog/vocabularies/{name}.yaml``."
    return run


for _name in FACETS:
    check(f"unknown-{_name}", alone=True)(_unknown_terms(_name))


@check("track-of-unknown")
def _track_of_unknown(corpus: Corpus) -> Iterator[Finding]:
    """The venues at which a track has its name are terms, too."""
    venues, tracks = corpus.vocabularies.get("venue"), corpus.vocabularies.get("track")
    if venues is None or tracks is None or not tracks.file:
        return
    for term in tracks.terms:
        for venue in term.named_at if isinstance(term, TrackTerm) else ():
            if venue not in venues:
                place = TermPlace(tracks.file, tracks.marks[term.id])
                message = f"the track {term.id!r} has its name at an unknown venue {venue!r}"
                yield Finding(place, (), message, instead(venue, venues))


@check("repeated-term", alone=True)
def _repeated_term(corpus: Corpus) -> Iterator[Finding]:
    """A record names no type, family, target, setting, modality, data set or implementation twice."""
    for entry in corpus.entries:
        named: list[tuple[Place, str]] = [
            (("implementations", i, "id"), link.id) for i, link in enumerate(entry.paper.implementations)
        ]
        for terms in (*(facet.placed(entry.paper) for facet in FACETS.values()), named):
            seen: set[str] = set()
            for place, term in terms:
                if term in seen:
                    yield Finding(entry, place, f"{term!r} is named twice", "Delete one of the two.")
                seen.add(term)


@check("orphan-term", "hint")
def _orphan_term(corpus: Corpus) -> Iterator[Finding]:
    """A term is used by a record, or its ``kept`` says why it stays; and only unused ones are marked so."""
    used: dict[str, set[str]] = {name: set() for name in corpus.vocabularies}
    for name, facet in FACETS.items():
        used.setdefault(name, set()).update(*(facet.held(entry.paper) for entry in corpus.entries))
    used["benchmark"] = {reported.benchmark for _, _, reported in corpus.reported}
    used["metric"] = {reported.metric for _, _, reported in corpus.reported}
    used["technique"] = {base for _, _, base in corpus.built_on}
    used.setdefault("family", set()).update(runs.family for runs in corpus.implementations if runs.family)
    for name, vocabulary in corpus.vocabularies.items():
        for term in vocabulary.terms if vocabulary.file else ():
            place = TermPlace(vocabulary.file, vocabulary.marks[term.id])
            if term.id not in used[name] and not term.kept:
                message = f"no record uses the {name} {term.id!r}"
                yield Finding(place, (), message, "Delete the term, or say in 'kept:' why it stays.")
            elif term.id in used[name] and term.kept:
                message = f"the {name} {term.id!r} is marked as kept, but records use it"
                yield Finding(place, (), message, "Delete its line 'kept:'.")


@check("shared-name")
def _shared_name(corpus: Corpus) -> Iterator[Finding]:
    """No two terms of a vocabulary share an id, a label or an alias: they are one term, or one of them says more."""
    for vocabulary in corpus.vocabularies.values():
        owners: dict[str, str] = {}
        for term in vocabulary.terms if vocabulary.file else ():
            for name in (term.id, term.label, *term.aliases):
                owner = owners.setdefault(" ".join(words(name)), term.id)
                if owner != term.id:
                    place = TermPlace(vocabulary.file, vocabulary.marks[term.id])
                    message = f"the {vocabulary.name} {term.id!r} is called {name!r}, as {owner!r} is"
                    yield Finding(place, (), message, "Merge the two, or take the name from one of them.")
                    break


@check("anthology-venue", alone=True)
def _anthology_venue(corpus: Corpus) -> Iterator[Finding]:
    """The venue is the one that the ACL Anthology id says: ``2025.findings-acl.12`` is Findings of ACL 2025."""
    if not {"venue", "track"} <= set(corpus.vocabularies):
        return
    for entry in corpus.entries:
        venue = entry.paper.venue
        said = anthology_venue(entry.paper.links.acl or "", corpus.vocabularies)
        if said and said != venue:
            track = f", track: {said.track}" if said.track else ""
            message = f"the Anthology id {entry.paper.links.acl} says another venue"
            hint = f"Write venue: {{id: {said.id}, year: {said.year}{track}}}, or correct the id."
            yield Finding(entry, ("venue",) if venue else ("links", "acl"), message, hint)
