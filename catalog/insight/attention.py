"""What people should look at: not wrong, but thin, old or easy to mix up. Checks find what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.base.text import same_title, words
from catalog.insight.currency import Currency, currency, looked_at
from catalog.insight.lineage import wanted
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.parsing.problems import Problem

_OLD_YEARS = 2
_TRIED_ON_METHODS = ("attack", "benchmark", "evaluation")
"""Types of papers that say how others' methods fare."""


@dataclass(frozen=True)
class Finding:
    """One kind of thing to look at, with everything of that kind."""

    id: str
    title: str
    advice: str
    lines: tuple[str, ...]


def report(catalog: Catalog, problems: Iterable[Problem]) -> list[Finding]:
    """Everything to look at; kinds of which there is nothing are left out. No clock: old is older than the newest.

    Args:
        catalog: what to look through.
        problems: what loading it found, hints for the most part.
    """
    return [finding for finding in _findings(catalog, problems) if finding.lines]


def _findings(catalog: Catalog, problems: Iterable[Problem]) -> Iterator[Finding]:
    counted = Counter(problem.code for problem in problems)
    yield Finding(
        "hints",
        "Hints of the checks",
        "`catalog validate` shows each with its line.",
        tuple(f"{code}: {count}" for code, count in sorted(counted.items())),
    )
    yield from _currency(currency(catalog))
    newest = max((paper.year for paper in catalog.papers), default=0)
    yield _papers(
        "old-preprints",
        f"Preprints of {newest - _OLD_YEARS} and before without a venue",
        "Most have been published by then: look them up.",
        (
            paper
            for paper in catalog.papers
            if paper.links.arxiv and not paper.venue and paper.year <= newest - _OLD_YEARS
        ),
    )
    yield _papers(
        "no-summary",
        "Papers without a summary",
        "One or two sentences in our own words: what it offers, and why one would open it.",
        (paper for paper in catalog.papers if not paper.summary),
    )
    yield _papers(
        "no-mechanism",
        "Methods without a mechanism",
        "Say what it does to the model, in at most 25 words.",
        (paper for paper in catalog.papers if paper.type == "method" and not (paper.method and paper.method.mechanism)),
    )
    yield _papers(
        "no-method-tried",
        "Attacks, benchmarks and evaluations that name no method that they were tried on",
        "Where methods that run here are among those of the paper, link them with `relation: evaluates`.",
        (paper for paper in catalog.papers if paper.type in _TRIED_ON_METHODS and not _tried(catalog, paper)),
    )
    yield _papers(
        "by-hand",
        "Records whose facts nobody has compared with their source",
        "`provenance.source` is `hand`: look the paper up, correct the record, and name the source.",
        (paper for paper in catalog.papers if paper.provenance.source == "hand"),
    )
    yield _papers(
        "gone",
        "Papers that were withdrawn, retracted, superseded or revised",
        "They are shown as such; nothing is to be done unless that changes.",
        (paper for paper in catalog.papers if paper.state),
    )
    yield Finding(
        "same-name",
        "Names that several methods share",
        "`builds_on` names the record where the name is one of these.",
        tuple(
            f"{papers[0].method.name}: {', '.join(paper.id for paper in papers)}"
            for _, papers in sorted(catalog.bases.by_name.items())
            if len(papers) > 1 and papers[0].method
        ),
    )
    yield Finding(
        "same-author-twice",
        "Papers that name one author twice",
        "Two people may share a name; otherwise delete one.",
        tuple(
            f"{paper.id}: {name}"
            for paper in catalog.papers
            for name, count in Counter(paper.authors).items()
            if count > 1
        ),
    )
    yield Finding(
        "spellings",
        "Authors in two spellings",
        "The same letters but for case, accents or spacing: use the one that they use.",
        tuple(_spellings(catalog)),
    )
    yield Finding(
        "forms",
        "Authors with and without a middle name",
        "Perhaps one person: if so, use the form that most of the papers print.",
        tuple(_forms(catalog)),
    )
    yield Finding(
        "kept-terms",
        "Terms that no record uses",
        "They say why they are kept.",
        tuple(
            f"{name}: {term.id} ({term.kept})"
            for name, vocabulary in catalog.vocabularies.items()
            for term in vocabulary.terms
            if term.kept
        ),
    )
    yield Finding(
        "no-link",
        "Data sets and venues without a link",
        "A link tells namesakes apart.",
        tuple(
            f"{name}: {term.id}"
            for name in ("dataset", "venue")
            for term in catalog.vocabularies[name].terms
            if not term.link
        ),
    )
    yield Finding(
        "not-measured",
        "Methods that were not measured yet",
        "`unlearn tune ID` finds the recipe, `unlearn bench ID` the results; both are committed.",
        tuple(_not_measured(catalog)),
    )
    claimed = {judged.claim.method for judged in catalog.claims}
    yield Finding(
        "no-claim",
        "Methods of which nothing is claimed",
        "A sentence of the paper and the numbers that would bear it out, in reference_impls/claims.yaml.",
        tuple(f"{method.id}: {method.file}" for method in catalog.methods if method.id not in claimed),
    )
    yield Finding(
        "wanted",
        "Methods that others build on and that do not run here",
        "An implementation of one of these makes the most difference.",
        tuple(f"{method.base.label} ({method.base.id}): {len(method.papers)} papers" for method in wanted(catalog)),
    )


def _currency(current: Currency) -> Iterator[Finding]:
    """How current the catalog is."""
    newest = current.newest[:1]
    yield Finding(
        "current",
        "How current the catalog is",
        "`catalog discover` looks for newer papers, `catalog update` compares records with their sources.",
        (
            *(f"newest paper: {paper.id}, {paper.date}" for paper in newest),
            *(f"last day of which a record tells: {day}" for day in filter(None, (current.last,))),
            *(
                f"{year}: {per.papers} papers, {per.published} with a venue, {per.compared} compared within a year"
                for year, per in current.by_year.items()
            ),
        ),
    )
    yield Finding(
        "not-compared",
        "Records that nobody checked or compared with their sources for a year",
        "`catalog update --apply --age 365` does that, where they name a source that can be asked.",
        tuple(f"{paper.file}: {looked_at(paper)}" for paper in current.not_for_a_year),
    )
    never = Counter(paper.year for paper in current.never)
    yield Finding(
        "never-compared",
        "Records that were never compared with all of their sources, by year",
        "`catalog update --apply --age 365` does that.",
        tuple(f"{year}: {count} records" for year, count in sorted(never.items(), reverse=True)),
    )
    yield _papers(
        "venues-expected",
        "Papers of the last two years without a venue, oldest first",
        "Their publication is to be expected, or known to others: `catalog update` looks for it.",
        current.expected,
    )


def _not_measured(catalog: Catalog) -> Iterator[str]:
    """Methods by the tasks on which they have no result, of those tasks on which anything has."""
    measured = {(result.task, result.model, result.method) for result in catalog.results}
    models = {(task, model) for task, model, _ in measured}
    for method in catalog.methods:
        model = method.needs.embedded
        tasks = [task.id for task in catalog.tasks if (task.id, model) in models]
        missing = [task for task in tasks if (task, model, method.id) not in measured]
        if missing:
            yield f"{method.id}: {', '.join(missing)}"


def _papers(ident: str, title: str, advice: str, papers: Iterable[Paper]) -> Finding:
    return Finding(ident, title, advice, tuple(f"{paper.file}: {paper.title}" for paper in papers))


def _tried(catalog: Catalog, paper: Paper) -> bool:
    """Whether the paper names a method that runs as more than a relative."""
    named = (link for link in paper.implementations if link.relation != "related")
    return any(catalog.implementation_by_id[link.id].kind == "method" for link in named)


def _spellings(catalog: Catalog) -> Iterator[str]:
    spellings: dict[str, list[str]] = {}
    for name in catalog.by_author:
        spellings.setdefault(same_title(name), []).append(name)
    yield from (" / ".join(names) for _, names in sorted(spellings.items()) if len(names) > 1)


def _forms(catalog: Catalog) -> Iterator[str]:
    """Names of which one has all words of the other, the first and the last in the same place."""
    by_ends: dict[tuple[str, str], list[str]] = {}
    for name in catalog.by_author:
        said = words(name)
        if len(said) > 1:
            by_ends.setdefault((said[0], said[-1]), []).append(name)
    for _, names in sorted(by_ends.items()):
        short = min(names, key=lambda name: len(words(name)))
        longer = [name for name in names if set(words(short)) < set(words(name))]
        if longer:
            yield " / ".join((short, *longer))
