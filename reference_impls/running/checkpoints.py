"""The models that ship with a task.

The target learned the forget set, the retrained model never did, and both were fine-tuned from the base, which has read
neither the forget nor the retain set. Of the models that are made here whole checkpoints ship; of a larger one that
comes from elsewhere, the low-rank adapters that make its target and its retrained model, and its base is that model as
it comes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from catalog.model.results import MADE_HERE
from reference_impls.measuring.comparison import Yardstick
from reference_impls.measuring.cost import one_thread
from reference_impls.models.loading import Loading
from reference_impls.models.pretrained import load_pretrained
from reference_impls.toolkit import LanguageModel, Splits, Task

Which = Literal["target", "retrained"]
WHICH: tuple[Which, ...] = ("target", "retrained")
Shipped = Literal["base", "target", "retrained"]
SHIPPED: tuple[Shipped, ...] = ("base", *WHICH)


def folder(task: Task, which: Shipped) -> Path:
    """Where a checkpoint is; ``transformers`` loads it from there, or ``peft`` an adapter."""
    return task.folder / "checkpoints" / which


def ships(task: Task) -> bool:
    """Whether a task has models of its own; one of somebody's data has none, nor a folder for them."""
    return hasattr(task, "folder") and folder(task, "target").is_dir()


def ships_base(task: Task) -> bool:
    """Whether the model is at hand that a task's target was fine-tuned from; a larger one comes from elsewhere."""
    return ships(task) and (task.model not in MADE_HERE or folder(task, "base").is_dir())


def load(task: Task, which: Shipped, loading: Loading | None = None) -> LanguageModel:
    """A shipped checkpoint: one that was made here in 32 bits, a larger one as it is to be loaded.

    Raises:
        UsageError: the larger model cannot be had.
    """
    import torch

    if task.model in MADE_HERE:
        return LanguageModel.load(folder(task, which), dtype=torch.float32)
    model = load_pretrained(task.model, loading)
    if which != "base":
        from peft import PeftModel

        model.model = PeftModel.from_pretrained(model.model, folder(task, which)).merge_and_unload()
        model.model.requires_grad_(True).eval()
    return model


def settle_threads(task: Task) -> None:
    """Compute on one core where the task's model was made here; a larger one may have them all."""
    if task.model in MADE_HERE:
        one_thread()


def retrained_evaluation(task: Task) -> dict[str, list[float]]:
    """What the evaluation of the retrained model kept for comparisons with it, as measured when it was made."""
    kept: dict[str, list[float]] = json.loads((task.folder / "checkpoints" / "retrained.json").read_text())
    return kept


def yardstick(task: Task, splits: Splits, kept: dict[str, list[float]] | None = None) -> Yardstick:
    """What ships with a task, to hold other models against on some of its data.

    Args:
        task: one that ships models.
        splits: its data, or a part of it.
        kept: what the evaluation of the retrained model on ``splits`` kept; evaluated anew by default.
    """
    target, retrained = (load(task, which) for which in WHICH)
    if kept is None:
        kept = task.evaluate(retrained, splits).kept
    return Yardstick(task, splits, target, retrained, kept)
