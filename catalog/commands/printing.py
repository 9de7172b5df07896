"""The catalog on a terminal. Texts of records are printed as they are: nothing in them is markup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from catalog.model.catalog import Catalog
from catalog.model.facets import labels_of
from catalog.model.paper import Paper
from catalog.outputs.export import bibtex
from catalog.outputs.wording import OWN_SIGN, byline, escape, escape_url, published, running


def papers(catalog: Catalog, found: Iterable[Paper]) -> None:
    """A table of papers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Id", no_wrap=True, style="cyan")
    table.add_column("Paper")
    table.add_column("Runs here", style="green")
    for paper in found:
        about = Text(paper.title)
        about.append(f"\n{byline(paper.authors)} · {published(paper)}", style="dim")
        table.add_row(Text(paper.id), about, Text(_own(catalog, paper)))
    Console().print(table)


def paper(catalog: Catalog, one: Paper) -> None:
    """One paper with everything that is known."""
    console = Console()
    console.print(Text(one.title, style="bold"))
    console.print(Text(", ".join(one.authors)))
    if one.state:
        console.print(Text(" ".join(part for part in (one.state.kind, one.state.date, one.state.note) if part), "red"))
    if one.summary:
        console.print(Text(f"\n{one.summary}\n"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _facts(catalog, one):
        table.add_row(label, Text(value))
    console.print(table)


def as_markdown(catalog: Catalog, one: Paper) -> str:
    """One paper as the code host shows it in a pull request: what the site's page will say."""
    lines = [f"### {escape(one.title)}", "", escape(", ".join(one.authors)), ""]
    if one.state:
        lines += [
            f"**{one.state.kind}** {escape(' '.join(part for part in (one.state.date, one.state.note) if part))}",
            "",
        ]
    lines += [f"> {escape(one.summary)}" if one.summary else "> (no summary yet)", "", "| | |", "|---|---|"]
    addresses = dict(one.links.addresses)
    for label, value in _facts(catalog, one):
        shown = escape(value)
        lines.append(f"| {label} | {f'[{shown}]({escape_url(value)})' if label in addresses else shown} |")
    entry = bibtex.render([one])
    return "\n".join([*lines, "", f"```bibtex\n{entry}```" if entry else "It gives no citation.", ""])


def statistics(catalog: Catalog, found: dict[str, Any]) -> None:
    """Counts as bars, and what is missing."""
    console = Console()
    coverage = found["coverage"]
    console.print(
        f"{found['papers']} papers by {found['authors']} authors, {found['with_code']} with released code. "
        f"Of {coverage['introduces']} the own method or task runs here; {coverage['extends']} more build on such.",
        highlight=False,
    )
    for title, key, vocabulary in (
        ("Best relation to what runs here", "coverage", None),
        ("Primary contribution", "by_type", "type"),
        ("Families", "by_family", "family"),
        ("Targets", "by_target", "target"),
        ("Years", "by_year", None),
    ):
        labels = {term.id: term.label for term in catalog.vocabularies[vocabulary].terms} if vocabulary else {}
        table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False)
        most = max(found[key].values(), default=0) or 1
        for name, count in found[key].items():
            table.add_row(Text(labels.get(name, name)), str(count), Text("█" * round(30 * count / most), "cyan"))
        console.print()
        console.print(table)
    for title, key, vocabulary in (
        ("Methods by family and best relation", "coverage_by_family", "family"),
        ("Papers by year and best relation", "coverage_by_year", None),
    ):
        labels = {term.id: term.label for term in catalog.vocabularies[vocabulary].terms} if vocabulary else {}
        table = Table(title=title, title_justify="left", title_style="bold", box=None)
        table.add_column()
        for relation in found["coverage"]:
            table.add_column(relation, justify="right")
        for name, counts in found[key].items():
            table.add_row(Text(labels.get(name, name)), *(str(count or "·") for count in counts.values()))
        console.print()
        console.print(table)
    if found["wanted"]:
        console.print(Text("\nMost wanted: what others build on and what does not run here", style="bold"))
        for one in found["wanted"]:
            console.print(Text(f"  {one['papers']:>3}  {one['label']}"))
    if found["families_without_method"]:
        names = ", ".join(catalog.vocabularies["family"][term].label for term in found["families_without_method"])
        console.print(Text(f"\nNo method runs yet in: {names}."))


def _own(catalog: Catalog, one: Paper) -> str:
    """The ids of what is the paper's own and runs here."""
    groups = (group for group in running(catalog, one) if group.brief == OWN_SIGN)
    return ", ".join(runs.id for group in groups for runs in group.implementations)


def _facts(catalog: Catalog, one: Paper) -> list[tuple[str, str]]:
    def labels(facet: str) -> str:
        return ", ".join(labels_of(one, facet, catalog.vocabularies))

    method = one.method
    facts = [
        ("Id", one.id),
        ("Date", one.date),
        ("Venue", one.appeared.label if one.appeared else ""),
        ("Type", labels("type")),
        ("Family", labels("family")),
        ("To forget", labels("target")),
        ("Setting", labels("setting")),
        ("Data sets", labels("dataset")),
        ("Method", (method.name or "") if method else ""),
        ("What it does", (method.mechanism or "") if method else ""),
        ("Builds on", ", ".join(method.builds_on) if method else ""),
        *one.links.addresses,
        *(
            (group.words, ", ".join(_how(it.kind, it.id) for it in group.implementations))
            for group in running(catalog, one)
        ),
        ("Record", one.file),
    ]
    return [(label, value) for label, value in facts if value]


def _how(kind: str, name: str) -> str:
    how = {
        "method": f"unlearn run {name}",
        "task": f"unlearn run METHOD --task {name}",
        "attack": f"unlearn attack {name} MODEL",
    }
    return how[kind]
