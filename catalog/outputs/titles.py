"""By what papers are called for short: whoever types a name wants what bears it, however common its words are."""

from __future__ import annotations

import re

from catalog.base.text import same_title, words
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper

_FIRST_PART = re.compile(r"(?<=[?!]) |: | [\u2013\u2014-] ")
"""Where a title goes on to explain itself."""


def names_of(catalog: Catalog, paper: Paper) -> set[str]:
    """What a paper is called, each name as one word: titles, what comes first in them, its method, its benchmark."""
    titles = (paper.title, *paper.former_titles)
    names = [*titles, *(_FIRST_PART.split(title)[0] for title in titles), (paper.method and paper.method.name) or ""]
    if "benchmark" in paper.contributions:
        title = f" {' '.join(words(paper.title))} "
        labels = (catalog.vocabularies["dataset"][dataset].label for dataset in paper.datasets)
        names += [label for label in labels if f" {' '.join(words(label))} " in title]
    return {name for name in map(same_title, names) if name}
