"""What search looks through, of each paper: the columns of the database's table ``search``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.base.text import words
from catalog.model.catalog import Catalog
from catalog.model.facets import FACETS
from catalog.model.paper import Paper
from catalog.model.venues import edition_spellings
from catalog.model.vocabulary import Term
from catalog.outputs.spellings import Compounds


@dataclass(frozen=True)
class Searchable:
    """What search looks through, of one paper."""

    method: str
    title: str
    authors: str
    terms: str
    """What its terms are called in a word or by their labels, what runs, where and when it appeared."""
    phrases: str
    """What else its terms are called, in several words."""
    ids: str
    summary: str

    @classmethod
    def of(cls, catalog: Catalog, paper: Paper) -> Searchable:
        """That of a paper, as it is written."""
        linked = [link.id for link in paper.implementations if link.relation != "related"]
        runs = [name for ident in linked for name in (ident, catalog.implementation_by_id[ident].name)]
        terms = _terms(catalog, paper)
        short = (alias for term in terms for alias in term.aliases if " " not in alias)
        names = [*(name for term in terms for name in (term.id, term.label)), *short]
        editions = edition_spellings(paper.venue, catalog.vocabularies) if paper.venue else []
        where = [paper.appeared.label] if paper.appeared else []
        links = (paper.links.arxiv, paper.links.acl, paper.links.openreview, paper.links.doi)
        return cls(
            method=_lines(paper.method.name, paper.method.mechanism) if paper.method else "",
            title=_lines(paper.title, *paper.former_titles),
            authors=_lines(*paper.authors),
            terms=_lines(*names, *editions, *runs, *where, paper.date),
            phrases=_lines(*(alias for term in terms for alias in term.aliases if " " in alias)),
            ids=_lines(paper.id, *links),
            summary=paper.summary or "",
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts in the order of the table's columns."""
        return (self.method, self.title, self.authors, _lines(self.terms, self.phrases), self.ids, self.summary)

    def folded(self, compounds: Compounds) -> tuple[str, ...]:
        """The table's columns, folded like queries are; the last has in one word what the others have in several."""
        written = (self.method, self.title, self.terms, self.phrases, self.summary)
        joined = [word for text in written for line in text.splitlines() for word in compounds.joined(line)]
        return (*(" ".join(words(text)) for text in self.texts), " ".join(joined))


def searchable(catalog: Catalog) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of each paper the id and the columns that search looks through."""
    written = [Searchable.of(catalog, paper) for paper in catalog.papers]
    compounds = Compounds(line for entry in written for text in entry.texts for line in text.splitlines())
    return ((paper.id, entry.folded(compounds)) for paper, entry in zip(catalog.papers, written, strict=True))


def _lines(*parts: str | None) -> str:
    """Texts that do not belong together: what ends one and what begins the next are no neighbours."""
    return "\n".join(part for part in parts if part)


def _terms(catalog: Catalog, paper: Paper) -> list[Term]:
    return [catalog.vocabularies[name][term] for name, facet in FACETS.items() for term in facet.terms(paper)]
