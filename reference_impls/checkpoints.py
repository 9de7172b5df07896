"""The models that ship with a task: the target, which learned the forget set, and the retrained, which never did."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from catalog.results import Result
from reference_impls.evaluation import Evaluation, evaluate
from reference_impls.language_model import LanguageModel
from reference_impls.measure import peak_memory_bytes, versions
from reference_impls.models.tiny import new_tiny_model
from reference_impls.runner import one_thread, result_path, write_record
from reference_impls.tasks import Task
from reference_impls.training import Recipe, Run

Which = Literal["target", "retrained"]
WHICH: tuple[Which, ...] = ("target", "retrained")

SEED = 0
PRETRAINING = Recipe(learning_rate=2e-3, steps=1500, batch_size=32)
FINETUNING = Recipe(learning_rate=1e-3, steps=350, batch_size=64)


def folder(task: Task, which: Which) -> Path:
    """Where a checkpoint is; ``transformers`` loads it from there."""
    return task.folder / "checkpoints" / which


def load(task: Task, which: Which) -> LanguageModel:
    """A shipped checkpoint, in 32 bits."""
    import torch

    return LanguageModel.load(folder(task, which), dtype=torch.float32)


def retrained_truth_ratios(task: Task) -> list[float]:
    """The retrained model's truth ratios on the forget set, as measured when it was made."""
    ratios: list[float] = json.loads((task.folder / "checkpoints" / "truth_ratios.json").read_text())
    return ratios


def make(task: Any, results: Path, progress: Callable[[str, int, int], None]) -> dict[Which, Result]:
    """Train and save both checkpoints and what they measure; the same command gives the same models.

    One base model is trained on what has nothing to do with the task's people; from it, with one seed and one
    number of steps, come the target (on forget and retain) and the retrained model (on retain alone).

    Args:
        task: a task with ``pretraining`` and ``finetuning`` data.
        results: the folder for the two reference records.
        progress: see :class:`~reference_impls.training.Run`.
    """
    import torch

    one_thread()
    base = new_tiny_model(_texts(task), SEED)
    Run(PRETRAINING, SEED, progress).finetune(base, task.pretraining(base), stage="base model")
    records: dict[Which, Result] = {}
    made: dict[str, Any] = {
        "command": f"unlearn make-task {task.name}",
        "seed": SEED,
        "parameters": sum(parameter.numel() for parameter in base.model.parameters()),
        "pretraining": asdict(PRETRAINING),
        "finetuning": asdict(FINETUNING),
        "versions": versions(),
    }
    ratios: tuple[float, ...] | None = None
    # The retrained model first: the target's forget quality is measured against it.
    for which in reversed(WHICH):
        model = base.copy()
        started = time.perf_counter()
        pairs = task.finetuning(model, forget=which == "target")
        Run(FINETUNING, SEED + 1, progress).finetune(model, pairs, stage=which)
        seconds = time.perf_counter() - started
        place = folder(task, which)
        model.model.to(torch.bfloat16).save_pretrained(place)
        model.tokenizer.save_pretrained(place)
        saved = load(task, which)  # what is measured is what ships, rounding included
        evaluation = evaluate(saved, task.splits(saved), task.max_new_tokens, ratios)
        ratios = ratios or evaluation.probes["forget"].truth_ratios
        made[f"{which}_sha256"] = hashlib.sha256((place / "model.safetensors").read_bytes()).hexdigest()
        records[which] = _record(task, which, evaluation, seconds)
        write_record(records[which], result_path(records[which], results))
    checkpoints = task.folder / "checkpoints"
    (checkpoints / "truth_ratios.json").write_text(json.dumps(ratios, indent=0) + "\n", encoding="utf-8")
    (checkpoints / "made.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    return records


def _texts(task: Any) -> list[str]:
    """All that the tokenizer is made for."""
    plain = _PlainFormat()
    pairs = [*task.pretraining(plain), *task.finetuning(plain, forget=True)]
    return [pair.prompt + pair.answer for pair in pairs]


class _PlainFormat:
    """The question format of a model without a chat template, before there is a model."""

    @staticmethod
    def question(text: str) -> str:
        return f"Question: {text}\nAnswer:"

    @staticmethod
    def answer(text: str) -> str:
        return f" {text}"


def _record(task: Task, which: Which, evaluation: Evaluation, seconds: float) -> Result:
    return Result(
        method=which,
        task=task.name,
        model="tiny",
        seed=SEED,
        hyperparameters={},
        recipe=asdict(FINETUNING),
        metrics=evaluation.metrics,
        seconds=round(seconds, 2),
        peak_memory_bytes=peak_memory_bytes(),
        versions=versions(),
        command=f"unlearn make-task {task.name}",
        examples=evaluation.examples,
    )
