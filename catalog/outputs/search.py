"""Search over a catalog in memory: the rules of :mod:`catalog.outputs.answers.finding`, with the papers themselves."""

from __future__ import annotations

from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.outputs.answers.filling import answers_of
from catalog.outputs.answers.filters import ALL, Filters
from catalog.outputs.answers.finding import Answer, Finder


class Search:
    """Search over one catalog. Building it takes a moment, asking it less."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._find = Finder(answers_of(catalog))

    def __call__(self, query: str = "", filters: Filters = ALL) -> Answer[Paper]:
        """The papers that fit; see :meth:`catalog.outputs.answers.finding.Finder.__call__`."""
        answer = self._find(query, filters)
        papers, others = (tuple(self._catalog.by_id[ident] for ident in ids) for ids in (answer.papers, answer.others))
        return Answer(papers, answer.partial, answer.suggestion, others, answer.missing)
