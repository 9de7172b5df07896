"""The command ``catalog``: check the records, build what is made from them, and look things up.

Heavy modules are imported inside the commands, so that help and mistakes are answered at once. Exit status: 0 fine,
1 problems were found, 2 wrong use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from catalog.adding import Outcome
    from catalog.catalog import Catalog
    from catalog.checks import Entry
    from catalog.problems import Format, Problem
    from catalog.project import Project
    from catalog.schema import Paper
    from catalog.sources import Found, Reference
    from catalog.web import Web

app = typer.Typer(
    help="The catalog of LLM-unlearning research in which the methods run.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
site = typer.Typer(help="The static site.", no_args_is_help=True)
app.add_typer(site, name="site")

Root = Annotated[
    Path | None, typer.Option("--root", metavar="DIR", help="The checkout to work on; by default the one around here.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
BibTeX = Annotated[bool, typer.Option("--bibtex", help="Print BibTeX.")]


class UsageError(Exception):
    """The command was used wrongly; the message says what to do."""


def main() -> None:
    """The console command: never a traceback for what people typed, and none for a reader that went away."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows its number.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    from catalog.project import NoProjectError

    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except (UsageError, NoProjectError) as error:
        _stop(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _mute()
        sys.exit(0)
    except OSError as error:
        _mute()
        _stop(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _stop(message: str) -> NoReturn:
    print(f"catalog: {message}", file=sys.stderr)
    sys.exit(2)


def _mute() -> None:
    """Keep the interpreter from writing the rest of its buffer into a stream that is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# Checking -----------------------------------------------------------------------------------------


@app.command(epilog="Examples: `catalog validate` · `catalog validate papers/2024 --format json`")
def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Report on these files or folders only.")
    ] = None,
    form: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help="text, json or github.")] = "text",
    strict: Annotated[bool, typer.Option("--strict", help="Let hints count as errors.")] = False,
    root: Root = None,
) -> None:
    """Check every record, and everything that records link to.

    All problems of all files are reported at once, each with file, line and column, what is wrong and what to do.
    Status 1 if there is an error; hints are advice.
    """
    from catalog.load import load_catalog
    from catalog.problems import render

    chosen = _choice("format", form, ("text", "json", "github"))
    project = _project(root)
    wanted = [_within(project, path) for path in paths or []]
    catalog, problems = load_catalog(project, focus=_files(project, wanted))
    if wanted:
        problems = [problem for problem in problems if _concerns(project.root / problem.file, wanted)]
    if problems or chosen == "json":
        print(render(problems, _as_format(chosen)))
    if chosen == "text":
        checked = f"{len(catalog.papers)} records: " if catalog and not wanted else ""
        _say(checked + _tally(problems))
    if any(strict or problem.severity == "error" for problem in problems):
        raise typer.Exit(1)


@app.command(
    epilog="Examples: `catalog fmt` · `catalog fmt --check` · `catalog fmt papers/2024/zhang2024negative.yaml`"
)
def fmt(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[PATH]...", help="Records or folders.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; status 1 if a file would change.")] = False,
    root: Root = None,
) -> None:
    """Bring records into the one layout: keys in order, comments kept.

    A record with errors is reported and left as it is.
    """
    from catalog.files import write_whole
    from catalog.fmt import format_record
    from catalog.problems import render

    project = _project(root)
    wanted = [_within(project, path) for path in paths or [project.papers]]
    problems: list[Problem] = []
    changed = 0
    for path in _files(project, wanted):
        name = path.relative_to(project.root).as_posix()
        text, found = format_record(path, name)
        problems += found
        if text is not None and text.encode() != path.read_bytes():
            changed += 1
            print(name)
            if not check:
                with _writing(path):
                    write_whole(path, text)
    if problems:
        _say(render(problems))
    _say(f"{changed} {'would change' if check else 'changed'}.")
    if problems or (check and changed):
        raise typer.Exit(1)


# Adding and keeping true -----------------------------------------------------------------------------


@app.command(
    epilog="Examples: `catalog add 2404.05868` · `catalog add https://openreview.net/forum?id=MXLBXjQkmb` · "
    "`catalog add 10.1038/s42256-025-00985-0 --dry-run` · `catalog add refs.bib` · `catalog add --batch papers.txt`"
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
    from dataclasses import asdict

    from catalog.adding import Adder
    from catalog.sources import Sources
    from catalog.web import WebError

    project = _project(root)
    references = _references(papers or [], batch)
    adder = Adder(project, write=not dry_run, anyway=anyway)
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if not as_json:
            _tell(outcome, dry_run)

    try:
        if offline is not None:
            for found in _saved(offline, references):
                tell(adder.add(f"{offline.name}: {found.title}", found))
        else:
            if not references:
                raise UsageError("name a paper: catalog add 2404.05868, or a file of papers with --batch FILE.")
            with _web(project) as web:
                for outcome in adder.each(references, Sources(web)):
                    tell(outcome)
    except WebError as error:
        raise UsageError(str(error)) from None
    if as_json:
        _print_json([asdict(outcome) for outcome in outcomes])
    counts = {status: sum(one.status == status for one in outcomes) for status in ("written", "known", "failed")}
    if len(outcomes) > 1 and not as_json:
        _say(f"{counts['written']} written, {counts['known']} there already, {counts['failed']} failed.")
    written = [one for one in outcomes if one.status == "written"]
    if written and not as_json:
        _say("Look at what is marked as suggested, write a summary, then run: catalog validate")
    fine = ("written", "drafted", "known") if batch else ("written", "drafted")
    if any(one.status not in fine for one in outcomes):
        raise typer.Exit(1)


@app.command(epilog="Examples: `catalog new liu2024machineb` · `catalog new liu2024machineb --dry-run`")
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

    from catalog.files import write_new
    from catalog.new import template
    from catalog.schema import PAPER_ID
    from catalog.vocabulary import read_vocabularies

    project = _project(root)
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
        with _writing(project.root / file):
            write_new(project.root / file, text)
    except UsageError:
        if (project.root / file).exists():
            raise UsageError(f"{file} is there already, and is not overwritten.") from None
        raise
    print(file)
    _say(f"Fill it in, then run: catalog validate {file}")


@app.command(
    epilog="Examples: `catalog links` · `catalog links zhang2024negative` · `catalog links --markdown > links.md`"
)
def links(
    papers: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Only the links of these records.")
    ] = None,
    age: Annotated[
        float, typer.Option("--age", metavar="DAYS", min=0, help="Believe good verdicts that are younger.")
    ] = 7,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a report in Markdown.")] = False,
    root: Root = None,
) -> None:
    """Check every link: dead, moved, insecure, walled or fine.

    Hosts are asked at their own pace, side by side. Stopped and started again, it goes on where it was. Status 1 if a
    link is dead.
    """
    from catalog import links as checking
    from catalog.load import read_entries

    project = _project(root)
    entries = _chosen(read_entries(project), papers or [])
    found = checking.links_of(entries)
    # What was there yesterday says nothing about a link: no cache but the memory of verdicts.
    with _web(project, cache=None, attempts=2, max_bytes=2**20) as web, _progress("Checking links") as told:
        verdicts = checking.Checker(web, project.root / ".cache" / "links.json", age * 86400).check(found, told)
    result = checking.report(found, verdicts)
    if as_json:
        _print_json(result)
    elif markdown:
        print(checking.as_markdown(result))
    elif result["findings"]:
        print(checking.as_text(result))
    counts = ", ".join(f"{count} {status}" for status, count in result["counts"].items() if count)
    _say(f"{result['links']} links: {counts or 'none'}.")
    if result["counts"]["dead"]:
        raise typer.Exit(1)


@app.command(epilog="Examples: `catalog update` · `catalog update zhang2024negative --apply` · `catalog update --json`")
def update(
    papers: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Only these records.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the changes into the records.")] = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Compare records with their sources: a venue, another title, a newer version, a withdrawal, a code link.

    Shows what would change. Comments stay, and so does every value with a comment `# by hand` at it. Status 1 if there
    are changes that are not applied, or a source could not be asked.
    """
    import datetime

    from catalog.files import write_whole
    from catalog.load import read_entries
    from catalog.problems import render
    from catalog.update import compare
    from catalog.vocabulary import read_vocabularies

    project = _project(root)
    entries = _chosen(read_entries(project), papers or [])
    vocabularies, _ = read_vocabularies(project.vocabularies, project.root)
    today = datetime.date.today().isoformat()
    with _web(project, cache=None) as web, _progress("Asking the sources") as told:
        found = compare(project, entries, web, vocabularies, today, told)
    if apply:
        for one in found.updates:
            with _writing(project.root / one.file):
                write_whole(project.root / one.file, one.text)
    if as_json:
        _print_json([change.as_json() for one in found.updates for change in one.changes])
    else:
        for one in found.updates:
            reasons = dict.fromkeys(f"# {change.paper}: {change.reason}" for change in one.changes)
            print("\n".join([*reasons, one.diff, ""]))
    for failure in found.failures:
        _say(f"{failure.rstrip('.')}.")
    if found.problems:
        _say(render(found.problems))
    what = "changed" if apply else "would change; write it with --apply" if found.updates else "would change"
    _say(f"{len(entries)} records compared, {len(found.updates)} {what}.")
    if found.failures or found.problems or (found.updates and not apply):
        raise typer.Exit(1)


@app.command(epilog="Examples: `catalog discover` · `catalog discover --since 2026-10-01 --json`")
def discover(
    since: Annotated[
        str | None, typer.Option("--since", metavar="YYYY-MM-DD", help="By default shortly before the newest record.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="By default today.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=5000, help="Look at most at so many papers.")
    ] = 1000,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Look on arXiv for papers that the catalog may lack, and write a list for review.

    The list is ranked, and says for each paper which phrases speak for it. Shorten it, then add what is left with
    `catalog add --batch build/candidates.txt`. What counts is written in `catalog/discovery.yaml`.
    """
    import datetime
    from dataclasses import asdict

    from catalog import discover as discovery
    from catalog.files import write_whole
    from catalog.load import read_entries
    from catalog.vocabulary import read_vocabularies
    from catalog.web import WebError

    project = _project(root)
    papers = [entry.paper for entry in read_entries(project)]
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
        rules = discovery.read_rules(own if own.is_file() else Path(__file__).parent / "discovery.yaml")
        with _web(project) as web:
            found = discovery.discover(web, rules, papers, vocabularies.get("dataset"), first, last, limit)
    except (WebError, discovery.RulesError) as error:
        _say(str(error))
        raise typer.Exit(1) from None
    with _writing(project.build):
        write_whole(project.build / "candidates.txt", discovery.as_batch(found))
        write_whole(project.build / "candidates.md", discovery.as_markdown(found))
    if as_json:
        _print_json([asdict(one) for one in found])
    else:
        for one in found:
            print(f"{one.score:3}  {one.arxiv}  {one.title}\n     {'; '.join(one.reasons)}")
            if one.similar:
                print(f"     similar: {one.similar}")
    _say(f"{len(found)} candidates from {first} to {last}.")
    if found:
        _say("Shorten build/candidates.txt, then run: catalog add --batch build/candidates.txt")


@app.command(
    "from-issue",
    epilog="Examples: `catalog from-issue issue.md` · `catalog from-issue $GITHUB_EVENT_PATH --title-file title.txt`",
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
    from catalog.adding import read_bounded
    from catalog.files import write_new, write_whole
    from catalog.issues import IssueError, handle
    from catalog.web import WebError

    project = _project(root)
    try:
        content = read_bounded(issue).decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"cannot read {issue}: {error.strerror}.") from None
    try:
        with _web(project) as web:
            outcome = handle(project, web, content)
    except (IssueError, WebError) as error:
        from catalog.readme import escape

        print("Nothing could be made of this yet:\n")
        print("\n".join(f"> {escape(line)}" for line in str(error).splitlines()))
        raise typer.Exit(1) from None
    for name, text in outcome.files.items():
        if dry_run:
            print(f"--- {name}\n{text}")
        else:
            path = project.root / name
            with _writing(path):
                write_whole(path, text) if path.exists() else write_new(path, text)
    print(outcome.message)
    if title_file is not None:
        with _writing(title_file):
            write_whole(title_file, outcome.title + "\n" if outcome.files else "")


@app.command(epilog="Example: `catalog preview papers/2024/zhang2024negative.yaml`")
def preview(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Records or folders.")],
    root: Root = None,
) -> None:
    """Print records in Markdown as their pages will show them: for pull requests."""
    from catalog import console

    project = _project(root)
    wanted = _files(project, [_within(project, path) for path in paths if path.exists()])
    names = {path.relative_to(project.root).as_posix() for path in wanted}
    catalog = _load(project)
    for paper in catalog.papers:
        if paper.file in names:
            print(console.as_markdown(catalog, paper))


@app.command(epilog="Example: `catalog move liu2024machineb liu2024field`")
def move(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The id that the record has.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The id that it is to have.")],
    root: Root = None,
) -> None:
    """Give a record another id; the old address keeps leading to it."""
    from catalog.load import read_entries
    from catalog.redirects import MoveError
    from catalog.redirects import move as move_record

    project = _project(root)
    ids = {entry.paper.id: entry.paper.file for entry in read_entries(project)}
    try:
        with _writing(project.papers):
            print("\n".join(move_record(project, old, new, ids)))
    except MoveError as error:
        raise UsageError(f"{str(error).rstrip('.')}.") from None


@app.command(epilog='Example: `catalog remove liu2024machineb --reason "A duplicate of liu2024rethinking"`')
def remove(
    paper: Annotated[str, typer.Argument(metavar="ID", help="The record's id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who come by its old address.")],
    root: Root = None,
) -> None:
    """Take a record out of the catalog; its old address says why."""
    from catalog.load import read_entries
    from catalog.redirects import MoveError
    from catalog.redirects import remove as remove_record

    project = _project(root)
    ids = {entry.paper.id: entry.paper.file for entry in read_entries(project)}
    try:
        with _writing(project.papers):
            print("\n".join(remove_record(project, paper, reason, ids)))
    except MoveError as error:
        raise UsageError(f"{str(error).rstrip('.')}.") from None


def _chosen(entries: list[Entry], ids: list[str]) -> list[Entry]:
    """The records with some ids, or all if none are named."""
    from catalog.text import did_you_mean

    by_id = {entry.paper.id: entry for entry in entries}
    for one in ids:
        if one not in by_id:
            hint = did_you_mean(one, by_id) or "Find its id with `catalog search`."
            raise UsageError(f"there is no record {one!r}. {hint}")
    return [by_id[one] for one in dict.fromkeys(ids)] if ids else entries


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, for what takes longer than two seconds; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell(outcome: Outcome, dry_run: bool) -> None:
    if outcome.status in ("written", "drafted"):
        print(outcome.text if dry_run else outcome.file, end="" if dry_run else "\n")
    else:
        _say(f"{outcome.message.rstrip('.')}.")


def _references(papers: list[str], batch: Path | None) -> list[Reference]:
    """The papers that the arguments and the batch name."""
    from catalog.adding import read_bounded, references_in
    from catalog.sources import parse_reference
    from catalog.web import WebError

    found: list[Reference] = []

    def read(path: Path) -> None:
        try:
            some, strange = references_in(read_bounded(path).decode("utf-8", "replace"))
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}.") from None
        except WebError as error:
            raise UsageError(f"{path}: {str(error).rstrip('.')}.") from None
        if strange:
            raise UsageError(f"{path} names no paper in: {', '.join(strange[:5])}. {_KINDS_OF_REFERENCE}")
        found.extend(some)

    for text in papers:
        if text.endswith((".bib", ".bibtex")) and "://" not in text:
            read(Path(text))
        elif reference := parse_reference(text):
            found.append(reference)
        else:
            raise UsageError(f"{text!r} names no paper. {_KINDS_OF_REFERENCE}")
    if batch is not None:
        read(batch)
    return list(dict.fromkeys(found))


_KINDS_OF_REFERENCE = (
    "Give an arXiv id (2404.05868), a DOI (10.1038/...), an address at arXiv, the ACL Anthology or OpenReview, "
    "or a .bib file."
)


def _saved(path: Path, references: list[Reference]) -> list[Found]:
    """What a saved answer says about the papers asked for, or about all it holds."""
    from catalog.adding import read_bounded
    from catalog.sources import read_saved

    try:
        body = read_bounded(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.") from None
    if not references:
        return read_saved(body, str(path))
    return [one for reference in references for one in read_saved(body, str(path), reference)]


def _web(project: Project, **settings: Any) -> Web:
    """The client for the network, with the checkout's cache."""
    from catalog.web import Settings, Web

    try:
        return Web(Settings.from_environment(**{"cache": project.root / ".cache" / "web", **settings}))
    except ValueError as error:
        raise UsageError(str(error)) from None


# Building -----------------------------------------------------------------------------------------


@app.command(epilog="Examples: `catalog build` · `catalog build --check`")
def build(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; status 1 if a committed file is out of date.")
    ] = False,
    root: Root = None,
) -> None:
    """Make the README, the database, the exports and the JSON Schema for editors from the records."""
    from jinja2 import TemplateError

    from catalog import build as building

    project = _project(root)
    catalog = _load(project)
    try:
        if not check:
            with _writing(project.root):
                made = building.build(project, catalog)
            _say("\n".join(str(path.relative_to(project.root)) for path in made))
            return
        difference = building.drift(project, catalog)
    except TemplateError as error:
        place = f"{getattr(error, 'name', None) or 'readme.md.j2'}:{getattr(error, 'lineno', 1)}"
        _say(f"templates/{place}: {error.message}")
        raise typer.Exit(1) from None
    for name, lines in difference.items():
        _say(f"{name} is out of date. Run `catalog build`, and commit it.\n{lines}")
    if difference:
        raise typer.Exit(1)
    _say("README.md and the JSON Schema are up to date.")


@site.command("build", epilog="Example: `catalog site build --out public`")
def site_build(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where to; build/site if absent.")
    ] = None,
    root: Root = None,
) -> None:
    """Build the static site."""
    from catalog.site import SiteError, build_site

    project = _project(root)
    catalog = _load(project)
    target = (out or project.build / "site").resolve()
    try:
        build_site(project, catalog, target)
    except SiteError as error:
        _say(str(error))
        raise typer.Exit(1) from None
    _say(f"The site is in {os.path.relpath(target)}: open {os.path.relpath(target / 'index.html')}")


@site.command("parts", epilog="Example: `catalog site parts`, after a change of site/package-lock.json")
def site_parts(root: Root = None) -> None:
    """Fetch the JavaScript that the site and its tests take from others, with npm."""
    from catalog.site.parts import PartsError, fetch_parts

    project = _project(root)
    try:
        fetch_parts(project)
    except PartsError as error:
        _say(str(error))
        raise typer.Exit(1) from None
    _say("The parts are in site/node_modules.")


@site.command("serve", epilog="Example: `catalog site serve --port 8080`")
def site_serve(
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="The port on this machine.")] = 8000,
    root: Root = None,
) -> None:
    """Serve the site on this machine, built anew when something changes."""
    from catalog.site import SiteError, serve_site

    try:
        serve_site(_project(root), port)
    except SiteError as error:
        _say(str(error))
        raise typer.Exit(1) from None


# Looking things up ----------------------------------------------------------------------------------


@app.command(
    epilog='Examples: `catalog search "negative pref"` · `catalog search --family relabeling --has-code` · '
    "`catalog search tofu --runnable --bibtex`"
)
def search(
    query: Annotated[
        list[str] | None, typer.Argument(metavar="[QUERY]...", help="Words; the last may be begun.")
    ] = None,
    family: Annotated[str | None, typer.Option(help="Only this family of methods.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only papers with this data set.")] = None,
    venue: Annotated[str | None, typer.Option(help="Only papers published there.")] = None,
    year: Annotated[int | None, typer.Option(help="Only papers first public in this year.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this kind of contribution.")] = None,
    target: Annotated[str | None, typer.Option(help="Only papers about forgetting this.")] = None,
    has_code: Annotated[bool, typer.Option("--has-code", help="Only papers with released code.")] = False,
    runnable: Annotated[bool, typer.Option("--runnable", help="Only papers with something that runs here.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most so many.")] = 20,
    as_json: Json = False,
    as_bibtex: BibTeX = False,
    root: Root = None,
) -> None:
    """Find papers. Accents, case, quotes and dashes do not count."""
    from catalog.search import Filters, Search

    catalog = _load(_project(root))
    filters = Filters(
        type=_term(catalog, "type", type_),
        family=_term(catalog, "family", family),
        target=_term(catalog, "target", target),
        dataset=_term(catalog, "dataset", dataset),
        venue=_term(catalog, "venue", venue),
        year=year,
        has_code=has_code,
        runnable=runnable,
    )
    answer = Search(catalog)(" ".join(query or []), filters)
    shown = answer.papers[:limit]
    if as_json or as_bibtex:
        _print_papers(() if answer.partial else shown, as_json)
        return
    if answer.partial:
        _say("No paper has all of these words; these have some.")
    elif not shown:
        _say("Nothing found.")
    if answer.suggestion:
        _say(f"Did you mean: {answer.suggestion}")
    if shown:
        from catalog import console

        console.papers(catalog, shown)
    if len(answer.papers) > limit:
        _say(f"{len(answer.papers) - limit} more; show them with --limit {len(answer.papers)}.")


@app.command(epilog="Examples: `catalog show zhang2024negative` · `catalog show zhang2024negative --bibtex`")
def show(
    paper: Annotated[str, typer.Argument(metavar="ID", help="The record's id: its file's name.")],
    as_json: Json = False,
    as_bibtex: BibTeX = False,
    root: Root = None,
) -> None:
    """Show one paper with all that is known about it."""
    from catalog.text import did_you_mean

    catalog = _load(_project(root))
    found = catalog.by_id.get(paper)
    if found is None:
        from catalog.redirects import read_redirects

        old, _ = read_redirects(_project(root))
        if paper in old.removed:
            raise UsageError(f"the record {paper!r} was removed: {old.removed[paper].rstrip('.')}.")
        if paper not in old.moved:
            hint = did_you_mean(paper, catalog.by_id) or "Find its id with `catalog search`."
            raise UsageError(f"there is no record {paper!r}. {hint}")
        _say(f"{paper} is now {old.moved[paper]}.")
        found = catalog.by_id[old.moved[paper]]
    if as_json or as_bibtex:
        _print_papers((found,), as_json, one=True)
        return
    from catalog import console

    console.paper(catalog, found)


@app.command(epilog="Examples: `catalog export bibtex -o papers.bib` · `catalog export json | jq length`")
def export(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="bibtex, csl, ris, csv, json or sqlite.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="PATH", help="The file; standard output if absent.")
    ] = None,
    root: Root = None,
) -> None:
    """Write the whole catalog in a format of other programs."""
    from catalog.export import FORMATS
    from catalog.files import write_whole

    chosen = FORMATS[_choice("format", form, tuple(FORMATS))]
    if out is None and chosen.name == "sqlite" and sys.stdout.isatty():
        raise UsageError("a database is no text. Name a file with -o PATH.")
    content = chosen.render(_load(_project(root)))
    if out is not None:
        with _writing(out):
            write_whole(out, content)
        _say(f"{out}: {chosen.meaning}")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content.encode() if isinstance(content, str) else content)


@app.command(epilog="Example: `catalog stats --json`")
def stats(as_json: Json = False, root: Root = None) -> None:
    """Show what the catalog holds, and where it is thin."""
    from catalog.stats import statistics

    catalog = _load(_project(root))
    found = statistics(catalog)
    if as_json:
        _print_json(found)
        return
    from catalog import console

    console.statistics(catalog, found)


@app.command(epilog="Examples: `catalog report` · `catalog report --json`")
def report(as_json: Json = False, root: Root = None) -> None:
    """Show what people should look at: what is thin, old or easy to mix up. What is wrong, `validate` shows."""
    from dataclasses import asdict

    from catalog.load import load_catalog
    from catalog.problems import render
    from catalog.report import report as findings

    catalog, problems = load_catalog(_project(root))
    if catalog is None:
        _say(render(problem for problem in problems if problem.severity == "error"))
        raise typer.Exit(1)
    found = findings(catalog, problems)
    if as_json:
        _print_json([asdict(one) for one in found])
        return
    for one in found:
        print(f"{one.title} ({len(one.lines)})\n{one.advice}")
        print("".join(f"  {line}\n" for line in one.lines))


# Shared ---------------------------------------------------------------------------------------------


def _project(root: Path | None) -> Project:
    from catalog.project import Project

    if root is not None and not root.is_dir():
        raise UsageError(f"--root {root} is not a folder.")
    return Project.find(root)


def _load(project: Project) -> Catalog:
    """The catalog; with errors in it, they are printed and the command ends."""
    from catalog.load import load_catalog
    from catalog.problems import render

    catalog, problems = load_catalog(project)
    if catalog is None:
        _say(render(problem for problem in problems if problem.severity == "error"))
        raise typer.Exit(1)
    return catalog


def _within(project: Project, path: Path) -> Path:
    """A path that the user named, as an absolute one among the files that are checked."""
    found = path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()
    if not os.path.lexists(found):
        raise UsageError(f"{path} does not exist.")
    areas = (project.papers, project.reference_impls, project.vocabularies)
    if not any(found.is_relative_to(area) or area.is_relative_to(found) for area in areas):
        raise UsageError(f"{path} is not among the files that are checked: {', '.join(area.name for area in areas)}.")
    return found


def _files(project: Project, paths: list[Path]) -> list[Path]:
    """The records among and below some paths."""
    inside = (project.papers if project.papers.is_relative_to(path) else path for path in paths)
    found = {one for path in inside for one in (path.rglob("*.yaml") if path.is_dir() else [path])}
    return sorted(one for one in found if one.is_relative_to(project.papers) and not one.is_symlink())


def _concerns(file: Path, paths: list[Path]) -> bool:
    return any(file.is_relative_to(path) for path in paths)


def _tally(problems: list[Problem]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    hints = len(problems) - errors
    if not problems:
        return "no problems."
    parts = [(errors, "error"), (hints, "hint")]
    return ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in parts if count) + "."


def _choice(what: str, given: str, known: tuple[str, ...]) -> str:
    from catalog.text import did_you_mean

    if given not in known:
        hint = did_you_mean(given, known) or f"One of: {', '.join(known)}."
        raise UsageError(f"unknown {what} {given!r}. {hint}")
    return given


def _as_format(name: str) -> Format:
    return "json" if name == "json" else "github" if name == "github" else "text"


def _term(catalog: Catalog, vocabulary: str, given: str | None) -> str | None:
    from catalog.search import filter_terms
    from catalog.text import did_you_mean

    if given is None:
        return None
    if term := filter_terms(catalog, vocabulary, given):
        return term
    known = catalog.vocabularies[vocabulary]
    hint = did_you_mean(given, known.ids, known.by_alias) or f"One of: {', '.join(known.ids)}."
    raise UsageError(f"unknown {vocabulary} {given!r}. {hint}")


def _print_papers(papers: tuple[Paper, ...], as_json: bool, one: bool = False) -> None:
    if as_json:
        from catalog.export.records import record

        found = [record(paper) for paper in papers]
        _print_json(found[0] if one else found)
    else:
        from catalog.export import bibtex

        print(bibtex.render(papers), end="")


def _print_json(value: Any) -> None:
    from catalog.export import to_json

    print(to_json(value), end="")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or path}: {error.strerror or error}.") from None


def _say(message: str) -> None:
    """To people, beside the output proper."""
    print(message, file=sys.stderr)
