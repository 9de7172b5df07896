"""What a method builds on, and what supersedes a paper, exists."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.base.text import did_you_mean, nearest
from catalog.reading.checks.corpus import (
    Corpus,
    Finding,
    check,
    known_bases,
    unknown_bases,
)


@check("base-typo", "hint")
def _base_typo(corpus: Corpus) -> Iterator[Finding]:
    """An id of ``builds_on`` that is nothing known is not almost a known one."""
    for entry, place, base in unknown_bases(corpus):
        if near := nearest(base, known_bases(corpus), cutoff=0.85):
            message = f"builds on {base!r}, which is almost {near!r}"
            yield Finding(entry, place, message, f"If that is meant, write {near}.")


@check("unknown-base", "hint")
def _unknown_base(corpus: Corpus) -> Iterator[Finding]:
    """``builds_on`` names what runs here, the slug of a record's method name, a record's id, or a technique.

    What methods rest on without a record of its own (``lora``) is a term of ``catalog/vocabularies/technique.yaml``.
    """
    for entry, place, base in unknown_bases(corpus):
        if nearest(base, known_bases(corpus), cutoff=0.85) is None:
            hint = "Add it to catalog/vocabularies/technique.yaml, or add the record that proposes it."
            yield Finding(entry, place, f"builds on {base!r}, which is nothing known", hint)


@check("ambiguous-base", "hint")
def _ambiguous_base(corpus: Corpus) -> Iterator[Finding]:
    """Where several records propose a method of one name, ``builds_on`` names the record that is meant."""
    for entry, place, base in corpus.built_on:
        if rivals := corpus.bases.rivals(base):
            hint = f"Write one of: {', '.join(paper.id for paper in rivals)}."
            yield Finding(entry, place, f"builds on {base!r}, a name that several methods share", hint)


@check("unknown-successor")
def _unknown_successor(corpus: Corpus) -> Iterator[Finding]:
    """A superseded paper names the record that supersedes it, which exists and is another one."""
    for entry in corpus.entries:
        by = entry.paper.state.by if entry.paper.state else None
        if by == entry.paper.id:
            yield Finding(entry, ("state", "by"), "superseded by itself", "Name the newer record, or delete the line.")
        elif by and by not in corpus.by_id:
            hint = did_you_mean(by, corpus.by_id) or "Add the newer record, or delete the line."
            yield Finding(entry, ("state", "by"), f"superseded by {by!r}, which is no record", hint)
