"""A paper as commands show it: plain texts, so that printing needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from catalog.model.catalog import Catalog
    from catalog.model.paper import Paper


class Shown(NamedTuple):
    """What is printed of a paper."""

    id: str
    title: str
    authors: str
    about: str
    """Who and where, in a line: for lists."""
    own: str
    """The ids of what is the paper's own and runs here."""
    state: str
    """What became of it; empty while all is well."""
    summary: str
    facts: tuple[tuple[str, str], ...]
    """Labels and values."""

    @classmethod
    def of(cls, catalog: Catalog, paper: Paper) -> Shown:
        """That of a paper."""
        from catalog.outputs.wording import byline, published, running

        groups = running(catalog, paper)
        state = paper.state
        return cls(
            paper.id,
            paper.title,
            ", ".join(paper.authors),
            f"{byline(paper.authors)} · {published(paper)}",
            ", ".join(runs.id for group in groups if group.own for runs in group.implementations),
            " ".join(part for part in (state.kind, state.date, state.note) if part) if state else "",
            paper.summary or "",
            tuple(_facts(catalog, paper)),
        )


def _facts(catalog: Catalog, paper: Paper) -> list[tuple[str, str]]:
    from catalog.model.facets import labels_of
    from catalog.outputs.wording import running

    def labels(facet: str) -> str:
        return ", ".join(labels_of(paper, facet, catalog.vocabularies))

    method = paper.method
    facts = [
        ("Id", paper.id),
        ("Date", paper.date),
        ("Venue", paper.appeared.label if paper.appeared else ""),
        ("Type", labels("type")),
        ("Family", labels("family")),
        ("To forget", labels("target")),
        ("Setting", labels("setting")),
        ("Data sets", labels("dataset")),
        ("Method", (method.name or "") if method else ""),
        ("What it does", (method.mechanism or "") if method else ""),
        ("Builds on", ", ".join(method.builds_on) if method else ""),
        *paper.links.addresses,
        *(
            (group.words, ", ".join(runs.command for runs in group.implementations))
            for group in running(catalog, paper)
        ),
        ("Record", paper.file),
    ]
    return [(label, value) for label, value in facts if value]
