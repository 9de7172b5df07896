"""``unlearn list``, ``show``, ``tasks`` and ``attacks``: what there is to run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.base.terminal import print_json
from catalog.model.implementations import ACTS_ON
from catalog.model.needs import NEEDS
from catalog.model.results import MADE_HERE
from reference_impls.commands.shared import (
    Json,
    plain,
)
from reference_impls.errors import UnknownNameError
from reference_impls.running.registry import (
    attacks,
    benchmarks,
    find_method,
    implementations,
    methods,
    namesakes,
    other_models,
)

if TYPE_CHECKING:
    from catalog.model.implementations import Implementation

PANEL = "Look"
_WHAT = "; ".join(f"{name} ({need.words})" for name, need in NEEDS.items())
_WHOLE = 200
"""Columns that the longest line fills."""
_MORE = {"acts_on": 60, "paper": 100}
"""What stands behind a method's title, and from which width of the terminal on."""
app = typer.Typer()


NeedNames = Annotated[list[str], typer.Option("--needs", metavar="WHAT", help=f"Only those that need it: {_WHAT}.")]
WithoutNames = Annotated[list[str], typer.Option("--without", metavar="WHAT", help="Only those that do without it.")]


@app.command(
    "list",
    epilog="Examples: `unlearn list --family localization`   `unlearn list --acts-on prompt --without weights`   "
    "`unlearn list --json`",
    rich_help_panel=PANEL,
)
def list_methods(
    family: Annotated[list[str], typer.Option(help="Only this family; any number of times.")] = [],  # noqa: B006
    acts_on: Annotated[list[str], typer.Option(help=f"Only those that act on it: {', '.join(ACTS_ON)}.")] = [],  # noqa: B006 (typer reads the default)
    needs: NeedNames = [],  # noqa: B006
    without: WithoutNames = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """The methods that run, by family, one to a line: id, what it is, what it acts on, and its paper."""
    families = sorted({method.family for method in methods()})
    for kind, given, known in (
        ("family", family, families),
        ("place to act on", acts_on, ACTS_ON),
        ("need", [*needs, *without], NEEDS),
    ):
        for name in given:
            if name not in known:
                raise UnknownNameError(kind, name, known)
    chosen = [
        method
        for method in methods()
        if method.family in (family or families)
        and method.acts_on in (acts_on or ACTS_ON)
        and all(NEEDS[name].of(method.needs) for name in needs)
        and not any(NEEDS[name].of(method.needs) for name in without)
    ]
    if as_json:
        print_json([_summary(method) for method in chosen])
        return
    _print_by_family(chosen)


def _print_by_family(chosen: Sequence[Implementation]) -> None:
    """One method to a line, however narrow the terminal; whole where nobody looks but another program."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not (console.is_terminal or "COLUMNS" in os.environ):
        console = Console(width=_WHOLE)
    ids = 2 + max((len(method.id) for method in chosen), default=0)
    for family in sorted({method.family for method in chosen}):
        members = [method for method in chosen if method.family == family]
        console.print(f"[bold]{family}[/] ({len(members)})")
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(no_wrap=True, min_width=ids)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        more = [name for name, width in _MORE.items() if console.width >= width]
        for _ in more:
            table.add_column(no_wrap=True, style="dim")
        for method in members:
            table.add_row(f"  {method.id}", method.title, *(getattr(method, name) for name in more))
        console.print(table)
        console.print()
    count = f"{len(chosen)} of {len(methods())} methods." if len(chosen) < len(methods()) else f"{len(chosen)} methods."
    console.print(f"{count} One in detail: [bold]unlearn show NAME[/]   What fits: [bold]unlearn plan[/]")


@app.command(epilog="Example: `unlearn show npo`", rich_help_panel=PANEL)
def show(
    method: Annotated[str, typer.Argument(help="A method's id, as in `unlearn list`.")], as_json: Json = False
) -> None:
    """One method: what it does, its hyper-parameters with their sources, and its file."""
    implementation = find_method(method)
    if as_json:
        print_json({**_summary(implementation), "description": f"{implementation.summary}\n\n{implementation.body}"})
        return
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.table import Table

    from reference_impls.commands.mathematics import readable

    console = Console()
    console.print(f"[bold]{plain(implementation.title)}[/]  [dim]{plain(implementation.file)}[/]\n")
    for other in namesakes(implementation):
        console.print(f"Called so as well: {plain(other.title)}, [bold]unlearn show {other.id}[/]\n")
    console.print(Markdown(readable(f"{implementation.summary}\n\n{implementation.body}")))
    if implementation.hyperparameters:
        table = Table(title="Hyper-parameters", title_justify="left", box=None, header_style="bold", pad_edge=False)
        for heading in ("name", "default", "allowed", "meaning", "source of the default"):
            table.add_column(heading)
        for hyperparameter in implementation.hyperparameters:
            table.add_row(
                hyperparameter.name,
                repr(hyperparameter.default),
                hyperparameter.range,
                hyperparameter.meaning,
                hyperparameter.source,
            )
        console.print()
        console.print(table)
    recipe = implementation.published
    said = f"{recipe.words} ({recipe.source})" if recipe else "none is known; the default is five passes at 1e-5"
    console.print(f"\n[bold]Published recipe, for models of billions[/]: {plain(said)}.", highlight=False)
    console.print(f"\nPaper: [bold]{implementation.paper}[/]   Run it: [bold]unlearn run {implementation.id}[/]")


@app.command("tasks", epilog="Example: `unlearn tasks --json`", rich_help_panel=PANEL)
def list_tasks(as_json: Json = False) -> None:
    """The tasks that ship models, and the published benchmarks that run on yours."""
    embedded_tasks = [implementation for implementation in implementations().values() if implementation.kind == "task"]
    if as_json:
        print_json([*map(_task, embedded_tasks), *map(_benchmark, benchmarks())])
        return
    for task in embedded_tasks:
        print(f"{task.id}: {task.summary}")
        for model in other_models(task.id):
            by = "from nothing, as the usual one does" if model in MADE_HERE else "by adapters that ship"
            print(f"  --model {model}: on that model, which learns the task {by}")
    print("\nPublished benchmarks, with --model DIR_OR_NAME and their files (--data DIR):")
    for benchmark in benchmarks():
        print(f"{benchmark.id}: {benchmark.summary}")
        for name, (_, what) in zip(benchmark.task_names, benchmark.variants, strict=True):
            print(f"  {name}: {what}")


def _task(task: Implementation) -> dict[str, Any]:
    entry = {"id": task.id, "name": task.title, "paper": task.paper, "summary": task.summary, "models": True}
    return entry | ({"larger_models": others} if (others := other_models(task.id)) else {})


def _benchmark(benchmark: Implementation) -> dict[str, Any]:
    variants = [
        {"task": name, "what": what} for name, (_, what) in zip(benchmark.task_names, benchmark.variants, strict=True)
    ]
    return {**_task(benchmark), "models": False, "tasks": variants}


@app.command("attacks", epilog="Example: `unlearn attacks --json`", rich_help_panel=PANEL)
def list_attacks(as_json: Json = False) -> None:
    """The attacks that run."""
    if as_json:
        print_json(
            [
                {"id": attack.id, "name": attack.title, "paper": attack.paper, "summary": attack.summary}
                for attack in attacks()
            ]
        )
        return
    for attack in attacks():
        print(f"{attack.id}: {attack.summary}")


def _summary(method: Implementation) -> dict[str, Any]:
    return {
        "id": method.id,
        "name": method.name,
        "title": method.title,
        "summary": method.summary,
        "family": method.family,
        "acts_on": method.acts_on,
        "reference": method.reference,
        "needs": asdict(method.needs),
        "published": {key: value for key, value in asdict(method.published).items() if value is not None}
        if method.published
        else None,
        "papers": [method.paper],
        "hyperparameters": [
            {key: value for key, value in asdict(hyperparameter).items() if key != "line"}
            for hyperparameter in method.hyperparameters
        ],
        "file": method.file,
    }
