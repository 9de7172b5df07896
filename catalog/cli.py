"""The command ``catalog``: check the records, build what is made from them, and look things up.

The commands are in :mod:`catalog.commands`, a module for each thing that people come for. Heavy modules are imported
inside the commands, so that help and mistakes are answered at once. Exit status: 0 fine, 1 problems were found, 2 wrong
use.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from catalog.commands import checking, contributing, looking, making, upkeep
from catalog.commands.shared import UsageError

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
    """The console command: never a traceback for what people typed, and none for a reader that went away."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows its number.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    from catalog.base.project import NoProjectError

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
