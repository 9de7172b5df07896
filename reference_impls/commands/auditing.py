"""``unlearn audit``: did it forget? A report on any two models."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reference_impls.commands.shared import (
    DataFolder,
    DType,
    Json,
    Seed,
    TaskName,
    TrustRemoteCode,
    Window,
    loading_of,
    plain,
    showing_progress,
    task_of,
)
from reference_impls.errors import UsageError
from reference_impls.models.loading import Loading
from reference_impls.running.registry import DEFAULT_TASK, tasks

if TYPE_CHECKING:
    from reference_impls.running.audit import Models

PANEL = "Run"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn audit unlearned`   "
    "`unlearn audit NEW --before OLD --forget forget.jsonl --retain retain.jsonl --holdout other.jsonl "
    "--out audit.html`",
)
def audit(
    model: Annotated[str, typer.Argument(help="The model that is to have forgotten: a folder or hub name.")],
    before: Annotated[
        str | None, typer.Option(help="The model that it was made from; the embedded task's own by default.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="A model that was trained without the data, if there is one.")
    ] = None,
    task: TaskName = DEFAULT_TASK,
    forget: Annotated[Path | None, typer.Option(help="A data file of what was to be forgotten.")] = None,
    retain: Annotated[Path | None, typer.Option(help="A data file of what was to be kept.")] = None,
    holdout: Annotated[
        Path | None, typer.Option(help="A data file like the forget set that neither model saw: the control.")
    ] = None,
    folder: DataFolder = None,
    seed: Seed = 0,
    window: Window = None,
    dtype: DType = None,
    trust_remote_code: TrustRemoteCode = False,
    out: Annotated[Path | None, typer.Option(help="Write the report there, as one HTML file.")] = None,
    as_json: Json = False,
) -> None:
    """Did it forget? Test a model before and after, with controls and intervals, and write a report."""
    asked = task_of(task, model, forget, retain, holdout, folder)
    if before is None and asked.name not in tasks():
        raise UsageError("Two models are compared: name the one before with --before DIR_OR_NAME.")
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise UsageError(f"--out {out}: name a file in a folder that exists, such as audit.html.")
    from reference_impls.running.audit import Models, audit_saved

    models, loading = Models(model, before, reference), loading_of(model, window, dtype, trust_remote_code)
    files = {"to forget": forget, "to keep": retain, "held out": holdout}
    with showing_progress(hide=as_json) as progress:
        report = audit_saved(
            models,
            asked,
            {role: path for role, path in files.items() if path},
            seed,
            progress,
            loading,
            command=_command(models, asked.name, forget, retain, holdout, folder, seed, loading),
        )
    if out is not None:
        from reference_impls.running.audit_report import write_report

        write_report(report, out)
    if as_json:
        print(report.model_dump_json(indent=2))
        return
    from reference_impls.commands.printing import print_audit

    print_audit(report)
    if out is not None:
        print(f"\nReport: {plain(str(out))}")


def _command(
    models: Models,
    task: str,
    forget: Path | None,
    retain: Path | None,
    holdout: Path | None,
    folder: Path | None,
    seed: int,
    loading: Loading,
) -> str:
    named: dict[str, object] = {
        "before": models.before,
        "reference": models.reference,
        "forget": forget,
        "retain": retain,
    }
    named |= {"holdout": holdout, "data": folder, "task": None if forget else task, "seed": seed}
    words = [word for name, value in named.items() if value is not None for word in (f"--{name}", str(value))]
    return shlex.join(["unlearn", "audit", models.after, *words, *loading.words])
