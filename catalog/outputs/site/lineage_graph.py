"""The graph of methods, as a figure whose marks are links."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from markupsafe import Markup

from catalog import figures
from catalog.insight.lineage import Base, Lineage


def drawn(lineage: Lineage, link: Callable[[str], str], methods: Iterable[str] | None = None) -> Markup | None:
    """The graph of methods that others build on, with links as seen from a page; None where there is nothing.

    Args:
        lineage: the whole graph.
        link: from a page's address to a link.
        methods: only these and what they build on; lines lead to these alone.
    """
    upper_ends = None if methods is None else set(methods)
    ids = lineage.trunk() if upper_ends is None else lineage.around(upper_ends)
    if not ids:
        return None
    edges = [(base, upper) for base in ids for upper in lineage.below[base]]
    shown = [
        (base, upper) for base, upper in edges if upper in set(ids) and (upper_ends is None or upper in upper_ends)
    ]
    words = "; ".join(f"{lineage.nodes[b].label} builds on {lineage.nodes[a].label}" for a, b in shown)
    columns, headings = lineage.by_year(ids)
    figure = figures.layered_figure(
        [_node(lineage, ident, link) for ident in ids],
        shown,
        columns,
        title="Which methods build on which",
        words=f"{words}. The list below says the same, and more." if upper_ends is None else words,
        ident="lineage",
        headings=headings,
    )
    return Markup(figure)


def _node(lineage: Lineage, ident: str, link: Callable[[str], str]) -> figures.Node:
    base, count = lineage.nodes[ident], len(lineage.below[ident])
    year = f" ({base.paper.year})" if base.paper else ""
    about = f"{base.label}{year}: {count} method{'s' if count != 1 else ''} build{'s' if count == 1 else ''} on it"
    place, anchor, fragment = _address(base).partition("#")
    return figures.Node(
        ident,
        base.label,
        f"{link(place)}{anchor}{fragment}",
        note=str(count) if count else "",
        about=about + (", and it runs here" if base.implementation else ""),
        runs=base.implementation is not None,
    )


def _address(base: Base) -> str:
    """Where something that methods build on is explained."""
    if base.implementation:
        return f"methods/{base.id}.html"
    if base.paper:
        return f"papers/{base.paper.id}.html"
    return f"vocabularies.html#technique-{base.id}" if base.term else "lineage.html"
