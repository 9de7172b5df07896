"""The catalog on a terminal. Texts of records are printed as they are: nothing in them is markup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from catalog.outputs.answers.shown import Shown

if TYPE_CHECKING:
    from catalog.model.catalog import Catalog
    from catalog.model.paper import Paper


def papers(found: Iterable[Shown]) -> None:
    """A table of papers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Id", no_wrap=True, style="cyan")
    table.add_column("Paper")
    table.add_column("Runs here", style="green")
    for shown in found:
        about = Text(shown.title)
        about.append(f"\n{shown.about}", style="dim")
        table.add_row(Text(shown.id), about, Text(shown.own))
    Console().print(table)


def paper(one: Shown) -> None:
    """One paper with everything that is known."""
    console = Console()
    console.print(Text(one.title, style="bold"))
    console.print(Text(one.authors))
    if one.state:
        console.print(Text(one.state, "red"))
    if one.summary:
        console.print(Text(f"\n{one.summary}\n"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in one.facts:
        table.add_row(label, Text(value))
    console.print(table)


def as_markdown(catalog: Catalog, one: Paper) -> str:
    """One paper as the code host shows it in a pull request: what the site's page will say."""
    from catalog.outputs.export import bibtex
    from catalog.outputs.wording import escape, escape_url

    lines = [f"### {escape(one.title)}", "", escape(", ".join(one.authors)), ""]
    if one.state:
        lines += [
            f"**{one.state.kind}** {escape(' '.join(part for part in (one.state.date, one.state.note) if part))}",
            "",
        ]
    lines += [f"> {escape(one.summary)}" if one.summary else "> (no summary yet)", "", "| | |", "|---|---|"]
    addresses = dict(one.links.addresses)
    for label, value in Shown.of(catalog, one).facts:
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
        for method in found["wanted"]:
            console.print(Text(f"  {method['papers']:>3}  {method['label']}"))
    if found["families_without_method"]:
        names = ", ".join(catalog.vocabularies["family"][term].label for term in found["families_without_method"])
        console.print(Text(f"\nNo method runs yet in: {names}."))
