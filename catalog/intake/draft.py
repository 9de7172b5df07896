"""A record from what a source says: facts as they are, tags as suggestions, an id and a place in ``papers/``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from catalog.base.names import name_parts
from catalog.base.text import fold, shorten, words
from catalog.intake.duplicates import Duplicate, duplicates
from catalog.intake.sources.found import Found
from catalog.intake.sources.venues import in_words
from catalog.intake.suggest import Cues, Suggestion, suggest
from catalog.model import paper as schema
from catalog.model.paper import Links, Paper, Record
from catalog.model.registries import PAPER_ID, REGISTRIES
from catalog.model.venues import anthology_venue, read_venue
from catalog.model.vocabulary import Vocabularies
from catalog.parsing.comments import SUGGESTED
from catalog.parsing.problems import Problem
from catalog.parsing.tree import NotText, lost_letters, parse_tree
from catalog.parsing.validation import validate
from catalog.reading.fmt import Notes, layout

_SMALL = frozenset(
    "a an the of on in for to and or with from by at as via is are be do does can how what why when where which not "
    "towards toward into using under over its your you we our".split()
)


_SOURCES = {key: registry.name for key, registry in REGISTRIES.items()} | {
    "doi": "the DOI's registry",
    "hand": "BibTeX",
}


@dataclass(frozen=True)
class Draft:
    """A record that is not written yet."""

    id: str
    file: str
    """Its place, relative to the checkout."""
    text: str
    suggestions: tuple[Suggestion, ...]
    duplicates: tuple[Duplicate, ...]
    problems: tuple[Problem, ...]
    """What is wrong with it all the same; then it is not fit to be written."""


def make_draft(
    found: Found,
    papers: Collection[Paper],
    vocabularies: Vocabularies,
    cues: Cues,
    today: str,
    given: Mapping[str, Any] | None = None,
) -> Draft:
    """The record of a paper that a source described.

    Args:
        found: what the source says.
        papers: the records that exist, for duplicates and for the id.
        vocabularies: the terms that tags are suggested from.
        cues: phrases that hint at terms.
        today: for ``added`` and ``provenance``, YYYY-MM-DD.
        given: what a person said; it goes before what is found or suggested.
    """
    given = dict(given or {})
    suggestions = [
        suggestion
        for suggestion in suggest(found.title, found.abstract, vocabularies, cues)
        if suggestion.field not in given
    ]
    links = _links(found.links)
    date, dated = _date(found.date, links)
    values: dict[str, Any] = {"title": found.title, "authors": found.authors, "date": date}
    values |= venue_field(found, vocabularies)
    values |= _tags(suggestions)
    values["links"] = links
    if found.withdrawn:
        values["state"] = state_value(found.withdrawn)
    if name := _method_name(found.title, values["type"]):
        values["method"] = {"name": name}
    values |= {"added": today, "provenance": {"source": found.source, "checked": today}}
    for key in ("links", "method"):
        given_parts = given.get(key, {})
        if given_parts:
            values[key] = {**values.get(key, {}), **given_parts}
    values |= {key: value for key, value in given.items() if key not in ("links", "method")}
    identity = make_id(found.title, found.authors, date, {paper.id for paper in papers})
    file = f"papers/{date[:4]}/{identity}.yaml"
    text = layout(values, _notes(found, values, suggestions, dated, given))
    return Draft(
        identity,
        file,
        text,
        tuple(suggestions),
        tuple(duplicates(found.title, found.authors, values["links"], papers)),
        tuple(_problems(text, file)),
    )


def venue_field(found: Found, vocabularies: Vocabularies) -> dict[str, Any]:
    """The field ``venue`` of a record, or nothing where a source names none that the vocabularies have."""
    # The title of proceedings can be long-winded; the Anthology's id is short and always right.
    known = anthology_venue(found.links.get("acl", ""), vocabularies)
    if known is None and found.venue:
        known = read_venue(in_words(found.venue), vocabularies)
    return {"venue": venue_value(known)} if known else {}


def read_from_words(found: Found, field: str) -> str:
    """Why ``venue`` or ``state`` is no more than a suggestion, or ``""``: it was recognized in what people wrote.

    The Anthology's ids alone name a venue for sure.
    """
    source = _SOURCES.get(found.source, "the source")
    if field == "state":
        return f"{source} says: {shorten(found.withdrawn, 120)}" if found.withdrawn else ""
    if found.venue is None or "acl" in found.links:
        return ""
    return f"{source} names {shorten(in_words(found.venue), 120)}"


def venue_value(venue: schema.Venue) -> dict[str, Any]:
    """A venue as a file holds it: the year without quotes."""
    value: dict[str, Any] = {"id": venue.id, "year": NotText(str(venue.year), "a number")}
    return value | ({"track": venue.track} if venue.track else {})


def state_value(said: str) -> dict[str, str]:
    """The field ``state`` of a paper about whose end a source says something."""
    kind = "retracted" if "retract" in said.lower() else "withdrawn"
    return {"kind": kind, "note": shorten(said[:1].upper() + said[1:], 300)}


def make_id(title: str, authors: Iterable[str], date: str, taken: Collection[str]) -> str:
    """An id that is free: the first author's family name, the year, and a word of the title that says something.

    >>> make_id("The Eight Ways to Forget", ["Laurens van der Maaten"], "2024-02", ())
    'maaten2024eight'
    """
    first = next(iter(authors), "")
    family = _letters(name_parts(first).family) or _letters(first) or "anonymous"
    # A group is named by a sentence sometimes.
    start = f"{family[:40]}{date[:4]}"
    telling = [word for word in re.findall(r"[a-z0-9]+", fold(title)) if word not in _SMALL and len(word) > 1]
    telling = telling or ["paper"]
    for end in (*telling, *(word + next_word for word, next_word in pairwise(telling))):
        if f"{start}{end[:40]}" not in taken:
            return f"{start}{end[:40]}"
    number = 2
    while f"{start}{telling[0][:30]}{number}" in taken:
        number += 1
    return f"{start}{telling[0][:30]}{number}"


def _letters(text: str) -> str:
    # The check of ids compares the same folded words.
    return re.sub(r"[^a-z]", "", "".join(words(text)))


def _date(said: str, links: Mapping[str, str]) -> tuple[str, str]:
    """The date with its month, and what to say about it where the source does not name one."""
    if len(said) >= 7:
        return said, ""
    if paper := re.match(r"(\d\d)(0[1-9]|1[0-2])\.", links.get("arxiv", "")):
        return f"20{paper[1]}-{paper[2]}", ""
    year = said or "2000"
    return f"{year}-01", f"the source names {'only the year' if said else 'no date'}; correct the month"


def _tags(suggestions: Iterable[Suggestion]) -> dict[str, Any]:
    tags: dict[str, Any] = {"type": "method"}
    for suggestion in suggestions:
        if suggestion.field == "type":
            tags["type"] = suggestion.term
        elif suggestion.field == "modalities":
            tags["modalities"] = (*tags.get("modalities", ("text",)), suggestion.term)
        else:
            tags[suggestion.field] = (*tags.get(suggestion.field, ()), suggestion.term)
    if tags["type"] not in ("method", "attack", "application"):
        tags.pop("family", None)
    return tags


def _links(links: Mapping[str, str]) -> dict[str, str]:
    """The links that a record may hold. What a source garbled is left out, but an id that cannot be one is told of."""
    good = {}
    for key, value in links.items():
        try:
            Links.model_validate({key: value})
            good[key] = value
        except ValidationError:
            if key in REGISTRIES and REGISTRIES[key].fault(value):
                good[key] = value
    return good


def _method_name(title: str, kind: str) -> str:
    """``NPO`` of ``NPO: A Method``: a short name before a colon, with capitals that are meant."""
    name, colon, _ = title.partition(": ")
    fits = colon and len(name.split()) <= 2 and len(name) >= 2 and name[1:] != name[1:].lower()
    return name if fits and kind == "method" else ""


def _notes(
    paper: Found, values: Mapping[str, Any], suggestions: Iterable[Suggestion], dated: str, given: Mapping[str, Any]
) -> Notes:
    """The comments of a draft: what is a guess, why, and what only a person can say."""
    missing = [key for key in ("summary", "implementations") if key not in values]
    if not {*REGISTRIES, "url"} & set(values["links"]):
        missing.insert(0, "a link to the paper's text")
    header = ["# A draft. Look at what is marked as suggested, correct it, and delete these comments."]
    if missing:
        header.append(f"# Yours to add: {', '.join(missing)} (see CONTRIBUTING.md).")
    if paper.venue and "venue" not in values:
        place = f"{in_words(paper.venue)}, which is no term of catalog/vocabularies/venue.yaml yet"
        header.append(f"# Published at {place}: add it there, and here.")
    if paper.incomplete:
        header.append('# The list of authors ended with "and others": complete it.')
    notes = Notes(header=header)
    reasons: dict[str, list[str]] = {}
    for suggestion in suggestions:
        reasons.setdefault(suggestion.field, []).append(
            f"{suggestion.term} ({suggestion.reason})" if suggestion.field != "type" else suggestion.reason
        )
    for field, said in reasons.items():
        if field in values:
            notes.above[(field,)] = [f"{SUGGESTED}{'; '.join(said)}"]
    if "type" not in reasons and "type" not in given:
        notes.above[("type",)] = [f"{SUGGESTED}no phrase hints at another type"]
    if "name" in values.get("method", {}) and "name" not in given.get("method", {}):
        notes.above[("method",)] = [f"{SUGGESTED}the name before the colon of the title"]
    for field in ("venue", "state"):
        if field in values and field not in given and (why := read_from_words(paper, field)):
            notes.above[(field,)] = [f"{SUGGESTED}{why}"]
    if dated:
        notes.above[("date",)] = [f"{SUGGESTED}{dated}"]
    return notes


def _problems(text: str, file: str) -> list[Problem]:
    """What a reader of the file would complain about."""
    tree, problems = parse_tree(text.encode(), file)
    if tree is None or problems:
        return problems
    wrong = [*lost_letters(tree), *validate(Record, tree)[1]]
    stem = file.rpartition("/")[2].removesuffix(".yaml")
    if not re.fullmatch(PAPER_ID, stem):
        wrong.append(Problem(file, 1, 1, "bad-id", "error", f"no id can be made for it: {stem!r}", "Add it by hand."))
    return wrong
