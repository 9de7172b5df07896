"""``catalog validate`` and ``catalog fmt``: what is wrong with the records, and their layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.commands.shared import Root, checked_path, choice, find_project, records_in, say, writing

if TYPE_CHECKING:
    from catalog.base.project import Project
    from catalog.parsing.problems import Format, Problem

app = typer.Typer()
PANEL = "Check records"


@app.command(
    epilog="Examples: `catalog validate` · `catalog validate papers/2024 --format json`", rich_help_panel=PANEL
)
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
    from catalog.parsing.problems import render

    chosen = choice("format", form, ("text", "json", "github"))
    project = find_project(root)
    wanted = [checked_path(project, path) for path in paths or []]
    count, problems = _checked(project, records_in(project, wanted))
    if wanted:
        problems = [problem for problem in problems if _concerns(project.root / problem.file, wanted)]
    if problems or chosen == "json":
        print(render(problems, _as_format(chosen)))
    if chosen == "text":
        checked = f"{count} records: " if count is not None and not wanted else ""
        say(checked + _tally(problems))
    if any(strict or problem.severity == "error" for problem in problems):
        raise typer.Exit(1)


@app.command(
    epilog="Examples: `catalog fmt` · `catalog fmt --check` · `catalog fmt papers/2024/zhang2024negative.yaml`",
    rich_help_panel=PANEL,
)
def fmt(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[PATH]...", help="Records or folders.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; status 1 if a file would change.")] = False,
    root: Root = None,
) -> None:
    """Bring records into the one layout: keys in order, comments kept.

    A record with errors is reported and left as it is.
    """
    from catalog.base.files import write_whole
    from catalog.parsing.problems import render
    from catalog.reading.fmt import format_record

    project = find_project(root)
    wanted = [checked_path(project, path) for path in paths or [project.papers]]
    problems: list[Problem] = []
    changed = 0
    for path in records_in(project, wanted):
        name = path.relative_to(project.root).as_posix()
        text, faults = format_record(path, name)
        problems += faults
        if text is not None and text.encode() != path.read_bytes():
            changed += 1
            print(name)
            if not check:
                with writing(path):
                    write_whole(path, text)
    if problems:
        say(render(problems))
    say(f"{changed} {'would change' if check else 'changed'}.")
    if problems or (check and changed):
        raise typer.Exit(1)


def _checked(project: Project, focus: list[Path]) -> tuple[int | None, list[Problem]]:
    """How many papers the catalog has, None where errors keep it from being made, and every problem."""
    from catalog.reading.kept import Kept

    kept = Kept(project)
    if kept.verdict and not focus:
        return kept.verdict.records, list(kept.verdict.problems)
    from catalog.reading.load import check_records

    return check_records(project, focus, kept)


def _concerns(file: Path, paths: list[Path]) -> bool:
    return any(file.is_relative_to(path) for path in paths)


def _tally(problems: list[Problem]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    hints = len(problems) - errors
    if not problems:
        return "no problems."
    parts = [(errors, "error"), (hints, "hint")]
    return ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in parts if count) + "."


def _as_format(name: str) -> Format:
    return "json" if name == "json" else "github" if name == "github" else "text"
