"""What several commands have in common: options, tasks and settings as typed, and how they speak."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reference_impls.errors import UsageError
from reference_impls.models.loading import Loading, Precision
from reference_impls.progress import Progress, silent
from reference_impls.running.experiment import OwnData, load_task
from reference_impls.scaling import LoRA, Scaling

if TYPE_CHECKING:
    from reference_impls.toolkit import Task


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
TaskName = Annotated[str, typer.Option("--task", "-t", help="What to forget and keep.")]
Seed = Annotated[
    int, typer.Option("--seed", "-s", min=0, max=2**32 - 1, help="Decides everything that is drawn at random.")
]
Settings = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="A hyper-parameter; may be given several times.")
]
LearningRate = Annotated[float | None, typer.Option(min=0, help="Instead of the recipe's.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
Window = Annotated[
    int | None,
    typer.Option(
        min=8,
        help="How many tokens are read at a time: longer plain texts become several, other rows are cut. By default "
        "what the model was made for, up to 2048.",
    ),
]
DType = Annotated[
    Precision | None,
    typer.Option(
        help="What weights are computed with; by default float32, or bfloat16 where that does not fit. Weights that "
        "train have copies in 32 bits, so that no step is lost."
    ),
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run the code that comes with a model, where transformers has none for it. It can do whatever you can.",
    ),
]
UseLoRA = Annotated[
    bool,
    typer.Option(
        "--lora",
        help="Train low-rank adapters instead of the weights; the model before is then the same one without them. They "
        "are merged into the weights that are saved, and kept beside them. Without --learning-rate, ten times the "
        "recipe's.",
    ),
]
LoRARank = Annotated[int | None, typer.Option(min=1, help="With --lora: the adapters' rank, 16 by default.")]
LoRAAlpha = Annotated[
    float | None, typer.Option(min=0, help="With --lora: they count alpha / rank times; twice the rank by default.")
]
LoRATargets = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="With --lora: ends of the names of the layers that get one, such as q_proj,v_proj; by default all linear "
        "layers of the blocks.",
    ),
]
Accumulate = Annotated[
    int,
    typer.Option(
        min=1,
        help="Take each batch in so many parts, one after another. The loss is that of the whole batch, whatever the "
        "method makes of it, and the gradients of the parts add up: the result is the same but for rounding (and for "
        "what dropout draws). Takes the memory of a part and, for all parts but one, a second forward pass.",
    ),
]
GradientCheckpointing = Annotated[
    bool,
    typer.Option(
        "--gradient-checkpointing",
        help="Compute what happens inside blocks again in the backward pass instead of keeping it: less memory, a "
        "third more time, the same result.",
    ),
]
CheckpointEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="STEPS",
        help="Keep the state of training in the folder of --out after so many steps each. The same command goes on "
        "from there after it was killed, with the result that it would have had.",
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="The folder with a published benchmark's files (tofu/forget10 and others, see `unlearn tasks`); "
        "UNLEARN_DATA and the hub's cache are looked into, too.",
    ),
]
ReferenceModel = Annotated[
    str | None,
    typer.Option("--reference", help="A model that was trained without the forget set, to compare with."),
]
EarlierModel = Annotated[
    str | None,
    typer.Option(
        "--earlier",
        help="The model as it was before it met what is to be forgotten, such as the base that it was fine-tuned from, "
        "for methods that need it.",
    ),
]
Autoencoders = Annotated[
    list[str],
    typer.Option(
        "--autoencoder",
        metavar="PATH",
        help="A published sparse autoencoder (SAELens, sparsify, Gemma Scope) of one block, for methods that work on "
        "features; once for each block. 12=PATH where nothing says which. By default small ones are learned.",
    ),
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]


def _something(share: float) -> float:
    if not share:
        raise UsageError("--forget-share 0 leaves nothing to forget; give a share above 0.")
    return share


ForgetShare = Annotated[
    float,
    typer.Option(
        min=0, max=1, callback=_something, help="Forget only this share of the forget set; the rest is left alone."
    ),
]
Requests = Annotated[
    int, typer.Option(min=1, help="Forget it in so many requests, one after another, each a run of its own.")
]


def task_of(
    task: str,
    model: str | None,
    forget: Path | None,
    retain: Path | None,
    holdout: Path | None,
    folder: Path | None = None,
) -> Task:
    """The task of that name, or the one that files of one's own make; see :func:`data_of`."""
    return load_task(task, data_of(model, forget, retain, holdout), folder)


def data_of(model: str | None, forget: Path | None, retain: Path | None, holdout: Path | None) -> OwnData | None:
    """The files of one's own that were named, if any.

    Raises:
        UsageError: files without a model, or without one of what to forget.
    """
    if forget is None and retain is None and holdout is None:
        return None
    if forget is None:
        raise UsageError("Your own data needs --forget FILE, and --retain FILE for most methods.")
    if model is None:
        raise UsageError("Your own data needs a model that knows it: --model DIR_OR_NAME.")
    return OwnData(forget, retain, holdout)


def loading_of(model: str | None, window: int | None, dtype: Precision | None, trust_remote_code: bool) -> Loading:
    """How a model is to be loaded.

    Raises:
        UsageError: something is chosen, and there is no model to load.
    """
    loading = Loading(window, dtype, trust_remote_code)
    if model is None and loading != Loading():
        raise UsageError(
            "--window, --dtype and --trust-remote-code are for a model of your own (--model); the embedded one has "
            "its own."
        )
    return loading


def scaling_of(
    lora: bool,
    rank: int | None,
    alpha: float | None,
    targets: str | None,
    accumulate: int,
    gradient_checkpointing: bool,
    checkpoint_every: int | None,
) -> Scaling:
    """How a model is to be trained that is large for its machine.

    Raises:
        UsageError: something is said of adapters, and there are to be none.
    """
    for option, value in (("--lora-rank", rank), ("--lora-alpha", alpha), ("--lora-targets", targets)):
        if value is not None and not lora:
            raise UsageError(f"{option} says how adapters are made; add --lora to train some.")
    adapters = None
    if lora:
        names = tuple(name.strip() for name in (targets or "").split(",") if name.strip())
        if targets is not None and not names:
            raise UsageError("--lora-targets names no layer; write NAME,NAME, as in --lora-targets q_proj,v_proj.")
        adapters = LoRA(**({} if rank is None else {"rank": rank}), alpha=alpha, targets=names)
    return Scaling(adapters, accumulate, gradient_checkpointing, checkpoint_every)


def settings_of(given: list[str]) -> dict[str, str]:
    """What ``--set NAME=VALUE`` said, by name.

    Raises:
        UsageError: no ``NAME=VALUE``.
    """
    values = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--set {text!r}: write NAME=VALUE, as in --set beta=0.1.")
        values[name.strip().replace("-", "_")] = value.strip()
    return values


def plain(text: str) -> str:
    """The text without what rich would take for markup."""
    from rich.markup import escape

    return escape(text)


@contextmanager
def showing_progress(hide: bool = False) -> Iterator[Progress]:
    """A progress bar on standard error, with time left; nothing where nobody looks."""
    from reference_impls.progress import silence_libraries

    silence_libraries()
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    if hide or not console.is_terminal:
        yield silent
        return
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task("starting", total=None)

        def report(stage: str, done: int, total: int) -> None:
            bar.update(row, description=stage, completed=done, total=total if total > 1 else None)

        yield report
