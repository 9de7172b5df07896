"""Rules that need more than one record: vocabularies, implementations, results, other records.

A check is one small function over the :class:`Corpus`. It yields findings that name a place in a record
(``("links", "arxiv")``); the line and column come from the record's own tree. Its docstring is its
documentation, its id is the problem's code. ``ALL_CHECKS`` lists them.
"""

# In the order in which problems are documented.
from catalog.reading.checks import ids  # isort: skip
from catalog.reading.checks import duplicates  # isort: skip
from catalog.reading.checks import terms  # isort: skip
from catalog.reading.checks import record  # isort: skip
from catalog.reading.checks import reported  # isort: skip
from catalog.reading.checks import bases  # isort: skip
from catalog.reading.checks import running  # isort: skip
from catalog.reading.checks.corpus import ALL_CHECKS, NO_ID, Corpus, run_checks

__all__ = [
    "ALL_CHECKS",
    "NO_ID",
    "Corpus",
    "bases",
    "duplicates",
    "ids",
    "record",
    "reported",
    "run_checks",
    "running",
    "terms",
]
