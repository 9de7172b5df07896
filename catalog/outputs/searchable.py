"""What search looks through, of each paper: the columns of the database's table ``search``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.base.text import words
from catalog.model.catalog import Catalog
from catalog.model.facets import FACETS
from catalog.model.paper import Paper
from catalog.model.venues import edition_spellings
from catalog.outputs.spellings import Compounds


@dataclass(frozen=True)
class Searchable:
    """What search looks through, of one paper."""

    method: str
    title: str
    authors: str
    terms: str
    ids: str
    summary: str

    @classmethod
    def of(cls, catalog: Catalog, paper: Paper) -> Searchable:
        """That of a paper, as it is written."""
        runs = [name for one in paper.implementations for name in (one.id, catalog.implementation_by_id[one.id].name)]
        where = [paper.appeared.label] if paper.appeared else []
        links = (paper.links.arxiv, paper.links.acl, paper.links.openreview, paper.links.doi)
        return cls(
            method=_lines(paper.method.name, paper.method.mechanism) if paper.method else "",
            title=_lines(paper.title, *paper.former_titles),
            authors=_lines(*paper.authors),
            terms=_lines(*_term_spellings(catalog, paper), *runs, *where, paper.date),
            ids=_lines(paper.id, *links),
            summary=paper.summary or "",
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts in the order of the table's columns."""
        return (self.method, self.title, self.authors, self.terms, self.ids, self.summary)

    def folded(self, compounds: Compounds) -> tuple[str, ...]:
        """The table's columns, folded like queries are; the last has in one word what the others have in several."""
        written = (self.method, self.title, self.terms, self.summary)
        joined = [one for text in written for line in text.splitlines() for one in compounds.joined(line)]
        return (*(" ".join(words(text)) for text in self.texts), " ".join(joined))


def searchable(catalog: Catalog) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of each paper the id and the columns that search looks through."""
    written = [Searchable.of(catalog, paper) for paper in catalog.papers]
    compounds = Compounds(line for one in written for text in one.texts for line in text.splitlines())
    return ((paper.id, one.folded(compounds)) for paper, one in zip(catalog.papers, written, strict=True))


def _lines(*parts: str | None) -> str:
    """Texts that do not belong together: what ends one and what begins the next are no neighbours."""
    return "\n".join(part for part in parts if part)


def _term_spellings(catalog: Catalog, paper: Paper) -> list[str]:
    """What people call the terms of a paper, and the edition of the venue where it appeared."""
    known = (catalog.vocabularies[name][term] for name, facet in FACETS.items() for term in facet.terms(paper))
    names = [name for term in known for name in (term.id, term.label, *term.aliases)]
    return names + (edition_spellings(paper.venue, catalog.vocabularies) if paper.venue else [])
