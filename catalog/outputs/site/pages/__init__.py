"""Every generated page, by subject: each module declares some.

Addresses are files (``papers/zhang2024negative.html``), so that they also open from a disk. A filter of the
papers' index (a family, a type, a data set, a year) is a page of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.outputs.site.page import Page, made
from catalog.outputs.site.pages import (
    answers,
    authors,
    field,
    groups,
    home,
    implementations,
    papers,
    reference,
    results,
)
from catalog.outputs.site.site import Site

SUBJECTS = (home, papers, implementations, answers, results, field, authors, groups, reference)
"""Importing a module declares its pages."""


def all_pages(site: Site) -> Iterator[Page]:
    """Every page, in a fixed order."""
    return made(site)
