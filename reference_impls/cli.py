"""The command ``unlearn``: run the methods, look at what they do, and compare them.

The commands are in :mod:`reference_impls.commands`, a module for each thing that people come for. Heavy modules are
imported inside the commands, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import typer

from catalog.base.terminal import run
from reference_impls.commands import auditing, looking, maintaining, planning, running, sharing, sweeping, tuning

app = typer.Typer(
    help="Run the reference implementations of LLM-unlearning methods.\n\n"
    "Without --model, the embedded model of about a million parameters is used: a first result takes seconds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for _group in (running, tuning, sweeping, auditing, sharing, looking, planning, maintaining):
    app.add_typer(_group.app)


def main() -> None:
    """The console command."""
    run("unlearn", app)
