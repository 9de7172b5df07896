"""``unlearn push``: a saved model goes to a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Run"
app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: `unlearn push unlearned OWNER/NAME`")
def push(
    folder: Annotated[Path, typer.Argument(help="What `unlearn run --out` saved.")],
    name: Annotated[str, typer.Argument(help="The repository on the hub, OWNER/NAME.")],
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it, if it is made now.")] = False,
) -> None:
    """Publish a saved model with its card and record on a hub of models, privately unless --public is given."""
    from reference_impls.running.pushing import push as upload

    print(f"Published: {upload(folder, name, private=not public)}")
