"""The papers of each term, and the page that leads to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from catalog.outputs.site.groups import Group
from catalog.outputs.site.page import Page, page, pages
from catalog.outputs.site.site import Site

_LONG, _LONG_OF_DATASET = 120, 60
"""Lists of more papers leave the summaries to the papers' pages."""


@page("browse.md", "browse.html.j2", "Browse", "All papers by type, family, target, dataset, venue and year.")
def browse(site: Site) -> dict[str, Any]:
    """Every group, by facet."""
    return {}


@pages
def groups(site: Site) -> Iterator[Page]:
    """A page for each group; those of data sets and venues have more to say."""
    more = {"dataset": _of_dataset, "venue": _of_venue}
    compared = [board for board in site.boards if board.embedded]
    for group in (group for facet in site.groups.values() for group in facet):
        template = f"{group.facet}.html.j2" if group.facet in more else "group.html.j2"
        context = {"group": group, "brief": group.size > (_LONG_OF_DATASET if group.facet == "dataset" else _LONG)}
        if group.facet == "family":
            context["compared"] = compared
        context |= more[group.facet](site, group) if group.facet in more else {}
        feed = site.feeds.by_term.get((group.facet, group.id))
        meta = {"feed": f"{feed.path}.xml"} if feed else {}
        for number, papers in enumerate(group.pages, 1):
            path = group.page_path(number).removesuffix(".html")
            title = group.heading if number == 1 else f"{group.heading}, page {number}"
            yield Page(
                f"{path}.md", template, title, group.definition, context | {"papers": papers, "number": number}, meta
            )


def _of_dataset(site: Site, group: Group) -> dict[str, Any]:
    """The paper that introduces a data set, the tasks like it, and what is used along with it."""
    introducing = site.catalog.by_id.get(site.introducing(group.id) or "")
    together = Counter(other for paper in group.papers for other in paper.datasets if other != group.id)
    return {
        "source": introducing,
        "tasks": [task for task in site.catalog.tasks if introducing and task.paper == introducing.id],
        "together": together.most_common(8),
        "by_type": Counter(paper.type for paper in group.papers),
    }


def _of_venue(site: Site, group: Group) -> dict[str, Any]:
    return {"by_type": Counter(paper.type for paper in group.papers)}
