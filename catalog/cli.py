"""The command ``catalog``: check the records, build what is made from them, and look things up.

The commands are in :mod:`catalog.commands`, a module for each thing that people come for. Heavy modules are imported
inside the commands, so that help and mistakes are answered at once. Exit status: 0 fine, 1 problems were found, 2 wrong
use.
"""

from __future__ import annotations

import typer

from catalog.base.project import NoProjectError
from catalog.base.terminal import run
from catalog.commands import checking, contributing, looking, making, upkeep

app = typer.Typer(
    help="The catalog of LLM-unlearning research in which the methods run.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for _group in (checking, contributing, upkeep, making, looking):
    app.add_typer(_group.app)


def main() -> None:
    """The console command."""
    run("catalog", app, (NoProjectError,))
