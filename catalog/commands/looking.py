"""``catalog search``, ``show``, ``export``, ``stats`` and ``report``: what the catalog holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.commands.shared import (
    BibTeX,
    Json,
    Root,
    UsageError,
    choice,
    find_project,
    load_or_stop,
    print_json,
    say,
    writing,
)

if TYPE_CHECKING:
    from catalog.model.pasted import Named
    from catalog.outputs.answers.finding import Finder

app = typer.Typer()
PANEL = "Look things up"


@app.command(
    epilog='Examples: `catalog search "negative pref"` · `catalog search --family relabeling --has-code` · '
    "`catalog search tofu --runnable --bibtex` · `catalog search https://arxiv.org/abs/2404.05868v2`",
    rich_help_panel=PANEL,
)
def search(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUERY]...", help="Words, which may be begun; or ids and addresses of papers."),
    ] = None,
    family: Annotated[str | None, typer.Option(help="Only this family of methods.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only papers with this data set.")] = None,
    venue: Annotated[str | None, typer.Option(help="Only papers published there.")] = None,
    year: Annotated[int | None, typer.Option(help="Only papers first public in this year.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this kind of contribution.")] = None,
    target: Annotated[str | None, typer.Option(help="Only papers about forgetting this.")] = None,
    has_code: Annotated[bool, typer.Option("--has-code", help="Only papers with released code.")] = False,
    runnable: Annotated[bool, typer.Option("--runnable", help="Only papers whose own method or task runs.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most so many.")] = 20,
    as_json: Json = False,
    as_bibtex: BibTeX = False,
    root: Root = None,
) -> None:
    """Find papers by words, ids or addresses. Accents, case, quotes and dashes do not count."""
    from catalog.commands.answering import finder
    from catalog.outputs.answers.filters import Filters

    find = finder(find_project(root))
    filters = Filters(
        type=_term(find, "type", type_),
        family=_term(find, "family", family),
        target=_term(find, "target", target),
        dataset=_term(find, "dataset", dataset),
        venue=_term(find, "venue", venue),
        year=year,
        has_code=has_code,
        runnable=runnable,
    )
    answer = find(" ".join(query or []), filters)
    for named in answer.missing:
        say(_not_there(named))
    if as_json or as_bibtex:
        # Programs get what was asked for, not what may have been meant.
        _print_papers(find, () if answer.partial or answer.suggestion else answer.papers[:limit], as_json)
        return
    hits = (*answer.papers, *answer.others)
    if answer.partial:
        say("No paper has all of these words; these have some.")
    elif answer.others:
        say(f"{len(answer.papers)} with all of these words, then {len(answer.others)} with most of them.")
    elif not hits and not answer.missing:
        say("Nothing found.")
    if answer.suggestion:
        say(f"Did you mean: {answer.suggestion}")
    if hits:
        from catalog.commands import printing as console

        console.papers(find.shown(hits[:limit]))
    if len(hits) > limit:
        say(f"{len(hits) - limit} more; show them with --limit {len(hits)}.")


def _not_there(named: Named) -> str:
    """That a paper is not in the catalog, and how it gets there."""
    from catalog.base.text import printable
    from catalog.model.registries import REGISTRIES

    label = printable(f"{named.noun} {named.id}")
    if named.key not in REGISTRIES:
        return f"No paper in the catalog has the {label}. Start a record by hand with `catalog new`."
    return f"The {label} is not in the catalog. Add it: `catalog add {printable(named.reference)}`."


@app.command(
    epilog="Examples: `catalog show zhang2024negative` · `catalog show zhang2024negative --bibtex`",
    rich_help_panel=PANEL,
)
def show(
    paper: Annotated[str, typer.Argument(metavar="ID", help="The record's id: its file's name.")],
    as_json: Json = False,
    as_bibtex: BibTeX = False,
    root: Root = None,
) -> None:
    """Show one paper with all that is known about it."""
    from catalog.base.text import did_you_mean, sentence
    from catalog.commands.answering import finder

    find = finder(find_project(root))
    if not find.has(paper):
        old = find.old(paper)
        if "removed" in old:
            raise UsageError(sentence(f"the record {paper!r} was removed: {old['removed']}"))
        if "moved" not in old:
            ids = find.ids()
            begun = [ident for ident in ids if ident.startswith(paper)]
            known = f"Records that begin so: {', '.join(begun)}." if paper and len(begun) > 1 else ""
            hint = known or did_you_mean(paper, ids) or "Find its id with `catalog search`."
            raise UsageError(f"there is no record {paper!r}. {hint}")
        say(f"{paper} is now {old['moved']}.")
        paper = old["moved"]
    if as_json or as_bibtex:
        _print_papers(find, (paper,), as_json, single=True)
        return
    from catalog.commands import printing as console

    console.paper(*find.shown((paper,)))


@app.command(
    epilog="Examples: `catalog export bibtex -o papers.bib` · `catalog export json | jq length`", rich_help_panel=PANEL
)
def export(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="bibtex, csl, ris, csv, json or sqlite.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="PATH", help="The file; standard output if absent.")
    ] = None,
    root: Root = None,
) -> None:
    """Write the whole catalog in a format of other programs."""
    from catalog.base.files import write_whole
    from catalog.outputs.export import FORMATS

    chosen = FORMATS[choice("format", form, tuple(FORMATS))]
    if out is None and chosen.name == "sqlite" and sys.stdout.isatty():
        raise UsageError("a database is no text. Name a file with -o PATH.")
    content = chosen.render(load_or_stop(find_project(root)))
    if out is not None:
        with writing(out):
            write_whole(out, content)
        say(f"{out}: {chosen.meaning}")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content.encode() if isinstance(content, str) else content)


@app.command(epilog="Example: `catalog stats --json`", rich_help_panel=PANEL)
def stats(as_json: Json = False, root: Root = None) -> None:
    """Show what the catalog holds, and where it is thin."""
    from catalog.insight.stats import statistics

    catalog = load_or_stop(find_project(root))
    counts = statistics(catalog)
    if as_json:
        print_json(counts)
        return
    from catalog.commands import printing as console

    console.statistics(catalog, counts)


@app.command(epilog="Examples: `catalog report` · `catalog report --json`", rich_help_panel=PANEL)
def report(as_json: Json = False, root: Root = None) -> None:
    """Show what people should look at: what is thin, old or easy to mix up. What is wrong, `validate` shows."""
    from dataclasses import asdict

    from catalog.insight.attention import report as findings
    from catalog.parsing.problems import render
    from catalog.reading.kept import Kept
    from catalog.reading.load import load_catalog

    project = find_project(root)
    catalog, problems = load_catalog(project, kept=Kept(project))
    if catalog is None:
        say(render(problem for problem in problems if problem.severity == "error"))
        raise typer.Exit(1)
    kinds = findings(catalog, problems)
    if as_json:
        print_json([asdict(kind) for kind in kinds])
        return
    for kind in kinds:
        print(f"{kind.title} ({len(kind.lines)})\n{kind.advice}")
        print("".join(f"  {line}\n" for line in kind.lines))


def _term(find: Finder, vocabulary: str, name: str | None) -> str | None:
    from catalog.base.text import did_you_mean
    from catalog.outputs.answers.finding import term_named

    if name is None:
        return None
    ids, by_alias = find.terms(vocabulary)
    if term := term_named(name, ids, by_alias):
        return term
    hint = did_you_mean(name, ids, by_alias) or f"One of: {', '.join(ids)}."
    raise UsageError(f"unknown {vocabulary} {name!r}. {hint}")


def _print_papers(find: Finder, ids: tuple[str, ...], as_json: bool, single: bool = False) -> None:
    if as_json:
        records = find.records(ids)
        print_json(records[0] if single else records)
    else:
        print(find.bibtex(ids), end="")
