"""Tags for a paper, suggested from its title and abstract by rules that anybody can follow.

A term is suggested because a phrase stands in the title or in the abstract: its label, one of its aliases, or a cue of
``catalog/vocabularies/cues.yaml``. The reason comes with the suggestion, and a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from catalog.base.text import shorten, words
from catalog.model.facets import FACETS
from catalog.model.vocabulary import Term, Vocabularies
from catalog.parsing.problems import Problem
from catalog.parsing.tree import read_tree

FIELDS = {facet.fields[0]: name for name, facet in FACETS.items() if facet.fields}
"""The fields of a record that are suggested, with their vocabularies."""

TITLE, ABSTRACT = 3, 1
"""What a phrase counts in either place."""

_AT_MOST = {"type": 1, "family": 2, "targets": 2, "settings": 2, "modalities": 3, "datasets": 8}


@dataclass(frozen=True)
class Cues:
    """Further phrases, by vocabulary and term, and labels that say too little by themselves."""

    phrases: Mapping[str, Mapping[str, Sequence[str]]]
    ignore: frozenset[str]


@dataclass(frozen=True)
class Suggestion:
    """A term, and why."""

    field: str
    term: str
    score: int
    reason: str
    """``"preference optimization" in the title``."""


def read_cues(folder: Path, root: Path) -> tuple[Cues, list[Problem]]:
    """The cues beside the vocabularies; none, with problems, where the file is missing or wrong.

    Args:
        folder: where the vocabularies are.
        root: what problems name files relative to, if the folder is inside.
    """
    path = folder / "cues.yaml"
    file = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    tree, problems = read_tree(path, file)
    value = tree.value if tree else None
    if not isinstance(value, dict):
        return Cues({}, frozenset()), problems
    phrases = {
        name: {term: tuple(phrase for phrase in given if isinstance(phrase, str)) for term, given in terms.items()}
        for name, terms in value.items()
        if isinstance(terms, dict)
    }
    ignore = value.get("ignore", ())
    return Cues(phrases, frozenset(" ".join(words(phrase)) for phrase in ignore if isinstance(phrase, str))), problems


def suggest(title: str, abstract: str, vocabularies: Vocabularies, cues: Cues) -> list[Suggestion]:
    """Suggestions for all fields, the best of each first.

    Only a method has a family; text is the modality of all records, and is not suggested.
    """
    suggestions: list[Suggestion] = []
    for field, name in FIELDS.items():
        if name in vocabularies:
            ranked = _ranked(field, title, abstract, vocabularies, cues)
            suggestions += ranked[: _AT_MOST[field]]
    kinds = [suggestion.term for suggestion in suggestions if suggestion.field == "type"]
    if kinds and kinds[0] in ("survey", "position", "benchmark", "blog"):
        suggestions = [suggestion for suggestion in suggestions if suggestion.field != "family"]
    return suggestions


def _ranked(field: str, title: str, abstract: str, vocabularies: Vocabularies, cues: Cues) -> list[Suggestion]:
    vocabulary = vocabularies[FIELDS[field]]
    ranked = []
    if field == "datasets":
        hits = _names(vocabulary.terms, title, abstract)
    else:
        texts = (_spaced(title), _spaced(abstract))
        hits = {term.id: list(_phrases(term, vocabulary.name, texts, cues)) for term in vocabulary.terms}
    for order, term in enumerate(vocabulary.terms):
        # The same words in two places count twice, two names for the same words only once.
        distinct = dict.fromkeys(hits.get(term.id, []))
        if distinct and not (field == "modalities" and term.id == "text"):
            score = sum(TITLE if where == "title" else ABSTRACT for _, where in distinct)
            reason = ", ".join(f'"{shorten(phrase, 40)}" in the {where}' for phrase, where in list(distinct)[:2])
            ranked.append((-score, order, Suggestion(field, term.id, score, reason)))
    return [suggestion for _, _, suggestion in sorted(ranked, key=lambda entry: entry[:2])]


def _phrases(term: Term, vocabulary: str, texts: tuple[str, str], cues: Cues) -> Iterator[tuple[str, str]]:
    named = [name for name in (term.label, *term.aliases) if _key(name) not in cues.ignore]
    said: set[str] = set()
    for phrase in (*named, *cues.phrases.get(vocabulary, {}).get(term.id, ())):
        meant = phrase.removeprefix("title: ")
        key = _key(meant)
        if not key or key in said:
            continue
        said.add(key)
        for text, where in zip(texts, ("title", "abstract"), strict=True):
            if (where == "title" or meant == phrase) and (f" {key} " in text or f" {key}s " in text):
                yield meant, where


@cache
def _key(phrase: str) -> str:
    return " ".join(words(phrase))


def _spaced(text: str) -> str:
    return f" {' '.join(words(text))} "


def _names(terms: Sequence[Term], title: str, abstract: str) -> dict[str, list[tuple[str, str]]]:
    """Data sets by name. Names are proper: ``MUSE`` is one, ``muse`` is a word; the longest at a place counts."""
    names = [(name, term.id) for term in terms for name in (term.label, *term.aliases) if name != name.lower()]
    names.sort(key=lambda pair: -len(pair[0]))
    hits: dict[str, list[tuple[str, str]]] = {}
    for text, where in ((title, "title"), (abstract, "abstract")):
        rest = text
        for name, term in names:
            pattern = rf"(?<![\w-]){re.escape(name)}(?!\w)"
            if name in rest and re.search(pattern, rest):
                rest = re.sub(pattern, " ", rest)
                hits.setdefault(term, []).append((name, where))
    return hits
