"""``unlearn run``, ``compare``, ``chat``, ``eval``, ``attack``: watch a method forget, and see if it comes back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.base.terminal import print_json
from reference_impls.commands.shared import (
    Accumulate,
    Autoencoders,
    BatchSize,
    CheckpointEvery,
    DataFolder,
    DType,
    EarlierModel,
    ForgetShare,
    GradientCheckpointing,
    Json,
    LearningRate,
    LoRAAlpha,
    LoRARank,
    LoRATargets,
    ReferenceModel,
    Requests,
    Seed,
    Settings,
    Steps,
    TaskName,
    TrustRemoteCode,
    UseLoRA,
    Window,
    data_of,
    loading_of,
    scaling_of,
    settings_of,
    showing_progress,
    task_of,
)
from reference_impls.errors import UsageError
from reference_impls.models.loading import Loading
from reference_impls.running.experiment import Experiment
from reference_impls.running.registry import (
    DEFAULT_TASK,
    attacks,
    find_attack,
    find_embedded,
    find_method,
    methods,
    model_for,
)
from reference_impls.scaling import Scaling

if TYPE_CHECKING:
    from catalog.model.implementations import Implementation
    from reference_impls.running.runner import Outcome
    from reference_impls.toolkit import Task

PANEL = "Run"
SavedModel = Annotated[
    str, typer.Argument(help="What `unlearn run --out` saved; any folder or hub name of a causal LM.")
]
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn run npo`   `unlearn run npo --set beta=0.5 --seed 1`   "
    "`unlearn run npo --task passages --requests 4`   "
    "`unlearn run npo --model DIR --forget forget.jsonl --retain retain.jsonl --out unlearned`   "
    "`unlearn run npo --task tofu/forget10 --model DIR_OR_NAME`",
)
def run(
    method: Annotated[str, typer.Argument(help="A method's id, as in `unlearn list`.")],
    task: TaskName = DEFAULT_TASK,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A folder or hub name of a causal LM, or `smollm2`.")
    ] = None,
    seed: Seed = 0,
    settings: Settings = [],  # noqa: B006 (typer reads the default)
    forget: Annotated[Path | None, typer.Option(help="A data file of what to forget, instead of a task.")] = None,
    retain: Annotated[Path | None, typer.Option(help="A data file of what to keep.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="A data file like the forget set, never trained on.")] = None,
    folder: DataFolder = None,
    reference: ReferenceModel = None,
    earlier: EarlierModel = None,
    autoencoder: Autoencoders = [],  # noqa: B006 (typer reads the default)
    learning_rate: LearningRate = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    forget_share: ForgetShare = 1.0,
    requests: Requests = 1,
    window: Window = None,
    dtype: DType = None,
    trust_remote_code: TrustRemoteCode = False,
    lora: UseLoRA = False,
    lora_rank: LoRARank = None,
    lora_alpha: LoRAAlpha = None,
    lora_targets: LoRATargets = None,
    accumulate: Accumulate = 1,
    gradient_checkpointing: GradientCheckpointing = False,
    checkpoint_every: CheckpointEvery = None,
    out: Annotated[Path | None, typer.Option(help="Save the model, a model card and the record there.")] = None,
    attacked: Annotated[bool, typer.Option("--attacks", help="Then try to get it back, with every attack.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the record in the repository's results.")] = False,
    as_json: Json = False,
) -> None:
    """Unlearn with one method and show what it did: before, after, and the retrained model."""
    experiment = Experiment(
        find_method(method).id,
        task,
        seed,
        settings=settings_of(settings),
        recipe={"learning_rate": learning_rate, "steps": steps, "batch_size": batch_size},
        forget_share=forget_share,
        requests=requests,
        model=model,
        data=data_of(model, forget, retain, holdout),
        folder=folder,
        reference=reference,
        earlier=earlier,
        autoencoders=tuple(autoencoder),
        loading=loading_of(model, window, dtype, trust_remote_code),
        scaling=scaling_of(
            lora, lora_rank, lora_alpha, lora_targets, accumulate, gradient_checkpointing, checkpoint_every
        ),
    )
    if checkpoint_every is not None and out is None:
        raise UsageError("--checkpoint-every keeps the state of training in the folder of --out; name one.")
    if reference and not experiment.own_model:
        raise UsageError("--reference is for a model of your own (--model); the task's has its retrained model.")
    if record and (experiment.own_model or forget or experiment.scaling != Scaling()):
        raise UsageError(
            "--record is for a task and a model that it ships, trained as all are, so that the leaderboard compares "
            "like with like."
        )
    loaded = experiment.load_task()
    from reference_impls.toolkit.processes import check_launch, is_first, take_device

    check_launch()
    take_device()
    if not is_first():
        _help_the_first(experiment, loaded, out)
        return
    keeper = None
    if out:
        from reference_impls.running.saving import Keeper

        keeper = Keeper(out, find_method(method), goes_on=checkpoint_every is not None)
    from reference_impls.running.runner import run as run_experiment

    with showing_progress(hide=as_json) as progress:
        outcome = run_experiment(
            experiment,
            loaded,
            attacked=attacked or record,
            progress=progress,
            keep=keeper.keep if keeper else lambda outcome: None,
            checkpoints=out,
        )
    if keeper:
        keeper.update(outcome)
    _show(outcome, find_method(method), as_json)
    if keeper:
        keeper.check()
    if keeper and not as_json:
        print(f"\nSaved to {out}: {keeper.describe(outcome)}")
    if record:
        from reference_impls.running.records import write_record

        write_record(outcome.result)


def _help_the_first(experiment: Experiment, task: Task, out: Path | None) -> None:
    """Train along with the first process, which tells people, measures and writes: also what is wrong."""
    from reference_impls.progress import silence_libraries
    from reference_impls.running.runner import unlearn

    silence_libraries()
    try:
        unlearn(experiment, task, checkpoints=out)
    except UsageError:
        sys.exit(2)


def _show(outcome: Outcome, method: Implementation, as_json: bool) -> None:
    """The outcome, for people or for scripts; before anything is written that may fail."""
    from reference_impls.commands.printing import print_left_out, print_run

    if as_json:
        sys.stdout.write(outcome.result.to_json())
        sys.stdout.flush()
        return
    print_run(method, outcome)
    print_left_out(outcome.left_out)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn compare npo grad-diff ga --out compare.svg`   "
    "`unlearn compare ga npo --learning-rate 5e-4` (alike for all, instead of each one's recipe)",
)
def compare(
    names: Annotated[list[str], typer.Argument(help="Ids of methods, as in `unlearn list`.")],
    task: TaskName = DEFAULT_TASK,
    seed: Seed = 0,
    learning_rate: LearningRate = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    out: Annotated[Path | None, typer.Option(help="Write the forget-versus-utility plot there, as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Run several methods and set them side by side."""
    compared = [find_method(name) for name in names]
    # All on one model, for else they could not be compared.
    model = next((needed for method in compared if (needed := model_for(method.id, task))), None)
    loaded = find_embedded(task, model=model)
    recipe = {"learning_rate": learning_rate, "steps": steps, "batch_size": batch_size}
    from reference_impls.running.runner import run as run_experiment

    outcomes: list[Outcome] = []
    with showing_progress(hide=as_json) as progress:
        for method in compared:

            def labelled(stage: str, done: int, total: int, name: str = method.id) -> None:
                progress(f"{name}: {stage}", done, total)

            experiment = Experiment(method.id, task, seed, recipe=recipe, model=model)
            outcomes.append(run_experiment(experiment, loaded, progress=labelled))
    from reference_impls.commands.printing import print_comparison, write_plot

    if as_json:
        print_json([outcome.result.model_dump(mode="json") for outcome in outcomes])
    else:
        print_comparison(compared, outcomes)
    if out:
        write_plot(outcomes, out)
        if not as_json:
            print(f"\nPlot: {out}")


@app.command(epilog="Examples: `unlearn chat npo`   `unlearn chat ./unlearned`", rich_help_panel=PANEL)
def chat(
    method: Annotated[str, typer.Argument(help="A method's id, to run it first, or the folder of a saved model.")],
    task: TaskName = DEFAULT_TASK,
    seed: Seed = 0,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Ask the model before, after and without the forget set the same questions, one per line."""
    from reference_impls.running.chat import converse

    if method not in {implementation.id for implementation in methods()} and Path(method).is_dir():
        from reference_impls.running.saving import load

        with showing_progress():
            model = load(method, Loading(trust_remote_code=trust_remote_code))
        converse(find_embedded(task), "this model", model)
        return
    chosen = find_method(method)
    loaded = find_embedded(task, model=model_for(chosen.id, task))
    from reference_impls.running.runner import unlearn

    with showing_progress() as progress:
        unlearned = unlearn(Experiment(chosen.id, task, seed), loaded, progress=progress)
    converse(loaded, f"after {chosen.name}", unlearned)


@app.command(
    "eval",
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn eval unlearned`   `unlearn eval unlearned --task hazards --json`   "
    "`unlearn eval DIR --forget forget.jsonl --retain retain.jsonl`",
)
def evaluate_model(
    model: SavedModel,
    task: TaskName = DEFAULT_TASK,
    forget: Annotated[Path | None, typer.Option(help="A data file of what was forgotten, instead of a task.")] = None,
    retain: Annotated[Path | None, typer.Option(help="A data file of what was kept.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="A data file like the forget set, never trained on.")] = None,
    folder: DataFolder = None,
    reference: ReferenceModel = None,
    window: Window = None,
    dtype: DType = None,
    trust_remote_code: TrustRemoteCode = False,
    as_json: Json = False,
) -> None:
    """Measure a saved model, beside the models that ship with the task."""
    asked = task_of(task, model, forget, retain, holdout, folder)
    from reference_impls.running.evaluate_saved import evaluate_saved

    with showing_progress(hide=as_json) as progress:
        evaluated = evaluate_saved(
            model, asked, progress, loading_of(model, window, dtype, trust_remote_code), reference
        )
    if as_json:
        print_json(evaluated.model_dump(mode="json"))
        return
    from reference_impls.commands.printing import print_evaluation

    print_evaluation(evaluated)


@app.command(
    "attack",
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn attack relearning unlearned`   `unlearn attack all unlearned --task authors --json`",
)
def attack_model(
    name: Annotated[str, typer.Argument(help="An attack's id, as in `unlearn attacks`, or `all`.")],
    model: SavedModel,
    task: TaskName = DEFAULT_TASK,
    forget: Annotated[Path | None, typer.Option(help="A data file of what was forgotten, instead of a task.")] = None,
    retain: Annotated[Path | None, typer.Option(help="A data file of what was kept.")] = None,
    holdout: Annotated[
        Path | None, typer.Option(help="A data file like the forget set, never trained on: membership needs one.")
    ] = None,
    folder: DataFolder = None,
    seed: Seed = 0,
    window: Window = None,
    dtype: DType = None,
    trust_remote_code: TrustRemoteCode = False,
    as_json: Json = False,
) -> None:
    """Try to get back what a model has forgotten, and show how much of it the model then knows."""
    chosen = attacks() if name == "all" else [find_attack(name)]
    asked = task_of(task, model, forget, retain, holdout, folder)
    from reference_impls.running.evaluate_saved import attack_saved

    with showing_progress(hide=as_json) as progress:
        attacked = attack_saved(
            model, asked, chosen, seed, progress, loading_of(model, window, dtype, trust_remote_code)
        )
    if as_json:
        print_json(attacked.model_dump(mode="json"))
        return
    from reference_impls.commands.printing import print_attacks, print_left_out, print_notes

    print_attacks(f"{model} on {asked.name}", attacked.known, attacked.attacks, attacked.references)
    print_left_out(attacked.left_out)
    print_notes(attacked.notes)
