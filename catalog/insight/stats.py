"""What the catalog holds, and where it is thin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, get_args

from catalog.insight.currency import Currency, currency
from catalog.insight.lineage import wanted
from catalog.model.catalog import Catalog
from catalog.model.marks import closest_relation
from catalog.model.paper import Paper, Relation


def statistics(catalog: Catalog) -> dict[str, Any]:
    """Counts, ready for JSON; the shape is documented, and scripts rely on it.

    Returns:
        ``papers``; ``by_type`` (primary contribution), ``by_family``, ``by_target`` and ``by_dataset`` (a paper
        counts once under each of its terms; every term is there, in the vocabulary's order); ``by_year`` (newest
        first); ``coverage`` (each paper once, under its best relation to something that runs, or ``none``);
        ``with_code``; ``authors``; ``implementations`` (``methods`` and ``tasks``); ``results``; and
        ``families_without_method`` (families in which no method runs yet); ``coverage_by_family`` and
        ``coverage_by_year`` (``coverage`` for the papers of each family, in which those count that propose a method,
        and of each year); ``wanted`` (methods that most papers build on and that do not run here); and ``current``
        (``newest`` date; ``last`` day of which a record tells; numbers of papers ``not_compared_for_a_year``,
        ``never_compared`` and ``without_source``, and of those whose venue is expected, ``venues_expected``).
    """
    types = Counter(paper.type for paper in catalog.papers)
    running = {method.family for method in catalog.methods}
    return {
        "papers": len(catalog.papers),
        "by_type": {term: types[term] for term in catalog.vocabularies["type"].ids},
        "by_family": {term: len(papers) for term, papers in catalog.by_family.items()},
        "by_target": {term: len(papers) for term, papers in catalog.by_target.items()},
        "by_dataset": {term: len(papers) for term, papers in catalog.by_dataset.items()},
        "by_year": {str(year): len(papers) for year, papers in catalog.by_year.items()},
        "coverage": _coverage(catalog.papers),
        "with_code": sum(paper.links.code is not None for paper in catalog.papers),
        "authors": len(catalog.by_author),
        "implementations": {"methods": len(catalog.methods), "tasks": len(catalog.tasks)},
        "results": len(catalog.results),
        "families_without_method": [term for term in catalog.vocabularies["family"].ids if term not in running],
        "coverage_by_family": {
            term: _coverage(paper for paper in papers if "method" in paper.contributions)
            for term, papers in catalog.by_family.items()
        },
        "coverage_by_year": {str(year): _coverage(papers) for year, papers in catalog.by_year.items()},
        "wanted": [
            {"id": method.base.id, "label": method.base.label, "papers": len(method.papers)}
            for method in wanted(catalog)
        ],
        "current": _current(currency(catalog)),
    }


def _current(current: Currency) -> dict[str, Any]:
    return {
        "newest": current.newest[0].date if current.newest else None,
        "last": current.last or None,
        "not_compared_for_a_year": len(current.not_for_a_year),
        "never_compared": len(current.never),
        "without_source": len(current.without_source),
        "venues_expected": len(current.expected),
    }


def _coverage(papers: Iterable[Paper]) -> dict[str, int]:
    counts: Counter[str] = Counter(closest_relation(paper) or "none" for paper in papers)
    return {relation: counts[relation] for relation in (*get_args(Relation), "none")}
