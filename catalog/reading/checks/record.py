"""A record by itself, beyond its schema: links, dates, wording."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.base.names import in_reading_order, is_group, names_in
from catalog.base.text import same_title
from catalog.model.registries import ACL, ARXIV, behind_doi, held_alone
from catalog.parsing.tree import Place
from catalog.reading.checks.corpus import (
    Corpus,
    Finding,
    check,
    places,
)
from catalog.reading.entry import Entry

MECHANISM_WORDS = 25
SUMMARY_WORDS = 60


@check("no-text", alone=True)
def _no_text(corpus: Corpus) -> Iterator[Finding]:
    """A record leads to the paper: by arXiv, Anthology, OpenReview or DOI id, or by the address of its page."""
    for entry in corpus.entries:
        links = entry.paper.links
        if not (links.arxiv or links.acl or links.openreview or links.doi or links.url):
            message = "no link leads to the paper's text"
            yield Finding(entry, ("links",), message, "Add one of: arxiv, acl, openreview, doi, url.")


@check("late-date", "hint", alone=True)
def _late_date(corpus: Corpus) -> Iterator[Finding]:
    """``date`` is the first public version's, so it is not after the month that the arXiv id stands for."""
    for entry in corpus.entries:
        match = re.fullmatch(r"(\d\d)(\d\d)\.\d+", entry.paper.links.arxiv or "")
        if match and entry.paper.date[:7] > f"20{match[1]}-{match[2]}":
            message = f"the date {entry.paper.date} is after the arXiv id's month, 20{match[1]}-{match[2]}"
            yield Finding(entry, ("date",), message, "The date is that of the first public version.")


@check("too-early", "hint", alone=True)
def _too_early(corpus: Corpus) -> Iterator[Finding]:
    """Nobody takes in a paper, or looks its facts up, before the month in which it came out."""
    for entry in corpus.entries:
        paper = entry.paper
        for path, day in ((("added",), paper.added), (("provenance", "checked"), paper.provenance.checked)):
            if day and day[: len(paper.date)] < paper.date[: len(day)]:
                message = f"{path[-1]} is {day}, before the paper came out ({paper.date})"
                yield Finding(entry, path, message, "One of them is wrong; perhaps the clock of the machine was.")


@check("venue-year", "hint", alone=True)
def _venue_year(corpus: Corpus) -> Iterator[Finding]:
    """A venue's year is near that of the first public version: at most one before it, and three after it."""
    for entry in corpus.entries:
        venue = entry.paper.venue
        if venue and not -1 <= venue.year - entry.paper.year <= 3:
            message = f"published in {venue.year}, but first public in {entry.paper.year}"
            yield Finding(entry, ("venue", "year"), message, "Look both up; one of them is probably wrong.")


@check("derived-doi", alone=True)
def _derived_doi(corpus: Corpus) -> Iterator[Finding]:
    """``doi`` is the publisher's. arXiv's is derived from the arXiv id, and one of the Anthology agrees with its id."""
    for entry in corpus.entries:
        links = entry.paper.links
        doi = (links.doi or "").casefold()
        key, ident = behind_doi(doi)
        if key == ARXIV.key:
            hint = f'Delete the line; links.arxiv is "{ident}".'
            yield Finding(entry, ("links", "doi"), "the DOI is that of the preprint, which its id gives", hint)
        ident = doi.removeprefix(ACL.doi_prefix)
        if ACL.gave(doi) and links.acl and ident != ACL.comparable(links.acl):
            message = f"the DOI is that of {ident}, but the Anthology id is {links.acl}"
            yield Finding(entry, ("links", "doi"), message, "Look it up, and correct one of the two.")


@check("link-form", "hint", alone=True)
def _link_form(corpus: Corpus) -> Iterator[Finding]:
    """A link is canonical: an id where there is one, https, no tracking, no ``.git`` or main branch at the end."""
    for entry in corpus.entries:
        links = entry.paper.links
        for key in ("url", "code", "project", "data"):
            address = getattr(links, key) or ""
            if registry := held_alone(address):
                message, hint = f"the address holds an id of links.{registry.key}", f"Move it to {registry.key}:"
                yield Finding(entry, ("links", key), message, hint)
            elif re.search(r"[?&#]utm_|\.git/?$|/tree/(?:main|master)/?$", address):
                short = re.sub(r"[?&#]utm_.*|\.git/?$|/tree/(?:main|master)/?$", "", address)
                yield Finding(entry, ("links", key), "the address is longer than it need be", f"Write {short}")
            elif re.match(r"http://(?:www\.)?(?:github\.com|huggingface\.co|[\w-]+\.github\.io)\b", address):
                yield Finding(entry, ("links", key), "the address is insecure", f"Write https{address[4:]}")


@check("no-family", "hint", alone=True)
def _no_family(corpus: Corpus) -> Iterator[Finding]:
    """A paper that proposes a method says of which family it is, so that it is listed there."""
    for entry in corpus.entries:
        if "method" in entry.paper.contributions and not entry.paper.family:
            place: Place = ("family",) if ("family",) in entry.tree.values else ("type",)
            yield Finding(entry, place, "a method without a family", "Add a line like: family: [relabeling]")


@check("long-mechanism", alone=True)
def _long_mechanism(corpus: Corpus) -> Iterator[Finding]:
    """What a method does is said in at most 25 words."""
    for entry in corpus.entries:
        mechanism = (entry.paper.method and entry.paper.method.mechanism) or ""
        if (count := len(mechanism.split())) > MECHANISM_WORDS:
            message = f"the mechanism has {count} words"
            yield Finding(entry, ("method", "mechanism"), message, f"Say it in at most {MECHANISM_WORDS}.")


@check("long-summary", "hint", alone=True)
def _long_summary(corpus: Corpus) -> Iterator[Finding]:
    """A summary is one or two sentences, at most 60 words."""
    for entry in corpus.entries:
        if (count := len((entry.paper.summary or "").split())) > SUMMARY_WORDS:
            message = f"the summary has {count} words"
            yield Finding(entry, ("summary",), message, f"Say it in at most {SUMMARY_WORDS}.")


@check("same-text")
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


@check("odd-title", "hint", alone=True)
def _odd_title(corpus: Corpus) -> Iterator[Finding]:
    """A title has its capitals, spaces and signs: not all capitals, no full stop at the end, a space after a colon.

    Quotes and dashes are those of print, not LaTeX's.
    """
    for entry in corpus.entries:
        for place, title in [(("title",), entry.paper.title), *places("former_titles", entry.paper.former_titles)]:
            letters = [letter for letter in title if letter.isalpha()]
            if len(letters) > 12 and all(letter.isupper() for letter in letters):
                yield Finding(entry, place, "the title is in capitals", "Write it with capitals where it needs them.")
            elif re.search(r"[a-z][:;,][A-Za-z]|\w\s[:;,]|[a-z]\.$", title):
                message = "the title has a space too many or too few, or a full stop at its end"
                yield Finding(entry, place, message, "Write it as printed, in one line.")
            elif match := re.search(r"``|''|--|`|\w~\w|\w\^\w|\b[A-Za-z]_\w\b", title):
                message = f"the title holds {match[0]!r}, which is LaTeX"
                yield Finding(entry, place, message, "Write it as printed: “ ”, –, a space, R² or H₂O.")


@check("odd-author", "hint", alone=True)
def _odd_author(corpus: Corpus) -> Iterator[Finding]:
    """An author is one person, given name first, or a group.

    No ``et al.``, no digits, quotes or brackets, not in capitals, not one word, not two people in one entry.
    """
    for entry in corpus.entries:
        for index, name in enumerate(entry.paper.authors):
            if re.search(r"\d|[\"“”*@(){}\[\]]|^'|\bet al\b", name) or (name.isupper() and len(name) > 5):
                yield Finding(entry, ("authors", index), f"{name!r} is no name", "Write it as the paper prints it.")
            elif len(people := names_in(name)) > 1:
                hint = f"Write [{', '.join(map(in_reading_order, people))}], if they are."
                yield Finding(entry, ("authors", index), f"{name!r} is perhaps {len(people)} people", hint)
            elif "," in name and not is_group(name):
                message = f"{name!r} holds a comma, as where the family name comes first"
                yield Finding(entry, ("authors", index), message, f"Write {in_reading_order(name)}")
            elif len(name.split()) == 1:
                message = f"{name!r} is one word, perhaps half a name"
                yield Finding(entry, ("authors", index), message, "Write the full name, as the paper prints it.")
