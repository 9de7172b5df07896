"""A paper in one line of Markdown: short in the README, with authors and summary on the lists.

One line, since branches that each add one then merge line by line, and no part of an entry gets among another's.
"""

from __future__ import annotations

from catalog.model.catalog import Catalog
from catalog.model.guide import Step
from catalog.model.implementations import Implementation
from catalog.model.paper import Paper
from catalog.outputs.readme.sections import Section
from catalog.outputs.wording import OWN_SIGN, byline, escape, escape_url, links, published, running

_AUTHORS = 6
"""Authors on the lists, where there is room for more of them than elsewhere."""
_PAGES = {
    "glossary": ("Glossary", "site/glossary.yaml"),
    "getting-started": ("Getting started", "site/docs/getting-started.md"),
    "contributing": ("Contributing", "CONTRIBUTING.md"),
}
"""Pages of the site that are files of the repository, too; the others are not on a code host."""


def brief(catalog: Catalog, section: Section, paper: Paper) -> str:
    """A paper on the README: title, venue or year, code, what runs. What runs is linked by reference: ``[npo]``.

    What it builds on, or evaluates, is told on its list, where there is room for it.
    """
    parts = [title(paper), escape(paper.appeared.label) if paper.appeared else str(paper.year)]
    if paper.id in section.guests:
        return _joined([*parts, _guest(catalog, paper)])
    if paper.links.code:
        parts.append(f"[code]({escape_url(paper.links.code)})")
    for group in running(catalog, paper):
        if group.own:
            parts.append(f"{OWN_SIGN} {', '.join(f'[{runs.id}]' for runs in group.implementations)}")
    return _joined(parts)


def full(catalog: Catalog, section: Section, paper: Paper, root: str, home: str) -> str:
    """A paper on its list, with everything that is short enough to be read there.

    Args:
        catalog: which holds it.
        section: whose list it is.
        paper: the paper.
        root: the way from the list to the checkout's root, as in ``../../``.
        home: the page of the paper's main section, from the list.
    """
    record = f"[record]({root}{paper.file})"
    lead = f"{title(paper, bold=True)} · {escape(published(paper))}"
    if paper.id in section.guests:
        return f"- {lead} · [{_guest(catalog, paper)}]({home}) · {record}"
    named = [escape(byline(paper.authors, _AUTHORS))]
    named += [f"[{label}]({escape_url(address)})" for label, address in links(paper)]
    rows = [lead, " · ".join([*named, record])]
    if paper.summary:
        rows.append(escape(paper.summary))
    for group in running(catalog, paper):
        if group.relation == "related":
            continue  # it says nothing about the paper: its own page alone tells
        sign = f"{OWN_SIGN} " if group.own else ""
        rows.append(f"{sign}{group.words}: {', '.join(_linked(runs, root) for runs in group.implementations)}")
    return f"- {'<br>'.join(rows)}"


def reading_step(catalog: Catalog, number: int, step: Step) -> str:
    """A step of a reading path in the README; ``""`` where it names what is not here."""
    if step.kind == "page":
        place = _PAGES.get(step.id)
        return f"{number}. [{place[0]}]({place[1]}): {escape(step.why)}" if place else ""
    if step.kind == "paper":
        paper = catalog.by_id.get(step.id)
        return f"{number}. {title(paper)} ({paper.year}): {escape(step.why)}" if paper else ""
    runs = catalog.implementation_by_id.get(step.id)
    return f"{number}. {_linked(runs, '')}: {escape(step.why)}" if runs else ""


def title(paper: Paper, *, bold: bool = False) -> str:
    """The title as a link to the paper, or to its record where no address is known."""
    address = paper.links.addresses[0][1] if paper.links.addresses else paper.file
    linked = f"[{escape(paper.title)}]({escape_url(address)})"
    linked = f"**{linked}**" if bold else linked
    if paper.state is None:
        return linked
    struck = paper.state.kind in ("withdrawn", "retracted")
    return f"{f'~~{linked}~~' if struck else linked} ({paper.state.kind})"


def _joined(parts: list[str]) -> str:
    return f"- {' · '.join(parts)}"


def _guest(catalog: Catalog, paper: Paper) -> str:
    """Why a paper of another section is on a family's list."""
    kind = catalog.vocabularies["type"][paper.type].label.lower()
    name = paper.method.name if paper.method and paper.method.name else "a method"
    return f"{escape(kind)}, proposes {escape(name)}"


def _linked(runs: Implementation, root: str) -> str:
    words = f"`unlearn run {runs.id}`" if runs.kind == "method" else f"{runs.kind} `{runs.id}`"
    return f"[{words}]({root}{runs.file})"
