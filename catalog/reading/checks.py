"""Rules that need more than one record: vocabularies, implementations, results, other records.

A check is one small function over the :class:`Corpus`. It yields findings that name a place in a record
(``("links", "arxiv")``); the line and column come from the record's own tree. Its docstring is its
documentation, its id is the problem's code. ``ALL_CHECKS`` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from catalog.base.text import did_you_mean, nearest, same_title, slug, words
from catalog.model.claims import CLAIMS_FILE, Claim
from catalog.model.guide import GLOSSARY_FILE, PATHS_FILE, Guide
from catalog.model.implementations import Implementation
from catalog.model.paper import Paper
from catalog.model.results import REFERENCES, Result
from catalog.model.venues import anthology_venue
from catalog.model.vocabulary import DatasetTerm, Vocabularies, Vocabulary
from catalog.parsing.datafile import Entries
from catalog.parsing.problems import Problem, Severity
from catalog.parsing.tree import Mark, Place, Tree

NO_ID = "xx0001"
"""Stands in for the id of a file whose name is none."""
MECHANISM_WORDS = 25
SUMMARY_WORDS = 60


@dataclass(frozen=True)
class Entry:
    """A record as far as it could be read, with the positions of its parts.

    Parts that were wrong are missing, or blank where the schema requires them.
    """

    paper: Paper
    tree: Tree

    def line(self, place: Place) -> str:
        """The place as messages name it: ``papers/2024/zhang2024negative.yaml:8``."""
        return f"{self.paper.file}:{self.tree.mark(place).line}"


@dataclass(frozen=True)
class Corpus:
    """All that checks look at. Of two records in conflict, the one that comes later is reported."""

    entries: tuple[Entry, ...]
    implementations: tuple[Implementation, ...] = ()
    results: Mapping[str, Result] = field(default_factory=dict)
    """By file."""
    vocabularies: Vocabularies = field(default_factory=dict)
    """Those that could be read."""
    claims: Entries[Claim] = field(default_factory=lambda: Entries(CLAIMS_FILE, {}))
    guide: Guide = field(default_factory=Guide)

    @cached_property
    def named(self) -> tuple[Entry, ...]:
        """The entries whose files are named as records are."""
        return tuple(entry for entry in self.entries if entry.paper.id != NO_ID)

    @cached_property
    def by_id(self) -> dict[str, Entry]:
        """Entries by the paper's id."""
        return {entry.paper.id: entry for entry in self.entries}

    @cached_property
    def implementation_ids(self) -> tuple[str, ...]:
        """The ids of everything that runs."""
        return tuple(one.id for one in self.implementations)

    @cached_property
    def method_ids(self) -> set[str]:
        """What ``builds_on`` may name: methods that run here, and the slugs of the methods that records propose."""
        return set(self.by_method) | {one.id for one in self.implementations if one.kind == "method"}

    @cached_property
    def by_method(self) -> dict[str, tuple[Entry, ...]]:
        """Entries by the slug of their method's name."""
        found: dict[str, tuple[Entry, ...]] = {}
        for entry in self.entries:
            if entry.paper.method and entry.paper.method.name:
                key = slug(entry.paper.method.name)
                found[key] = (*found.get(key, ()), entry)
        return found


@dataclass(frozen=True)
class TermPlace:
    """Where a term is defined."""

    file: str
    mark: Mark


@dataclass(frozen=True)
class Finding:
    """What a check found: where, what is wrong, what to do."""

    source: Entry | Implementation | TermPlace | str
    """A record, a file that runs, a term of a vocabulary, or another file by its path."""
    place: Place
    """The way to the part of a record; empty elsewhere."""
    message: str
    hint: str


@dataclass(frozen=True)
class Check:
    """One rule."""

    id: str
    severity: Severity
    doc: str
    """What it asks for and why, in a sentence or two: for the documentation."""
    run: Callable[[Corpus], Iterable[Finding]]


ALL_CHECKS: list[Check] = []


def run_checks(corpus: Corpus, known: Iterable[Problem] = ()) -> list[Problem]:
    """Every problem that the checks find, but none at or around a place where ``known`` already has one."""
    taken = {(problem.file, problem.line, problem.column) for problem in known}
    problems = []
    for check in ALL_CHECKS:
        for finding in check.run(corpus):
            file, mark = _where(finding)
            if not any((file, one.line, one.column) in taken for one in (mark, *_inside(finding))):
                problems.append(
                    Problem(file, mark.line, mark.column, check.id, check.severity, finding.message, finding.hint)
                )
    return problems


def _inside(finding: Finding) -> Iterator[Mark]:
    """The marks of all parts of the finding's place."""
    if isinstance(finding.source, Entry) and finding.place:
        for marks in (finding.source.tree.keys, finding.source.tree.values):
            for place, mark in marks.items():
                if len(place) > len(finding.place) and place[: len(finding.place)] == finding.place:
                    yield mark


def _where(finding: Finding) -> tuple[str, Mark]:
    match finding.source:
        case Entry(paper=paper, tree=tree):
            return paper.file, tree.mark(finding.place)
        case Implementation(file=file, line=line):
            return file, Mark(line, 1)
        case TermPlace(file=file, mark=mark):
            return file, mark
        case file:
            return file, Mark(1, 1)


Run = Callable[[Corpus], Iterator[Finding]]


def _check(code: str, severity: Severity = "error") -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        ALL_CHECKS.append(Check(code, severity, " ".join((run.__doc__ or "").split()), run))
        return run

    return register


# Ids ----------------------------------------------------------------------------------------------


@_check("duplicate-id")
def _duplicate_id(corpus: Corpus) -> Iterator[Finding]:
    """No two records share an id, which is the file's name: it is the key in BibTeX and the page's address."""
    first: dict[str, Entry] = {}
    for entry in corpus.named:
        other = first.setdefault(entry.paper.id, entry)
        if other is not entry:
            message = f"the id {entry.paper.id!r} is taken by {other.paper.file}"
            hint = "If it is another paper, rename this file: add or change the word after the year."
            yield Finding(entry, (), message, hint)


@_check("id-year")
def _id_year(corpus: Corpus) -> Iterator[Finding]:
    """The year in the id is that of the record's date."""
    for entry in corpus.named:
        found = re.search(r"\d{4}", entry.paper.id)
        if found and int(found[0]) != entry.paper.year:
            message = f"the date is of {entry.paper.year}, but the id {entry.paper.id!r} says {found[0]}"
            yield Finding(entry, ("date",), message, "Correct the date, or rename the file.")


@_check("id-author")
def _id_author(corpus: Corpus) -> Iterator[Finding]:
    """The id starts with the first author's family name, without accents, spaces and hyphens."""
    for entry in corpus.named:
        start = re.sub(r"\d.*|-", "", entry.paper.id)
        name = words(entry.paper.authors[0])
        # Any run of the name's words: family names come first, last, and in several parts.
        runs = {"".join(name[i:j]) for i in range(len(name)) for j in range(i + 1, len(name) + 1)}
        if runs and start not in runs and any(run.isascii() for run in runs):
            message = f"the first author is {entry.paper.authors[0]!r}, but the id is {entry.paper.id!r}"
            hint = f"Rename the file so that it starts with the family name, as in {name[-1]}{entry.paper.year}...yaml."
            yield Finding(entry, ("authors", 0), message, hint)


@_check("id-word", "hint")
def _id_word(corpus: Corpus) -> Iterator[Finding]:
    """The id ends with a word of the title or of a former one, or with its beginning.

    One letter more tells namesakes apart.
    """
    for entry in corpus.named:
        found = re.fullmatch(r"\D+\d{4}(\D*).*", entry.paper.id)
        titles = (entry.paper.title, *entry.paper.former_titles)
        if found and not any(_names_title(found[1], title) for title in titles):
            message = f"the id {entry.paper.id!r} ends with no word of the title"
            hint = "Rename the file, or add the title that the id comes from to former_titles."
            yield Finding(entry, ("title",), message, hint)


def _names_title(word: str, title: str) -> bool:
    """Whether the word, perhaps with one letter more, begins one of the title's, or several that a hyphen joins."""
    parts = [re.sub(r"\d", "", "".join(words(part))) for part in title.split()]
    parts += [re.sub(r"\d", "", part) for part in words(title)]
    return any(part.startswith(word) or part == word[:-1] for part in parts)


@_check("wrong-folder")
def _wrong_folder(corpus: Corpus) -> Iterator[Finding]:
    """A record is in the folder of its date's year: ``papers/2024/`` for 2024-04."""
    for entry in corpus.entries:
        folder = entry.paper.file.split("/")[-2]
        if folder != str(entry.paper.year):
            message = f"the date is of {entry.paper.year}, but the file is in the folder {folder!r}"
            hint = f"Correct the date, or move the file to papers/{entry.paper.year}/."
            yield Finding(entry, ("date",), message, hint)


# Duplicates ---------------------------------------------------------------------------------------


def _identities(paper: Paper) -> Iterator[tuple[Place, str, str]]:
    """(place, what it is in words, key) of everything that only one paper can have."""
    links = paper.links
    for key, label, value in (
        ("arxiv", "arXiv id", links.arxiv),
        ("doi", "DOI", links.doi),
        ("acl", "ACL Anthology id", links.acl),
        ("openreview", "OpenReview id", links.openreview),
    ):
        if value:
            # DOIs and Anthology ids do not tell upper from lower case; OpenReview's do.
            yield ("links", key), f"{label} {value}", value if key == "openreview" else value.casefold()
    for place, title in [
        (("title",), paper.title),
        *((("former_titles", i), t) for i, t in enumerate(paper.former_titles)),
    ]:
        if key := same_title(title):
            yield place, "title", f"title:{key}"


def _differ(one: Paper, other: Paper) -> bool:
    """Whether two papers of one title are certainly two papers."""
    ids = zip(*((paper.links.arxiv, paper.links.doi, paper.links.acl) for paper in (one, other)), strict=True)
    if not any(a and b and a != b for a, b in ids):
        return False
    authors = [{same_title(name) for name in paper.authors} for paper in (one, other)]
    return authors[0].isdisjoint(authors[1])


@_check("duplicate-paper")
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
            if not (label == "title" and _differ(entry.paper, other.paper)):
                clash = (place, label, other, other_place)
        if clash:
            place, label, other, other_place = clash
            message = f"the {label} is already that of {other.paper.id} ({other.line(other_place)})"
            yield Finding(
                entry, place, message, "Add what is new to that record and delete this one, or correct the id."
            )


# Vocabularies -------------------------------------------------------------------------------------

_TERMS: dict[str, Callable[[Paper], Iterable[tuple[Place, str]]]] = {
    "type": lambda paper: [(("type",), paper.type), *_places("also", paper.also)],
    "family": lambda paper: _places("family", paper.family),
    "target": lambda paper: _places("targets", paper.targets),
    "setting": lambda paper: _places("settings", paper.settings),
    "modality": lambda paper: _places("modalities", paper.modalities),
    "dataset": lambda paper: _places("datasets", paper.datasets),
    "venue": lambda paper: [(("venue", "id"), paper.venue.id)] if paper.venue else [],
    "track": lambda paper: [(("venue", "track"), paper.venue.track)] if paper.venue and paper.venue.track else [],
}


def _places(key: str, terms: tuple[str, ...]) -> Iterable[tuple[Place, str]]:
    return [((key, index), term) for index, term in enumerate(terms)]


def _unknown_terms(name: str) -> Run:
    def run(corpus: Corpus) -> Iterator[Finding]:
        vocabulary = corpus.vocabularies.get(name)
        if vocabulary is None:
            return
        for entry in corpus.entries:
            for place, term in _TERMS[name](entry.paper):
                if term and term not in vocabulary:
                    yield Finding(entry, place, f"unknown {name} {term!r}", _instead(term, vocabulary))

    run.__doc__ = f"Every {name} of a record is a term of ``catalog/vocabularies/{name}.yaml``."
    return run


def _instead(term: str, vocabulary: Vocabulary) -> str:
    place = f"catalog/vocabularies/{vocabulary.name}.yaml"
    if vocabulary.name in ("dataset", "venue", "track"):
        otherwise = f"If it is new, add it to {place}."
    else:
        otherwise = f"Known: {', '.join(vocabulary.ids)}." if len(vocabulary) <= 20 else f"The terms are in {place}."
    return did_you_mean(term, vocabulary.ids, vocabulary.by_alias) or otherwise


for _name in _TERMS:
    _check(f"unknown-{_name}")(_unknown_terms(_name))


@_check("repeated-term")
def _repeated_term(corpus: Corpus) -> Iterator[Finding]:
    """A record names no type, family, target, setting, modality, data set or implementation twice."""
    for entry in corpus.entries:
        links = [(("implementations", i, "id"), one.id) for i, one in enumerate(entry.paper.implementations)]
        for terms in (*(terms(entry.paper) for terms in _TERMS.values()), links):
            seen: set[str] = set()
            for place, term in terms:
                if term in seen:
                    yield Finding(entry, place, f"{term!r} is named twice", "Delete one of the two.")
                seen.add(term)


@_check("orphan-term", "hint")
def _orphan_term(corpus: Corpus) -> Iterator[Finding]:
    """A term is used by a record, or its ``kept`` says why it stays; and only unused ones are marked so."""
    used: dict[str, set[str]] = {name: set() for name in corpus.vocabularies}
    for entry in corpus.entries:
        for name, terms in _TERMS.items():
            used.setdefault(name, set()).update(term for _, term in terms(entry.paper))
    used["technique"] = {base for _, _, base in _bases(corpus)}
    used.setdefault("family", set()).update(one.family for one in corpus.implementations if one.family)
    for name, vocabulary in corpus.vocabularies.items():
        for term in vocabulary.terms if vocabulary.file else ():
            place = TermPlace(vocabulary.file, vocabulary.marks[term.id])
            if term.id not in used[name] and not term.kept:
                message = f"no record uses the {name} {term.id!r}"
                yield Finding(place, (), message, "Delete the term, or say in 'kept:' why it stays.")
            elif term.id in used[name] and term.kept:
                message = f"the {name} {term.id!r} is marked as kept, but records use it"
                yield Finding(place, (), message, "Delete its line 'kept:'.")


@_check("shared-name")
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


@_check("anthology-venue")
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


# The record by itself, beyond its schema ------------------------------------------------------------


@_check("no-text")
def _no_text(corpus: Corpus) -> Iterator[Finding]:
    """A record leads to the paper: by arXiv, Anthology, OpenReview or DOI id, or by the address of its page."""
    for entry in corpus.entries:
        links = entry.paper.links
        if not (links.arxiv or links.acl or links.openreview or links.doi or links.url):
            message = "no link leads to the paper's text"
            yield Finding(entry, ("links",), message, "Add one of: arxiv, acl, openreview, doi, url.")


@_check("late-date", "hint")
def _late_date(corpus: Corpus) -> Iterator[Finding]:
    """``date`` is the first public version's, so it is not after the month that the arXiv id stands for."""
    for entry in corpus.entries:
        found = re.fullmatch(r"(\d\d)(\d\d)\.\d+", entry.paper.links.arxiv or "")
        if found and entry.paper.date[:7] > f"20{found[1]}-{found[2]}":
            message = f"the date {entry.paper.date} is after the arXiv id's month, 20{found[1]}-{found[2]}"
            yield Finding(entry, ("date",), message, "The date is that of the first public version.")


@_check("venue-year", "hint")
def _venue_year(corpus: Corpus) -> Iterator[Finding]:
    """A venue's year is near that of the first public version: at most one before it, and three after it."""
    for entry in corpus.entries:
        venue = entry.paper.venue
        if venue and not -1 <= venue.year - entry.paper.year <= 3:
            message = f"published in {venue.year}, but first public in {entry.paper.year}"
            yield Finding(entry, ("venue", "year"), message, "Look both up; one of them is probably wrong.")


@_check("derived-doi")
def _derived_doi(corpus: Corpus) -> Iterator[Finding]:
    """``doi`` is the publisher's. arXiv's is derived from the arXiv id, and one of the Anthology agrees with its id."""
    for entry in corpus.entries:
        links = entry.paper.links
        doi = (links.doi or "").casefold()
        if found := re.fullmatch(r"10\.48550/arxiv\.(\d{4}\.\d{4,5})(v\d+)?", doi):
            hint = f'Delete the line; links.arxiv is "{found[1]}".'
            yield Finding(entry, ("links", "doi"), "the DOI is that of the preprint, which its id gives", hint)
        found = re.fullmatch(r"10\.18653/v1/(.+)", doi)
        if found and links.acl and found[1] != links.acl.casefold():
            message = f"the DOI is that of {found[1]}, but the Anthology id is {links.acl}"
            yield Finding(entry, ("links", "doi"), message, "Look it up, and correct one of the two.")


_IDS = {
    r"arxiv\.org/(?:abs|pdf|html)/": "arxiv",
    r"aclanthology\.org/[\w.-]": "acl",
    r"openreview\.net/(?:forum|pdf)\?": "openreview",
    r"(?:dx\.)?doi\.org/10\.": "doi",
}
"""Addresses that say no more than an id, and the field of that id."""


@_check("link-form", "hint")
def _link_form(corpus: Corpus) -> Iterator[Finding]:
    """A link is canonical: an id where there is one, https, no tracking, no ``.git`` or main branch at the end."""
    for entry in corpus.entries:
        links = entry.paper.links
        for key in ("url", "code", "project", "data"):
            address = getattr(links, key) or ""
            bare = re.sub(r"^https?://(?:www\.)?", "", address)
            field_ = next((name for pattern, name in _IDS.items() if re.match(pattern, bare)), None)
            if field_:
                yield Finding(
                    entry, ("links", key), f"the address holds an id of links.{field_}", f"Move it to {field_}:"
                )
            elif re.search(r"[?&#]utm_|\.git/?$|/tree/(?:main|master)/?$", address):
                short = re.sub(r"[?&#]utm_.*|\.git/?$|/tree/(?:main|master)/?$", "", address)
                yield Finding(entry, ("links", key), "the address is longer than it need be", f"Write {short}")
            elif re.match(r"http://(?:www\.)?(?:github\.com|huggingface\.co|[\w-]+\.github\.io)\b", address):
                yield Finding(entry, ("links", key), "the address is insecure", f"Write https{address[4:]}")


@_check("no-family", "hint")
def _no_family(corpus: Corpus) -> Iterator[Finding]:
    """A paper that proposes a method says of which family it is, so that it is listed there."""
    for entry in corpus.entries:
        if "method" in entry.paper.contributions and not entry.paper.family:
            place: Place = ("family",) if ("family",) in entry.tree.values else ("type",)
            yield Finding(entry, place, "a method without a family", "Add a line like: family: [relabeling]")


@_check("long-mechanism")
def _long_mechanism(corpus: Corpus) -> Iterator[Finding]:
    """What a method does is said in at most 25 words."""
    for entry in corpus.entries:
        mechanism = (entry.paper.method and entry.paper.method.mechanism) or ""
        if (count := len(mechanism.split())) > MECHANISM_WORDS:
            message = f"the mechanism has {count} words"
            yield Finding(entry, ("method", "mechanism"), message, f"Say it in at most {MECHANISM_WORDS}.")


@_check("long-summary", "hint")
def _long_summary(corpus: Corpus) -> Iterator[Finding]:
    """A summary is one or two sentences, at most 60 words."""
    for entry in corpus.entries:
        if (count := len((entry.paper.summary or "").split())) > SUMMARY_WORDS:
            message = f"the summary has {count} words"
            yield Finding(entry, ("summary",), message, f"Say it in at most {SUMMARY_WORDS}.")


@_check("same-text")
def _same_text(corpus: Corpus) -> Iterator[Finding]:
    """No two records share a summary or a mechanism: each says what sets its paper apart."""
    owners: dict[str, tuple[Entry, Place]] = {}
    for entry in corpus.entries:
        method = entry.paper.method
        places: tuple[tuple[Place, str | None], ...] = (
            (("summary",), entry.paper.summary),
            (("method", "mechanism"), method.mechanism if method else None),
        )
        for place, text in places:
            other, other_place = owners.setdefault(same_title(text or entry.paper.id), (entry, place))
            if text and other is not entry:
                message = f"the {place[-1]} is word for word that of {other.paper.id} ({other.line(other_place)})"
                yield Finding(entry, place, message, "Say what this paper does.")


@_check("odd-title", "hint")
def _odd_title(corpus: Corpus) -> Iterator[Finding]:
    """A title has its capitals, spaces and signs: not all capitals, no full stop at the end, a space after a colon.

    Quotes and dashes are those of print, not LaTeX's.
    """
    for entry in corpus.entries:
        for place, title in [(("title",), entry.paper.title), *_places("former_titles", entry.paper.former_titles)]:
            letters = [letter for letter in title if letter.isalpha()]
            if len(letters) > 12 and all(letter.isupper() for letter in letters):
                yield Finding(entry, place, "the title is in capitals", "Write it with capitals where it needs them.")
            elif re.search(r"[a-z][:;,][A-Za-z]|\w\s[:;,]|[a-z]\.$", title):
                message = "the title has a space too many or too few, or a full stop at its end"
                yield Finding(entry, place, message, "Write it as printed, in one line.")
            elif found := re.search(r"``|''|--|\w\^\w", title):
                message = f"the title holds {found[0]!r}, which is LaTeX"
                yield Finding(entry, place, message, "Write it as printed: “ ”, – or a raised letter.")


@_check("odd-author", "hint")
def _odd_author(corpus: Corpus) -> Iterator[Finding]:
    """An author is a person or a group: no ``et al.``, no digits, quotes or brackets, not in capitals, not one word."""
    for entry in corpus.entries:
        for index, name in enumerate(entry.paper.authors):
            if re.search(r"\d|[\"“”*@(){}\[\]]|^'|\bet al\b", name) or (name.isupper() and len(name) > 5):
                yield Finding(entry, ("authors", index), f"{name!r} is no name", "Write it as the paper prints it.")
            elif len(name.split()) == 1:
                message = f"{name!r} is one word, perhaps half a name"
                yield Finding(entry, ("authors", index), message, "Write the full name, as the paper prints it.")


@_check("base-typo", "hint")
def _base_typo(corpus: Corpus) -> Iterator[Finding]:
    """An id of ``builds_on`` that is nothing known is not almost a known one."""
    for entry, place, base in _unknown_bases(corpus):
        if near := nearest(base, _known_bases(corpus), cutoff=0.85):
            message = f"builds on {base!r}, which is almost {near!r}"
            yield Finding(entry, place, message, f"If that is meant, write {near}.")


@_check("unknown-base", "hint")
def _unknown_base(corpus: Corpus) -> Iterator[Finding]:
    """``builds_on`` names what runs here, the slug of a record's method name, a record's id, or a technique.

    What methods rest on without a record of its own (``lora``) is a term of ``catalog/vocabularies/technique.yaml``.
    """
    for entry, place, base in _unknown_bases(corpus):
        if nearest(base, _known_bases(corpus), cutoff=0.85) is None:
            hint = "Add it to catalog/vocabularies/technique.yaml, or add the record that proposes it."
            yield Finding(entry, place, f"builds on {base!r}, which is nothing known", hint)


@_check("ambiguous-base", "hint")
def _ambiguous_base(corpus: Corpus) -> Iterator[Finding]:
    """Where several records propose a method of one name, ``builds_on`` names the record that is meant."""
    runs = {one.id for one in corpus.implementations}
    for entry, place, base in _bases(corpus):
        owners = corpus.by_method.get(base, ())
        if base not in runs and len(owners) > 1:
            ids = ", ".join(owner.paper.id for owner in owners)
            yield Finding(
                entry, place, f"builds on {base!r}, a name that several methods share", f"Write one of: {ids}."
            )


def _bases(corpus: Corpus) -> Iterator[tuple[Entry, Place, str]]:
    for entry in corpus.entries:
        for index, base in enumerate(entry.paper.method.builds_on if entry.paper.method else ()):
            yield entry, ("method", "builds_on", index), base


def _known_bases(corpus: Corpus) -> set[str]:
    return corpus.method_ids | set(corpus.vocabularies.get("technique", ()))


def _unknown_bases(corpus: Corpus) -> Iterator[tuple[Entry, Place, str]]:
    known = _known_bases(corpus) | set(corpus.by_id)
    return ((entry, place, base) for entry, place, base in _bases(corpus) if base not in known)


@_check("unknown-successor")
def _unknown_successor(corpus: Corpus) -> Iterator[Finding]:
    """A superseded paper names the record that supersedes it, which exists and is another one."""
    for entry in corpus.entries:
        by = entry.paper.state.by if entry.paper.state else None
        if by == entry.paper.id:
            yield Finding(entry, ("state", "by"), "superseded by itself", "Name the newer record, or delete the line.")
        elif by and by not in corpus.by_id:
            hint = did_you_mean(by, corpus.by_id) or "Add the newer record, or delete the line."
            yield Finding(entry, ("state", "by"), f"superseded by {by!r}, which is no record", hint)


# What runs ----------------------------------------------------------------------------------------


@_check("no-implementation", "hint")
def _no_implementation(corpus: Corpus) -> Iterator[Finding]:
    """A paper that proposes a method leads to something that runs: its own, what it builds on, or a relative."""
    for entry in corpus.entries:
        if "method" in entry.paper.contributions and not entry.paper.implementations and corpus.implementations:
            place: Place = ("implementations",) if ("implementations",) in entry.tree.values else ("type",)
            family = entry.paper.family[0] if entry.paper.family else None
            near = next((one.id for one in corpus.implementations if family and one.family == family), None)
            hint = f"Add the nearest: implementations: - {{id: {near or 'gradient-ascent'}, relation: related}}"
            yield Finding(entry, place, "a method that leads to nothing that runs", hint)


@_check("closer-link", "hint")
def _closer_link(corpus: Corpus) -> Iterator[Finding]:
    """A paper whose method builds on something that runs here links to that, not to a relative only."""
    for entry in corpus.entries:
        links = entry.paper.implementations
        if "method" in entry.paper.contributions and {link.relation for link in links} <= {"related"}:
            bases = entry.paper.method.builds_on if entry.paper.method else ()
            runs = next((one for base in bases for one in _runs_for(corpus, base)), None)
            if runs:
                place: Place = ("implementations",) if links else ("method", "builds_on")
                message = f"what the method builds on runs here, as {runs!r}, and is not linked"
                yield Finding(entry, place, message, f"Write implementations: - {{id: {runs}, relation: extends}}")


def _runs_for(corpus: Corpus, base: str) -> Iterator[str]:
    """The methods that run and that an id of ``builds_on`` names, directly or by a record that introduces them."""
    methods = {one.id for one in corpus.implementations if one.kind == "method"}
    if base in methods:
        yield base
        return
    named = corpus.by_method.get(base, ())
    for entry in (corpus.by_id[base],) if base in corpus.by_id else named[:1]:
        yield from (it.id for it in entry.paper.implementations if it.relation == "introduces" and it.id in methods)


@_check("unknown-implementation")
def _unknown_implementation(corpus: Corpus) -> Iterator[Finding]:
    """A linked implementation exists: a method or a task of ``reference_impls/``."""
    for entry in corpus.entries:
        for index, link in enumerate(entry.paper.implementations):
            if link.id not in corpus.implementation_ids:
                names = {one.name: one.id for one in corpus.implementations}
                otherwise = f"What runs: {', '.join(corpus.implementation_ids) or 'nothing yet'}."
                hint = did_you_mean(link.id, corpus.implementation_ids, names) or otherwise
                yield Finding(entry, ("implementations", index, "id"), f"no implementation {link.id!r}", hint)


@_check("unknown-paper")
def _unknown_paper(corpus: Corpus) -> Iterator[Finding]:
    """The ``paper`` of a file that runs is the id of a record."""
    for one in corpus.implementations:
        if one.paper not in corpus.by_id:
            hint = did_you_mean(one.paper, corpus.by_id) or "Add that record, or correct the id."
            yield Finding(one, (), f"{one.kind} {one.id!r} follows {one.paper!r}, which is no record", hint)


@_check("one-way-link")
def _one_way_link(corpus: Corpus) -> Iterator[Finding]:
    """Links go both ways: the record that a file follows links to that file."""
    for one in corpus.implementations:
        entry = corpus.by_id.get(one.paper)
        if entry and one.id not in {link.id for link in entry.paper.implementations}:
            message = f"{one.kind} {one.id!r} follows {one.paper!r}, but {entry.paper.file} does not link back"
            hint = f"Add to that record's implementations: - {{id: {one.id}, relation: introduces}}"
            yield Finding(one, (), message, hint)


@_check("duplicate-implementation")
def _duplicate_implementation(corpus: Corpus) -> Iterator[Finding]:
    """No two methods, tasks or attacks share an id, which is the file's name: commands and addresses use it alone."""
    first: dict[str, Implementation] = {}
    for one in corpus.implementations:
        other = first.setdefault(one.id, one)
        if other is not one:
            yield Finding(one, (), f"the id {one.id!r} is taken by {other.file}", "Rename one of the two files.")


@_check("implementation-family")
def _implementation_family(corpus: Corpus) -> Iterator[Finding]:
    """The folder of a method's file, with dashes, is a family of ``catalog/vocabularies/family.yaml``."""
    families = corpus.vocabularies.get("family")
    for one in corpus.implementations:
        if families and one.kind == "method" and one.family not in families:
            yield Finding(one, (), f"unknown family {one.family!r}", _instead(one.family, families))


@_check("result-of-unknown")
def _result_of_unknown(corpus: Corpus) -> Iterator[Finding]:
    """A committed result is of a method (or ``target`` or ``retrained``) and of a task that exist."""
    methods = [*REFERENCES, *(one.id for one in corpus.implementations if one.kind == "method")]
    tasks = [one.id for one in corpus.implementations if one.kind == "task"]
    for file, result in corpus.results.items():
        for kind, name, known in (("method", result.method, methods), ("task", result.task, tasks)):
            if name not in known:
                hint = did_you_mean(name, known) or "Delete the result, or restore what it measured."
                yield Finding(file, (), f"result of the {kind} {name!r}, which does not exist", hint)


@_check("claim-of-unknown")
def _claim_of_unknown(corpus: Corpus) -> Iterator[Finding]:
    """A claim of ``reference_impls/claims.yaml`` is about a method, a task, a comparison and a paper that exist."""
    methods = [one.id for one in corpus.implementations if one.kind == "method"]
    tasks = [one.id for one in corpus.implementations if one.kind == "task"]
    measures = sorted({name for one in corpus.results.values() for name in one.metrics | one.attacks})
    named: list[tuple[Claim, Place, str, str, list[str]]] = []
    for index, claim in corpus.claims.by_index.items():
        named.append((claim, (index, "method"), "method", claim.method, methods))
        named.append((claim, (index, "paper"), "paper", claim.paper, list(corpus.by_id)))
        for row, one in enumerate(claim.evidence):
            at: Place = (index, "evidence", row)
            named.append((claim, (*at, "task"), "task", one.task, tasks))
            named.append((claim, (*at, "measure"), "measure", one.measure, measures))
            named.append((claim, (*at, "of"), "comparison", one.of, [*REFERENCES, *methods, *measures]))
    for claim, place, kind, name, known in named:
        if name not in known:
            others = "Add its record first." if kind == "paper" else f"There is: {', '.join(known)}."
            hint = did_you_mean(name, known) or others
            message = f"a claim about {claim.method!r} names the {kind} {name!r}, which is none"
            yield Finding(TermPlace(CLAIMS_FILE, corpus.claims.mark(place)), (), message, hint)


@_check("guide-to-unknown")
def _guide_to_unknown(corpus: Corpus) -> Iterator[Finding]:
    """Reading paths and the glossary (``site/*.yaml``) name records, things that run and terms that exist."""
    known: dict[str, list[str]] = {"paper": list(corpus.by_id)}
    for kind in ("method", "task", "attack"):
        known[kind] = [one.id for one in corpus.implementations if one.kind == kind]
    named: list[tuple[str, Place, str, str]] = []
    for path in corpus.guide.paths:
        named += [(PATHS_FILE, (path.id, index), step.kind, step.id) for index, step in enumerate(path.steps)]
    known["term"] = [one.id for one in corpus.guide.glossary]
    for one in corpus.guide.glossary:
        named += [(GLOSSARY_FILE, (one.id,), "paper", one.paper)] if one.paper else []
        named += [(GLOSSARY_FILE, (one.id,), "term", other) for other in one.see]
    for name, place, kind, ident in named:
        if kind in known and ident not in known[kind]:
            (file, mark) = next(
                (file, mark) for (file, at), mark in corpus.guide.marks.items() if at == place and file.endswith(name)
            )
            hint = did_you_mean(ident, known[kind]) or "Name another one, or delete the line."
            yield Finding(TermPlace(file, mark), (), f"names the {kind} {ident!r}, which does not exist", hint)


@_check("dataset-of-unknown")
def _dataset_of_unknown(corpus: Corpus) -> Iterator[Finding]:
    """The ``paper`` of a dataset is the record that introduces it."""
    vocabulary = corpus.vocabularies.get("dataset")
    if vocabulary is None or not vocabulary.file:
        return
    for term in vocabulary.terms:
        if isinstance(term, DatasetTerm) and term.paper and term.paper not in corpus.by_id:
            message = f"the dataset {term.id!r} is introduced by {term.paper!r}, which is no record"
            hint = did_you_mean(term.paper, corpus.by_id) or "Add the record, or delete the line."
            yield Finding(TermPlace(vocabulary.file, vocabulary.marks[term.id]), (), message, hint)
