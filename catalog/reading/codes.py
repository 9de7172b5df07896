"""Every code that a problem can have, with what it means: for the documentation."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.parsing.problems import Severity
from catalog.reading.checks import ALL_CHECKS


@dataclass(frozen=True)
class Code:
    """One kind of problem."""

    id: str
    severity: Severity
    doc: str


# The form of a file, then the fields of a record, then what runs: in the order in which they are met.
_READING = {
    "too-large": "A file is larger than 256 KB.",
    "unreadable": "A file cannot be opened.",
    "not-utf-8": "A file is UTF-16, or holds a byte that is not UTF-8.",
    "control-character": "A file holds a control character, which often comes along from a PDF.",
    "lost-letter": "A file holds U+FFFD, which programs write for a letter that they cannot read.",
    "tab": "A file holds a tab; YAML is indented with spaces.",
    "empty-file": "A file holds nothing.",
    "bad-yaml": "A file cannot be parsed as YAML.",
    "several-documents": "A file holds more than one YAML document.",
    "anchor": "A file uses a YAML anchor or alias, with which a few bytes can stand for gigabytes.",
    "tag": "A file uses a YAML tag.",
    "too-many-values": "A file holds more values than any record needs.",
    "too-deep": "A file is nested deeper than any record needs.",
    "bad-key": "A key is not a word.",
    "duplicate-key": "A key is given twice.",
    "stray-file": "A file of ``papers/`` is no record by its name, place or kind.",
    "bad-id": "An id, such as a file's name, has not the form of one.",
    "id-mismatch": "A record says another id than its file's name.",
    "missing-key": "A key that every record needs is missing.",
    "unknown-key": "A key is none of those that records have.",
    "wrong-type": "A list, keys with values and plain text are mixed up.",
    "needs-quotes": "YAML reads a text without quotes as a number, as true or false, or its end as a comment.",
    "empty-value": "A key has no value.",
    "unknown-value": "A value is none of the few that are possible.",
    "too-short": "A value is too short to mean anything.",
    "too-long": "A text or a list is longer than its place on a page.",
    "bad-value": "A value is wrong in a way that has no code of its own.",
    "bad-date": "A date is not written as YYYY-MM or YYYY-MM-DD, or is not in the calendar.",
    "bad-year": "A year is not written in four digits, without quotes.",
    "bad-number": "A value is not a finite number, without quotes.",
    "bad-source": "A reported number does not say where in the paper it stands, as in Table 2.",
    "bad-link": "A link is not an http or https address.",
    "bad-arxiv": "An arXiv id has not the form of one, or tells a month that there is not.",
    "bad-acl": "An ACL Anthology id has not the form of one.",
    "bad-openreview": "An OpenReview id has not the form of one.",
    "bad-doi": "A DOI has not the form of one.",
    "invisible-character": "A text holds a character that nobody sees.",
    "html-in-text": "A text holds HTML; texts are plain.",
    "markdown-in-text": "A text holds Markdown; texts are plain.",
    "latex-in-text": "A text holds LaTeX; texts are plain Unicode.",
    "spacing": "A text has spaces at its ends, several in a row, or line breaks.",
    "duplicate-term": "A vocabulary defines a term twice.",
    "unformattable": "``catalog fmt`` cannot lay a file out without losing a comment.",
    "bad-redirect": "An old id leads to no record, or is one.",
    "bad-python": "A file of ``reference_impls/`` cannot be parsed as Python.",
    "no-docstring": "A method or task file has no docstring, which is its page; or a family's folder has none.",
    "no-class": "A method or task file declares no method or task.",
    "undeclared": "A method or task does not say which paper it follows, or how it acts.",
    "no-family-folder": "A method's file is not in a family's folder, ``methods/<family>/``.",
    "stated-family": "A method says its family, which is its folder already.",
    "bad-acts-on": "A method says that it acts on something unknown.",
    "bad-need": "A method declares what it needs with a value that is none of the possible ones.",
    "bad-recipe": "A method declares the recipe that was published for it in a way that nothing can run.",
    "bad-hyperparameter": "A hyper-parameter is not declared in literals.",
    "bad-claim": "A claim of ``reference_impls/claims.yaml`` has not the form of one.",
    "bad-metric": "A definition of ``metrics/metrics.yaml`` has not the form of one, or is there twice.",
    "bad-architectures": "``models/architectures.json`` is not one that ``unlearn architectures`` wrote.",
    "bad-pools": "A task's ``pools.json`` is not one that ``unlearn bench metrics`` wrote.",
    "bad-search": "A task's ``search.json`` is not one that ``unlearn tune`` wrote.",
    "bad-result": "A committed result is not one that ``unlearn`` wrote.",
}
_HINTS = {
    "redundant-id": "A record repeats the id that its file's name gives.",
    "unchecked-suggestion": "A record holds what ``catalog add`` suggested, and nobody has confirmed it.",
}

ALL_CODES: tuple[Code, ...] = (
    *(Code(code, "error", doc) for code, doc in _READING.items()),
    *(Code(code, "hint", doc) for code, doc in _HINTS.items()),
    *(Code(check.id, check.severity, check.doc) for check in ALL_CHECKS),
)
