"""An id agrees with the record that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.base.text import words
from catalog.reading.checks.corpus import (
    Corpus,
    Finding,
    check,
)
from catalog.reading.entry import Entry


@check("duplicate-id")
def _duplicate_id(corpus: Corpus) -> Iterator[Finding]:
    """No two records share an id, which is the file's name: it is the key in BibTeX and the page's address."""
    first: dict[str, Entry] = {}
    for entry in corpus.named:
        other = first.setdefault(entry.paper.id, entry)
        if other is not entry:
            message = f"the id {entry.paper.id!r} is taken by {other.paper.file}"
            hint = "If it is another paper, rename this file: add or change the word after the year."
            yield Finding(entry, (), message, hint)


@check("id-year", alone=True)
def _id_year(corpus: Corpus) -> Iterator[Finding]:
    """The year in the id is that of the record's date."""
    for entry in corpus.named:
        match = re.search(r"\d{4}", entry.paper.id)
        if match and int(match[0]) != entry.paper.year:
            message = f"the date is of {entry.paper.year}, but the id {entry.paper.id!r} says {match[0]}"
            yield Finding(entry, ("date",), message, "Correct the date, or rename the file.")


@check("id-author", alone=True)
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


@check("id-word", "hint", alone=True)
def _id_word(corpus: Corpus) -> Iterator[Finding]:
    """The id ends with a word of the title or of a former one, or with its beginning.

    One letter more tells namesakes apart.
    """
    for entry in corpus.named:
        match = re.fullmatch(r"\D+\d{4}(\D*).*", entry.paper.id)
        titles = (entry.paper.title, *entry.paper.former_titles)
        if match and not any(_names_title(match[1], title) for title in titles):
            message = f"the id {entry.paper.id!r} ends with no word of the title"
            hint = "Rename the file, or add the title that the id comes from to former_titles."
            yield Finding(entry, ("title",), message, hint)


def _names_title(word: str, title: str) -> bool:
    """Whether the word, perhaps with one letter more, begins one of the title's, or several that a hyphen joins."""
    parts = [re.sub(r"\d", "", "".join(words(part))) for part in title.split()]
    parts += [re.sub(r"\d", "", part) for part in words(title)]
    return any(part.startswith(word) or part == word[:-1] for part in parts)


@check("wrong-folder", alone=True)
def _wrong_folder(corpus: Corpus) -> Iterator[Finding]:
    """A record is in the folder of its date's year: ``papers/2024/`` for 2024-04."""
    for entry in corpus.entries:
        folder = entry.paper.file.split("/")[-2]
        if folder != str(entry.paper.year):
            message = f"the date is of {entry.paper.year}, but the file is in the folder {folder!r}"
            hint = f"Correct the date, or move the file to papers/{entry.paper.year}/."
            yield Finding(entry, ("date",), message, hint)
