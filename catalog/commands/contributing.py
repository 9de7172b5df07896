"""``catalog add``, ``new``, ``preview`` and ``from-issue``: from a paper that somebody names to its record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.commands.shared import (
    Json,
    Root,
    UsageError,
    checked_path,
    find_project,
    load_or_stop,
    print_json,
    records_in,
    say,
    text_of,
    web_client,
    writing,
)

if TYPE_CHECKING:
    from catalog.intake.adding import Outcome, Status
    from catalog.intake.sources import Found, Reference

app = typer.Typer()
PANEL = "Contribute papers"


@app.command(
    epilog="Examples: `catalog add 2404.05868` · `catalog add https://openreview.net/forum?id=MXLBXjQkmb` · "
    "`catalog add 10.1038/s42256-025-00985-0 --dry-run` · `catalog add refs.bib` · `catalog add --batch papers.txt`",
    rich_help_panel=PANEL,
)
def add(
    papers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PAPER]...", help="arXiv id, DOI, address of arXiv, ACL Anthology or OpenReview, or a .bib file."
        ),
    ] = None,
    offline: Annotated[
        Path | None,
        typer.Option("--offline", metavar="FILE", help="Read a saved answer of the source instead of asking."),
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option("--batch", metavar="FILE", help="Add what a file names, one a line. Run again, it goes on."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print records, write nothing.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also if a record has a similar title.")] = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Draft the record of a paper from its source.

    Facts and links come from arXiv, the ACL Anthology, OpenReview, the DOI's registry or BibTeX; tags are suggested
    from title and abstract, each with its reason, for you to check. Nothing is ever overwritten. Status 1 if a paper
    could not be added.
    """
    from collections import Counter
    from dataclasses import asdict

    from catalog.base.web import WebError
    from catalog.intake.adding import Adder
    from catalog.intake.sources import Sources

    project = find_project(root)
    references = _references(papers or [], batch)
    adder = Adder(project, write=not dry_run, anyway=anyway)
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if not as_json:
            _tell(outcome, dry_run)

    try:
        if offline is not None:
            for paper in _saved(offline, references):
                tell(adder.add(f"{offline.name}: {paper.title}", paper))
        else:
            if not references:
                raise UsageError("name a paper: catalog add 2404.05868, or a file of papers with --batch FILE.")
            with web_client(project) as web:
                for outcome in adder.each(references, Sources(web)):
                    tell(outcome)
    except WebError as error:
        raise UsageError(str(error)) from None
    if as_json:
        print_json([asdict(outcome) for outcome in outcomes])
    if len(outcomes) > 1 and not as_json:
        counts = Counter(outcome.status for outcome in outcomes)
        say(f"{', '.join(f'{counts[status]} {words}' for status, words in _STATUSES.items() if counts[status])}.")
    written = [outcome for outcome in outcomes if outcome.status == "written"]
    if written and not as_json:
        say("Look at what is marked as suggested, write a summary, then run: catalog validate")
    fine = ("written", "drafted", "known") if batch else ("written", "drafted")
    if any(outcome.status not in fine for outcome in outcomes):
        raise typer.Exit(1)


@app.command(
    epilog="Examples: `catalog new liu2024machineb` · `catalog new liu2024machineb --dry-run`", rich_help_panel=PANEL
)
def new(
    paper: Annotated[str, typer.Argument(metavar="ID", help="First author, year, a word: liu2024machineb.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the record, write nothing.")] = False,
    root: Root = None,
) -> None:
    """Start a record by hand, with what belongs where written beside it.

    For papers that `catalog add` cannot look up, such as blog posts. An existing file is never overwritten.
    """
    import datetime
    import re

    from catalog.base.files import write_new
    from catalog.intake.blank import template
    from catalog.model.registries import PAPER_ID
    from catalog.model.vocabulary import read_vocabularies

    project = find_project(root)
    if not re.fullmatch(PAPER_ID, paper):
        raise UsageError(
            f"{paper!r} is no id. It is the first author's family name, the year and a word: liu2024machine."
        )
    year = re.search(r"\d{4}", paper)
    assert year
    vocabularies, _ = read_vocabularies(project.vocabularies, project.root)
    text = template(year[0], datetime.date.today().isoformat(), vocabularies)
    if dry_run:
        print(text, end="")
        return
    file = f"papers/{year[0]}/{paper}.yaml"
    try:
        with writing(project.root / file):
            write_new(project.root / file, text)
    except UsageError:
        if (project.root / file).exists():
            raise UsageError(f"{file} is there already, and is not overwritten.") from None
        raise
    print(file)
    say(f"Fill it in, then run: catalog validate {file}")


@app.command(epilog="Example: `catalog preview papers/2024/zhang2024negative.yaml`", rich_help_panel=PANEL)
def preview(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Records or folders.")],
    root: Root = None,
) -> None:
    """Print records in Markdown as their pages will show them: for pull requests."""
    from catalog.commands import printing as console

    project = find_project(root)
    wanted = records_in(project, [checked_path(project, path) for path in paths if path.exists()])
    names = {path.relative_to(project.root).as_posix() for path in wanted}
    catalog = load_or_stop(project)
    for paper in catalog.papers:
        if paper.file in names:
            print(console.as_markdown(catalog, paper))


@app.command(
    "from-issue",
    epilog="Examples: `catalog from-issue issue.md` · `catalog from-issue $GITHUB_EVENT_PATH --title-file title.txt`",
    rich_help_panel=PANEL,
)
def from_issue(
    issue: Annotated[Path, typer.Argument(metavar="FILE", help="The issue's text, or the code host's event as JSON.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files, write nothing.")] = False,
    title_file: Annotated[
        Path | None, typer.Option("--title-file", metavar="FILE", help="Write a line for the commit there.")
    ] = None,
    root: Root = None,
) -> None:
    """Turn the answers of an issue form into a record, a correction or a result.

    Prints, in Markdown, what was done or why nothing could be: for the issue. Status 1 if nothing could be.
    """
    from catalog.base.files import write_new, write_whole
    from catalog.base.web import WebError
    from catalog.intake.forms import IssueError
    from catalog.intake.issues import handle

    project = find_project(root)
    content = text_of(issue)
    try:
        with web_client(project) as web:
            outcome = handle(project, web, content)
    except (IssueError, WebError) as error:
        from catalog.outputs.wording import escape

        print("Nothing could be made of this yet:\n")
        print("\n".join(f"> {escape(line)}" for line in str(error).splitlines()))
        raise typer.Exit(1) from None
    for name, text in outcome.files.items():
        if dry_run:
            print(f"--- {name}\n{text}")
        else:
            path = project.root / name
            with writing(path):
                write_whole(path, text) if path.exists() else write_new(path, text)
    print(outcome.message)
    if title_file is not None:
        with writing(title_file):
            write_whole(title_file, outcome.title + "\n" if outcome.files else "")


_STATUSES: dict[Status, str] = {
    "written": "written",
    "drafted": "drafted",
    "known": "there already",
    "similar": "perhaps there already",
    "failed": "failed",
}


def _tell(outcome: Outcome, dry_run: bool) -> None:
    from catalog.base.text import sentence

    if outcome.status in ("written", "drafted"):
        print(outcome.text if dry_run else outcome.file, end="" if dry_run else "\n")
    else:
        say(sentence(outcome.message))


def _references(papers: list[str], batch: Path | None) -> list[Reference]:
    """The papers that the arguments and the batch name."""
    from catalog.base.text import sentence, shorten
    from catalog.base.web import WebError
    from catalog.intake.adding import references_in
    from catalog.intake.sources import references
    from catalog.intake.sources.bibtex import is_bibtex

    named_papers: list[Reference] = []

    def read(path: Path) -> None:
        take(text_of(path), str(path))

    def take(text: str, where: str) -> None:
        try:
            listed, strange = references_in(text, where)
        except WebError as error:
            raise UsageError(sentence(str(error))) from None
        if strange:
            lines = "\n".join(f"{where}:{number}: {shorten(said)!r} names no paper" for number, said in strange)
            raise UsageError(f"nothing was added.\n{lines}\n{_KINDS_OF_REFERENCE}")
        if not listed:
            raise UsageError(f"{where} names no paper. {_KINDS_OF_REFERENCE}")
        named_papers.extend(listed)

    for text in papers:
        if text.endswith((".bib", ".bibtex")) and "://" not in text:
            read(Path(text))
        elif is_bibtex(text):
            take(text, "the entry")
        elif (named := references(text)).papers and not named.rest:
            named_papers.extend(named.papers)
        else:
            raise UsageError(f"{named.rest or text!r} names no paper. {_KINDS_OF_REFERENCE}")
    if batch is not None:
        read(batch)
    return list(dict.fromkeys(named_papers))


_KINDS_OF_REFERENCE = (
    "Give an arXiv id (2404.05868), a DOI (10.1038/...), an address at arXiv, the ACL Anthology or OpenReview, "
    "or a .bib file."
)


def _saved(path: Path, references: list[Reference]) -> list[Found]:
    """What a saved answer says about the papers asked for, or about all it holds."""
    from catalog.intake.sources import read_saved

    body = text_of(path).encode()
    if not references:
        return read_saved(body, str(path))
    return [paper for reference in references for paper in read_saved(body, str(path), reference)]
