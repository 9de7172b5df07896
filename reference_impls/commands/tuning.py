"""``unlearn tune``: search for recipes, on one's own model and data or on the embedded ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.base.terminal import print_json
from reference_impls.commands.shared import (
    Accumulate,
    Autoencoders,
    DType,
    EarlierModel,
    GradientCheckpointing,
    Json,
    LoRAAlpha,
    LoRARank,
    LoRATargets,
    TaskName,
    TrustRemoteCode,
    UseLoRA,
    Window,
    data_of,
    loading_of,
    plain,
    scaling_of,
    showing_progress,
)
from reference_impls.errors import UsageError
from reference_impls.running.registry import DEFAULT_TASK, find_embedded, find_method, methods, model_for, ships

if TYPE_CHECKING:
    from catalog.model.implementations import Implementation
    from reference_impls.running.own_tuning import Found

PANEL = "Run"
USUAL = ("grad-diff", "npo", "sim-npo")
"""What is tried on a model of one's own where nobody says: one of each kind that most papers compare with."""
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn tune npo rmu --model DIR --forget forget.jsonl --retain retain.jsonl --budget 8`   "
    "`unlearn tune npo` (the embedded model's recipe, for the project)",
)
def tune(
    names: Annotated[list[str] | None, typer.Argument(help="Ids of methods, as in `unlearn list`.")] = None,
    more: Annotated[
        list[str] | None,
        typer.Option("--methods", help="The same, with commas; grad-diff, npo and sim-npo by default."),
    ] = None,
    task: TaskName = DEFAULT_TASK,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A folder or hub name of a causal LM, or `smollm2`.")
    ] = None,
    forget: Annotated[Path | None, typer.Option(help="A data file of what to forget.")] = None,
    retain: Annotated[Path | None, typer.Option(help="A data file of what to keep; a fifth is held back.")] = None,
    holdout: Annotated[
        Path | None, typer.Option(help="A data file like the forget set, never trained on: how unknown it should be.")
    ] = None,
    earlier: EarlierModel = None,
    autoencoder: Autoencoders = [],  # noqa: B006 (typer reads the default)
    budget: Annotated[int | None, typer.Option(min=1, help="Trials of each method; 6 by default.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="After so long no further trial begins.")] = None,
    window: Window = None,
    dtype: DType = None,
    trust_remote_code: TrustRemoteCode = False,
    lora: UseLoRA = False,
    lora_rank: LoRARank = None,
    lora_alpha: LoRAAlpha = None,
    lora_targets: LoRATargets = None,
    accumulate: Accumulate = 1,
    gradient_checkpointing: GradientCheckpointing = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="For the project's recipes: run the best on record on the next seed."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Search for the settings that forget most and keep most, and print the command for the best.

    On a model of your own each trial is judged by the part of the retain set that was held back from it.
    Without --model it makes the project's recipes for the embedded model; with one that ships with the task, and no
    data of your own, those for that one.
    """
    asked = [*(names or ()), *(name for text in more or () for name in text.split(",") if name)]
    named_methods = [find_method(name) for name in dict.fromkeys(asked)]
    loading = loading_of(model, window, dtype, trust_remote_code)
    data = data_of(model, forget, retain, holdout)
    scaling = scaling_of(lora, lora_rank, lora_alpha, lora_targets, accumulate, gradient_checkpointing, None)
    if data is None and ships(task, model):
        options = {
            "--budget": budget is not None,
            "--minutes": minutes is not None,
            "--earlier": earlier is not None,
            "--autoencoder": bool(autoencoder),
            "--json": as_json,
        }
        if given := [*(option for option, is_given in options.items() if is_given), *scaling.words]:
            raise UsageError(f"{given[0]} is for a model of your own: --model DIR_OR_NAME.")
        _tune_shipped(task, model, named_methods or methods(), again=again)
        return
    if again:
        raise UsageError("--again is for models that ship with a task, whose trials are on record.")
    if model is None:
        find_embedded(task)
    if model is None or data is None or data.retain is None:
        raise UsageError(
            "A search on your own model needs --forget FILE and --retain FILE, of which a part is held back."
        )
    from reference_impls.running.experiment import Experiment
    from reference_impls.running.own_tuning import Budget, tune_own

    chosen = named_methods or [find_method(name) for name in USUAL]
    like = Experiment(
        chosen[0].id,
        task,
        model=model,
        data=data,
        earlier=earlier,
        autoencoders=tuple(autoencoder),
        loading=loading,
        scaling=scaling,
    )
    loaded = like.load_task()
    limits = Budget(budget or Budget.trials, minutes)
    with showing_progress(hide=as_json) as progress:
        result = tune_own(like, loaded, chosen, limits, progress)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        _print(result, bool(data.holdout))


def _tune_shipped(task: str, model: str | None, implementations: list[Implementation], *, again: bool) -> None:
    """Search on the model that was named, or with each method on the embedded one that it runs on."""
    by_model: dict[str | None, list[Implementation]] = {}
    for implementation in implementations:
        by_model.setdefault(model or model_for(implementation.id, task), []).append(implementation)
    from reference_impls.running.tuning import tune as search

    for name, chosen in by_model.items():
        with showing_progress() as progress:
            winners = search(find_embedded(task, model=name), chosen, progress, again=again)
        for implementation in chosen:
            print(f"{implementation.id}: {winners[implementation.id]}")


def _print(result: Found, against_holdout: bool) -> None:
    """The trials in the order in which they were made, what they cost, and the command for the best."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("method", "settings"):
        table.add_column(heading)
    for heading in ("forgets", "keeps", "score", "seconds"):
        table.add_column(heading, justify="right")
    for trial in result.trials:
        settings = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in trial.settings.items())
        numbers = (f"{trial.forgets:.3f}", f"{trial.keeps:.3f}", f"{trial.score:.3f}", f"{trial.seconds:.1f}")
        table.add_row(trial.method, settings, *numbers, style="bold" if trial == result.best else "")
    console = Console(highlight=False)
    console.print(table)
    goal = (
        "what it knows of the holdout set" if against_holdout else "nothing, so that going too far costs nothing here"
    )
    rows = result.held_back + result.trained_on
    console.print(
        f"\nHeld back from training: {result.held_back} of {rows} rows to keep, one in five "
        "subjects; [bold]keeps[/] is how much of them is left. [bold]forgets[/] is the way from what the model knew of "
        f"the forget set to {goal}."
    )
    for name, why in result.left_out.items():
        console.print(f"[dim]Left out: {name} ({plain(why)})[/]")
    if result.ended_early:
        console.print("[dim]The time was over before all trials were made.[/]")
    console.print(
        f"\n{len(result.trials)} trials took {result.seconds:.0f} s, with {result.forward_passes} forward and "
        f"{result.backward_passes} backward passes in training."
    )
    if not result.best.score:
        console.print("No setting both forgot and kept: try other methods, or a larger --budget.")
    console.print(f"On all of the data: [bold]{plain(result.command)}[/]", soft_wrap=True)
