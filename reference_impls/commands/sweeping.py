"""``unlearn sweep``: several methods and seeds on a model of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.base.terminal import print_json
from reference_impls.commands.shared import (
    Accumulate,
    Autoencoders,
    BatchSize,
    DataFolder,
    DType,
    EarlierModel,
    GradientCheckpointing,
    Json,
    LearningRate,
    LoRAAlpha,
    LoRARank,
    LoRATargets,
    ReferenceModel,
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
)
from reference_impls.errors import UsageError
from reference_impls.running.experiment import Experiment, check_use
from reference_impls.running.registry import DEFAULT_TASK, find_method

PANEL = "Run"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn sweep npo rmu --model DIR --forget forget.jsonl --retain retain.jsonl --out DIR`   "
    "`unlearn sweep npo --model DIR --task tofu/forget10 --cluster slurm --cluster-set timeout_min=240 --out DIR`",
)
def sweep(
    names: Annotated[list[str], typer.Argument(help="Ids of methods, as in `unlearn list`.")],
    model: Annotated[str, typer.Option("--model", "-m", help="A folder or hub name of a causal LM.")],
    out: Annotated[Path, typer.Option(help="The folder of the records, one in a folder for each run.")],
    task: TaskName = DEFAULT_TASK,
    forget: Annotated[Path | None, typer.Option(help="A data file of what to forget, instead of a task.")] = None,
    retain: Annotated[Path | None, typer.Option(help="A data file of what to keep.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="A data file like the forget set, never trained on.")] = None,
    folder: DataFolder = None,
    reference: ReferenceModel = None,
    earlier: EarlierModel = None,
    autoencoder: Autoencoders = [],  # noqa: B006 (typer reads the default)
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds: 0, 1, ...")] = 3,
    learning_rate: LearningRate = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    window: Window = None,
    dtype: DType = None,
    trust_remote_code: TrustRemoteCode = False,
    lora: UseLoRA = False,
    lora_rank: LoRARank = None,
    lora_alpha: LoRAAlpha = None,
    lora_targets: LoRATargets = None,
    accumulate: Accumulate = 1,
    gradient_checkpointing: GradientCheckpointing = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the models, too.")] = False,
    attacked: Annotated[bool, typer.Option("--attacks", help="Then try to get it back, with every attack.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time on this machine.")] = 1,
    cluster: Annotated[str | None, typer.Option(help="Give the runs to a cluster: slurm.")] = None,
    cluster_set: Annotated[
        list[str], typer.Option("--cluster-set", metavar="NAME=VALUE", help="What the cluster has to know.")
    ] = [],  # noqa: B006 (typer reads the default)
    as_json: Json = False,
) -> None:
    """Run several methods with several seeds, and set their means side by side; the same command goes on."""
    methods = [find_method(name) for name in dict.fromkeys(names)]
    if cluster_set and cluster is None:
        raise UsageError("--cluster-set tells a cluster something; name it with --cluster.")
    like = Experiment(
        methods[0].id,
        task,
        recipe={"learning_rate": learning_rate, "steps": steps, "batch_size": batch_size},
        model=model,
        data=data_of(model, forget, retain, holdout),
        folder=folder,
        reference=reference,
        earlier=earlier,
        autoencoders=tuple(autoencoder),
        loading=loading_of(model, window, dtype, trust_remote_code),
        scaling=scaling_of(lora, lora_rank, lora_alpha, lora_targets, accumulate, gradient_checkpointing, None),
    )
    if reference and not like.own_model:
        raise UsageError("--reference is for a model of your own (--model); the task's has its retrained model.")
    check_use(like, methods)
    experiments = [like.by(method, seed) for method in methods for seed in range(seeds)]
    experiments[0].load_task()  # what is wrong with the data is said now
    from reference_impls.running import sweep as sweeping

    jobs = sweeping.plan(experiments, out, keep=keep, attacked=attacked)
    if cluster is not None:
        submitted = sweeping.submit(jobs, cluster, settings_of(cluster_set))
        if submitted:
            print(f"{len(submitted)} runs are with {cluster}: {', '.join(submitted)}.")
            print("The same command without --cluster goes on with what they leave, and shows it.")
            return
    with showing_progress(hide=as_json) as progress:
        left_out = sweeping.sweep(jobs, progress, workers)
    results = [result for job in jobs if (result := job.result())]
    if as_json:
        print_json([result.model_dump(mode="json") for result in results])
    elif results:
        from reference_impls.commands.printing import print_sweep

        print_sweep(methods, results)
    for job, why in left_out:
        typer.echo(f"{job.experiment.title}: {why}", err=True)
    if left_out:
        raise typer.Exit(1)
