"""``catalog discover``: papers that the catalog may lack, from all sources, ranked by rules that anybody can follow.

The rules are ``catalog/discovery.yaml``. Every candidate says which words spoke for it, and a person decides: what
stays in the list is added with ``catalog add --batch``, what does not belong goes into ``not-relevant``.
"""

from catalog.intake.discovery.candidates import Candidate, Discovery, as_batch, as_markdown, as_text
from catalog.intake.discovery.looking import SOURCES, Window, discover, start_of
from catalog.intake.discovery.relevance import Relevance, relevance
from catalog.intake.discovery.rules import RULES, Rules, RulesError, read_rules

__all__ = [
    "RULES",
    "SOURCES",
    "Candidate",
    "Discovery",
    "Relevance",
    "Rules",
    "RulesError",
    "Window",
    "as_batch",
    "as_markdown",
    "as_text",
    "discover",
    "read_rules",
    "relevance",
    "start_of",
]
