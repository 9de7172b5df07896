"""What arXiv, the ACL Anthology, OpenReview, DOI registries and BibTeX say about a paper.

Each source is one module that turns its answer into :class:`Found`; nothing is guessed on the way, and what a source
does not say is absent. :class:`Sources` picks the right one for a :class:`~catalog.intake.sources.reference.Reference`.
"""

from catalog.intake.sources.found import Found
from catalog.intake.sources.lookup import Sources, read_saved
from catalog.intake.sources.reference import Reference, References, parse_reference, references

__all__ = ["Found", "Reference", "References", "Sources", "parse_reference", "read_saved", "references"]
