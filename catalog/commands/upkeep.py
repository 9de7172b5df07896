"""``catalog links``, ``update``, ``discover``, ``move`` and ``remove``: records that stay true."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.commands.shared import (
    Json,
    Root,
    UsageError,
    choice,
    find_project,
    load_or_stop,
    print_json,
    say,
    text_of,
    web_client,
    writing,
)

if TYPE_CHECKING:
    from catalog.base.project import Project
    from catalog.parsing.problems import Problem
    from catalog.reading.entry import Entry

app = typer.Typer()
CENTURY = 36_500
"""Days beyond which nobody looks back."""
PANEL = "Keep the catalog true"


@app.command(
    epilog="Examples: `catalog links` · `catalog links zhang2024negative` · `catalog links --markdown > links.md`",
    rich_help_panel=PANEL,
)
def links(
    papers: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Only the links of these records.")
    ] = None,
    age: Annotated[
        float, typer.Option("--age", metavar="DAYS", min=0, max=CENTURY, help="Believe good verdicts that are younger.")
    ] = 7,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a report in Markdown.")] = False,
    root: Root = None,
) -> None:
    """Check every link: dead, moved, insecure, walled or fine.

    Hosts are asked at their own pace, side by side. Stopped and started again, it goes on where it was. Status 1 if a
    link is dead.
    """
    from catalog.reading.load import read_entries
    from catalog.upkeep import links as checking

    project = find_project(root)
    entries = _chosen(read_entries(project), papers or [])
    to_check = checking.links_of(entries)
    # What was there yesterday says nothing about a link: no cache but the memory of verdicts.
    quick = {"cache": None, "attempts": 2, "max_bytes": 2**20}
    # So many hosts are asked side by side that nobody wants to hear of each.
    with web_client(project, lambda _: None, **quick) as web, _progress("Checking links") as told:
        verdicts = checking.Checker(web, project.root / ".cache" / "links.json", age * 86400).check(to_check, told)
    report = checking.report(to_check, verdicts)
    if as_json:
        print_json(report)
    elif markdown:
        print(checking.as_markdown(report))
    elif report["findings"]:
        print(checking.as_text(report))
    counts = ", ".join(f"{count} {status}" for status, count in report["counts"].items() if count)
    say(f"{report['links']} links: {counts or 'none'}.")
    if report["counts"]["dead"]:
        raise typer.Exit(1)


@app.command(
    epilog="Examples: `catalog update` · `catalog update zhang2024negative --apply` · `catalog update --json` · "
    "`catalog update --apply --age 28` · `catalog update --bib refs.bib --apply`",
    rich_help_panel=PANEL,
)
def update(
    papers: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Only these records.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the changes into the records.")] = False,
    age: Annotated[
        int,
        typer.Option(
            "--age", metavar="DAYS", min=0, max=CENTURY, help="Leave out what was compared less than so long ago."
        ),
    ] = 0,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Ask every source that a record names, if its venue is known, too.")
    ] = False,
    bib: Annotated[
        Path | None,
        typer.Option(
            "--bib",
            metavar="FILE",
            help="Instead, cite published versions in your own BibTeX, as the catalog has them.",
        ),
    ] = None,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Compare records with their sources: a venue, another title, a newer version, a withdrawal, a link or an id.

    Shows what would change, and writes a report to `build/update.md`. Comments stay, and so does every value with a
    comment `# by hand` at it. With `--apply`, each record is written as soon as its sources answered, with the day on
    which it was compared; a pass that was stopped goes on with `--age 1`. Status 1 if there are changes that are not
    applied, or a source could not be asked.

    With `--bib`, no source is asked: entries that cite a preprint get the venue that its record names.
    """
    if bib is not None:
        if papers:
            raise UsageError("either name records, or a list of references with --bib FILE.")
        _update_bib(bib, apply, as_json, root)
        return
    import datetime

    from catalog.base.files import write_whole
    from catalog.base.text import sentence
    from catalog.model.vocabulary import read_vocabularies
    from catalog.parsing.problems import render
    from catalog.reading.load import read_entries
    from catalog.upkeep import outcome as outcomes
    from catalog.upkeep import update as updating

    project = find_project(root)
    chosen = _chosen(read_entries(project), papers or [])
    vocabularies, _ = read_vocabularies(project.vocabularies, project.root)
    day = datetime.date.today()
    today = day.isoformat()
    entries = updating.since(chosen, (day - datetime.timedelta(days=age - 1)).isoformat()) if age else chosen
    whole_pass = outcomes.Outcome(left_out=len(chosen) - len(entries))
    whole_pass.without_source = [entry.paper.file for entry in entries if not outcomes.can_be_asked(entry)]
    proposals: list[updating.Update] = []
    problems: list[Problem] = []
    changed = 0
    with web_client(project, cache=None) as web, _progress("Asking the sources") as told:
        for number, compared in enumerate(updating.compare(project, entries, web, vocabularies, today, thorough)):
            told(number, len(entries))
            whole_pass.add(compared)
            problems += compared.problems
            if compared.update:
                proposals.append(compared.update)
                if not as_json:
                    reasons = dict.fromkeys(f"# {change.paper}: {change.reason}" for change in compared.update.changes)
                    print("\n".join([*reasons, compared.update.diff, ""]), flush=True)
            if apply:
                text, wrong = updating.to_write(project, compared, today)
                problems += wrong
                if text is not None:
                    with writing(project.root / compared.entry.paper.file):
                        write_whole(project.root / compared.entry.paper.file, text)
                    changed += bool(compared.update)
    with writing(project.build):
        write_whole(project.build / "update.md", outcomes.as_markdown(whole_pass, today))
    if as_json:
        print_json([change.as_json() for proposal in proposals for change in proposal.changes])
    for failure in whole_pass.not_reached:
        say(sentence(failure))
    if problems:
        say(render(problems))
    tally = f"{changed} changed" if apply else f"{len(proposals)} would change"
    hint = "; write it with --apply" if proposals and not apply else ""
    left = f" {whole_pass.left_out} left out, which were compared not long ago." if whole_pass.left_out else ""
    say(f"{len(entries)} records compared, {tally}{hint}.{left}")
    if whole_pass.failures or problems or (proposals and not apply):
        raise typer.Exit(1)


@app.command(
    epilog="Examples: `catalog discover` · `catalog discover --since 2026-10-01 --json` · "
    "`catalog discover --source acl --since 2026-07-01`",
    rich_help_panel=PANEL,
)
def discover(
    since: Annotated[
        str | None, typer.Option("--since", metavar="YYYY-MM-DD", help="By default shortly before the newest record.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="By default today.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=5000, help="Look at most at so many papers for each question.")
    ] = 1000,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="NAME", help="Ask only arxiv, acl, openreview or crossref; may be repeated."),
    ] = None,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Look for papers that the catalog may lack, at arXiv, the ACL Anthology, OpenReview and Crossref.

    The list is ranked, and says for each paper which words speak for it. Shorten it, then add what is left with
    `catalog add --batch build/candidates.txt`. What counts is written in `catalog/discovery.yaml`. A source that cannot
    be asked does not keep the others back; what was not reached is named, and the status is 1.
    """
    import datetime
    from dataclasses import asdict

    from catalog.base.files import write_whole
    from catalog.base.text import sentence
    from catalog.intake import discovery
    from catalog.model.vocabulary import read_vocabularies
    from catalog.reading.load import read_entries

    project = find_project(root)
    papers = [entry.paper for entry in read_entries(project)]
    asked = [choice("source", name, tuple(discovery.SOURCES)) for name in source or ()]
    try:
        first = datetime.date.fromisoformat(since) if since else discovery.start_of(papers)
        last = datetime.date.fromisoformat(until) if until else datetime.date.today()
    except ValueError:
        raise UsageError("a day is written as 2026-10-01.") from None
    if first > last:
        raise UsageError(f"there is nothing between {first} and {last}. Name days with --since and --until.")
    vocabularies, _ = read_vocabularies(project.vocabularies, project.root)
    own = project.root / "catalog" / "discovery.yaml"
    try:
        rules = discovery.read_rules(own if own.is_file() else discovery.RULES)
    except discovery.RulesError as error:
        say(str(error))
        raise typer.Exit(1) from None
    window = discovery.Window(first, last, limit)
    with web_client(project) as web:
        look = discovery.discover(web, rules, papers, vocabularies.get("dataset"), window, asked)
    for failure in look.not_reached:
        say(f"Not reached: {sentence(failure)}")
    if not look.looked_at:
        raise typer.Exit(1)
    with writing(project.build):
        write_whole(project.build / "candidates.txt", discovery.as_batch(look))
        write_whole(project.build / "candidates.md", discovery.as_markdown(look))
    if as_json:
        print_json([asdict(candidate) for candidate in look.candidates])
    else:
        for line in discovery.as_text(look):
            print(line)
    looked = ", ".join(f"{name} {count:,}" for name, count in look.looked_at.items())
    say(f"{len(look.candidates)} candidates from {first} to {last}; papers looked at: {looked}.")
    if look.candidates:
        say("Shorten build/candidates.txt, then run: catalog add --batch build/candidates.txt")
    if look.not_reached:
        raise typer.Exit(1)


@app.command(epilog="Example: `catalog move liu2024machineb liu2024field`", rich_help_panel=PANEL)
def move(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The id that the record has.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The id that it is to have.")],
    root: Root = None,
) -> None:
    """Give a record another id; the old address keeps leading to it."""
    import re

    from catalog.model import redirects
    from catalog.model.registries import PAPER_ID

    def change(project: Project, entries: dict[str, Entry]) -> list[str]:
        fits = re.fullmatch(PAPER_ID, new) and new not in entries  # otherwise there is more to say than that
        if old in entries and fits and (wrong := _other_author(entries[old], new)):
            raise redirects.MoveError(wrong)
        return redirects.move(project, old, new, {ident: entry.paper.file for ident, entry in entries.items()})

    _readdress(root, change)


def _other_author(entry: Entry, new: str) -> str:
    """What the check of ids would say of a record with another one, or ``""``, also where it is not content now."""
    from dataclasses import replace

    from catalog.reading.checks import Corpus, run_checks

    def said(ident: str) -> str:
        one = replace(entry, paper=entry.paper.model_copy(update={"id": ident}))
        found = run_checks(Corpus((one,)), alone=True)
        return next((f"{problem.message}. {problem.hint}" for problem in found if problem.code == "id-author"), "")

    return "" if said(entry.paper.id) else said(new)


@app.command(
    epilog='Example: `catalog remove liu2024machineb --reason "A duplicate of liu2024rethinking"`',
    rich_help_panel=PANEL,
)
def remove(
    paper: Annotated[str, typer.Argument(metavar="ID", help="The record's id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who come by its old address.")],
    root: Root = None,
) -> None:
    """Take a record out of the catalog; its old address says why."""
    from catalog.model import redirects

    _readdress(
        root,
        lambda project, entries: redirects.remove(
            project, paper, reason, {ident: entry.paper.file for ident, entry in entries.items()}
        ),
    )


def _readdress(root: Path | None, change: Callable[[Project, dict[str, Entry]], list[str]]) -> None:
    """Change an address with what is given the checkout and the record of every id; print what was done."""
    from catalog.base.text import sentence
    from catalog.model.redirects import MoveError
    from catalog.reading.load import read_entries

    project = find_project(root)
    entries = {entry.paper.id: entry for entry in read_entries(project)}
    try:
        with writing(project.papers):
            done = change(project, entries)
    except MoveError as error:
        raise UsageError(sentence(str(error))) from None
    print("\n".join(done))


def _update_bib(path: Path, apply: bool, as_json: bool, root: Path | None) -> None:
    """Cite published versions in somebody's list of references."""
    from catalog.base.files import write_whole
    from catalog.base.web import WebError
    from catalog.upkeep.bibliography import refresh

    catalog = load_or_stop(find_project(root))
    original = text_of(path)
    windows = "\r\n" in original
    text = original.replace("\r\n", "\n")
    try:
        refreshed = refresh(text, str(path), catalog)
    except WebError as error:
        say(str(error))
        raise typer.Exit(1) from None
    if apply and refreshed.changes:
        with writing(path):
            write_whole(path, refreshed.text.replace("\n", "\r\n") if windows else refreshed.text)
    if as_json:
        print_json([change.as_json() for change in refreshed.changes])
    elif refreshed.changes:
        reasons = [
            f"# {path}:{change.line}: {change.key}: {change.reason} ({change.paper})" for change in refreshed.changes
        ]
        print("\n".join([*reasons, refreshed.diff(text, path.name)]))
    for warning in refreshed.warnings:
        say(f"{warning}.")
    verb = "changed" if apply else "would change; write it with --apply" if refreshed.changes else "would change"
    say(f"{refreshed.entries} entries, {refreshed.known} of them in the catalog, {len(refreshed.changes)} {verb}.")
    if refreshed.changes and not apply:
        raise typer.Exit(1)


def _chosen(entries: list[Entry], ids: list[str]) -> list[Entry]:
    """The records with some ids, or all if none are named."""
    from catalog.base.text import did_you_mean

    by_id = {entry.paper.id: entry for entry in entries}
    for ident in ids:
        if ident not in by_id:
            hint = did_you_mean(ident, by_id) or "Find its id with `catalog search`."
            raise UsageError(f"there is no record {ident!r}. {hint}")
    return [by_id[ident] for ident in dict.fromkeys(ids)] if ids else entries


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, for what takes longer than two seconds; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
